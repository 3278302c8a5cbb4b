// One optimizer walking down one surface: two numbers in an engine-resident Variable, a gradient written into
// its gradient buffer, and a step of the real library. It keeps its trail; drawing and timing are elsewhere.
import { type Optimizer, Variable } from 'simdescent';
import { makeOptimizer, type RunnerId, type Settings } from '../optimizers.ts';
import { formatPoint } from '../page/format.ts';
import { distanceToMinimum, lossAt, type Point, type Surface } from '../surfaces/surfaces.ts';
import type { Disturber } from './gradients.ts';

/** A racer has arrived once it has come this near to a minimum. */
export const ARRIVAL_DISTANCE = 0.01;
/** A racer that is nearer than this has nothing left to show. */
const DONE_DISTANCE = 1e-4;

export class Racer {
  /** x0, y0, x1, y1, …: the start and every position since. */
  readonly trail: number[] = [];
  steps = 0;
  /** The step at which it first came near a minimum. */
  arrivedAt: number | null = null;
  done = false;
  /** Why it stands nowhere any more, in words; null while it does. */
  lost: string | null = null;
  readonly #surface: Surface;
  readonly #disturber: Disturber;
  readonly #variable: Variable;
  readonly #optimizer: Optimizer;
  #rate = 0;
  #gradient: Point = [0, 0];

  constructor(id: RunnerId, surface: Surface, start: Point, settings: Settings, disturber: Disturber) {
    this.#surface = surface;
    this.#disturber = disturber;
    this.#variable = new Variable(Float32Array.from(start), { name: 'position', shape: [2] });
    this.#optimizer = makeOptimizer(id, settings);
    this.#optimizer.build([this.#variable]);
    this.#look();
  }

  get position(): Point {
    const [x, y] = this.#variable.value;
    return [x, y];
  }

  get loss(): number {
    return lossAt(this.#surface, this.position);
  }

  /** Another learning rate from the next step on. */
  change({ learningRate }: Settings): void {
    this.#optimizer.learningRate = learningRate as number;
  }

  step(): void {
    const exact = this.#surface.formula.gradient(...this.position);
    this.#gradient = this.#disturber.next(exact);
    this.#variable.gradient.set(this.#gradient);
    this.#rate = this.#optimizer.learningRate;
    this.#optimizer.step();
    this.steps += 1;
    this.#look();
  }

  /**
   * The last step in x and in y, without weight decay, in units of its learning rate; NaN where that was 0. Before the
   * first step, nothing.
   */
  effects(): Point | null {
    if (this.steps === 0) return null;
    const decay = (this.#optimizer.weightDecay ?? 0) * this.#rate;
    const position = this.position;
    const effect = (axis: 0 | 1) => {
      const before = this.trail[this.trail.length - 4 + axis];
      return this.#rate === 0 ? Number.NaN : (before - decay * before - position[axis]) / this.#rate;
    };
    return [effect(0), effect(1)];
  }

  /** What the optimizer keeps of x and of y, by the library's names. */
  kept(): (readonly [name: string, values: Float32Array])[] {
    return this.#optimizer.variables
      .filter(({ path }) => path.includes('/position_'))
      .map(({ path, value }) => [path.replace(/^.*position_/, ''), value as Float32Array]);
  }

  dispose(): void {
    this.#optimizer.dispose();
    this.#variable.dispose();
  }

  /** Notes where it stands. A racer that has left the numbers (NaN, infinity) is done as well. */
  #look(): void {
    const position = this.position;
    this.trail.push(...position);
    const distance = distanceToMinimum(this.#surface, position);
    if (this.arrivedAt === null && distance < ARRIVAL_DISTANCE) this.arrivedAt = this.steps;
    if (this.lost === null) this.lost = this.#whyLost(position);
    this.done = distance < DONE_DISTANCE || !position.every(Number.isFinite);
  }

  #whyLost(position: Point): string | null {
    if (position.every(Number.isFinite))
      return Number.isNaN(this.loss) ? `the loss has no value at ${formatPoint(position)}` : null;
    if (this.#rate === 0) return 'its formula divides by the learning rate, which was 0';
    const [x, y] = this.trail.slice(-4, -2);
    return this.#gradient.every((slope) => Number.isFinite(Math.fround(slope)))
      ? `the step from ${formatPoint([x, y])} led beyond what float32 holds; a smaller learning rate may help`
      : `at ${formatPoint([x, y])} the gradient is more than float32 holds; a smaller learning rate may help`;
  }
}
