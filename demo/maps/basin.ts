// The fate of very many starts at once: every start of a grid is two coordinates of one big Variable, so that a
// step of all of them is one call of the library. It knows no page and no worker.
import { type Optimizer, Variable } from 'simdescent';
import { makeOptimizer } from '../optimizers.ts';
import { ARRIVAL_DISTANCE } from '../race/racer.ts';
import { Formula } from '../surfaces/tape.ts';
import { type BasinJob, type BasinPicture, type Effort, NEVER, startAt } from './job.ts';

export class Basin {
  steps = 0;
  readonly effort: Effort = { updates: 0, engine: 0, total: 0 };
  readonly #job: BasinJob;
  readonly #formula: Formula;
  readonly #points: Variable;
  readonly #optimizer: Optimizer;
  readonly #arrivals: Uint16Array;
  readonly #reached: Uint8Array;
  /** The starts that have not arrived yet, in the first `#left` places. */
  readonly #underway: Uint32Array;
  #left: number;

  constructor(job: BasinJob) {
    const { side, ground, optimizer, learningRate, options } = job;
    const starts = side * side;
    this.#job = job;
    this.#formula = new Formula(ground.text);
    this.#points = new Variable(gridOf(job), { name: 'starts' });
    this.#optimizer = makeOptimizer(optimizer, { learningRate, options });
    this.#optimizer.build([this.#points]);
    this.#arrivals = new Uint16Array(starts).fill(NEVER);
    this.#reached = new Uint8Array(starts);
    this.#underway = Uint32Array.from({ length: starts }, (_, index) => index);
    this.#left = starts;
    this.#look();
  }

  get done(): boolean {
    return this.steps >= this.#job.steps || this.#left === 0;
  }

  get progress(): number {
    return this.done ? 1 : this.steps / this.#job.steps;
  }

  step(): void {
    const begin = performance.now();
    const gradient = this.#points.gradient;
    this.#formula.gradients(this.#points.value, gradient);
    const differentiated = performance.now();
    this.#optimizer.step();
    const stepped = performance.now();
    this.steps += 1;
    this.#look();
    this.effort.updates += gradient.length;
    this.effort.engine += stepped - differentiated;
    this.effort.total += performance.now() - begin;
  }

  /** A copy of what is known so far. */
  picture(): BasinPicture {
    const { side } = this.#job;
    return {
      columns: side,
      rows: side,
      arrivals: this.#arrivals.slice(),
      reached: this.#reached.slice(),
    };
  }

  dispose(): void {
    this.#optimizer.dispose();
    this.#points.dispose();
  }

  /** Notes who has come near a minimum by now. Runs over all starts after every step: no array is made here. */
  #look(): void {
    const { minima } = this.#job.ground;
    for (let which = 0; which < minima.length; which++) {
      this.#left = arrive(
        this.#points.value,
        this.#underway.subarray(0, this.#left),
        minima[which][0],
        minima[which][1],
        (index) => {
          this.#arrivals[index] = this.steps;
          this.#reached[index] = which;
        },
      );
    }
  }
}

/** Takes those near a point out of the list, in place; how many are left. */
function arrive(
  points: Float32Array,
  underway: Uint32Array,
  x: number,
  y: number,
  onArrival: (index: number) => void,
): number {
  const near = ARRIVAL_DISTANCE ** 2;
  let left = 0;
  for (let place = 0; place < underway.length; place++) {
    const index = underway[place];
    const dx = points[2 * index] - x;
    const dy = points[2 * index + 1] - y;
    if (dx * dx + dy * dy < near) onArrival(index);
    else underway[left++] = index;
  }
  return left;
}

/** The middle of every pixel, row by row from the top. */
function gridOf({ side, ground }: BasinJob): Float32Array {
  const points = new Float32Array(2 * side * side);
  for (let row = 0; row < side; row++) {
    for (let column = 0; column < side; column++) {
      points.set(startAt(ground, (column + 0.5) / side, (row + 0.5) / side), 2 * (row * side + column));
    }
  }
  return points;
}
