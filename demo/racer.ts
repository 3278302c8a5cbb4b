// One optimizer walking down one surface: two numbers in an engine-resident Variable, the surface's exact
// gradient written into its gradient buffer, and a step of the real library. It keeps its trail; drawing
// and timing are elsewhere.
import { type Adam, type Adamax, Variable } from 'simdescent';
import { type OptimizerId, optimizerClasses } from './optimizers.ts';
import { distanceToMinimum, type Point, type Surface } from './surfaces.ts';

/** A racer has arrived once it has come this near to a minimum. */
const ARRIVAL_DISTANCE = 0.01;
/** A racer that is nearer than this has nothing left to show. */
const DONE_DISTANCE = 1e-4;

export class Racer {
  /** x0, y0, x1, y1, …: the start and every position since. */
  readonly trail: number[] = [];
  steps = 0;
  /** The step at which it first came near a minimum. */
  arrivedAt: number | null = null;
  done = false;
  readonly #surface: Surface;
  readonly #variable: Variable;
  readonly #optimizer: Adam | Adamax;

  constructor(id: OptimizerId, surface: Surface, start: Point, learningRate: number) {
    this.#surface = surface;
    this.#variable = new Variable(Float32Array.from(start), { name: `${id}-position`, shape: [2] });
    this.#optimizer = new optimizerClasses[id]({ learningRate });
    this.#optimizer.build([this.#variable]);
    this.#look();
  }

  get position(): Point {
    const [x, y] = this.#variable.value;
    return [x, y];
  }

  get loss(): number {
    return this.#surface.loss(...this.position);
  }

  set learningRate(rate: number) {
    this.#optimizer.learningRate = rate;
  }

  step(): void {
    this.#variable.gradient.set(this.#surface.gradient(...this.position));
    this.#optimizer.step();
    this.steps += 1;
    this.#look();
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
    this.done = distance < DONE_DISTANCE || !Number.isFinite(this.loss);
  }
}
