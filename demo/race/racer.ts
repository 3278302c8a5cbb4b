// One optimizer walking down one surface: two numbers in an engine-resident Variable, a gradient written into
// its gradient buffer, and a step of the real library. It keeps its trail; drawing and timing are elsewhere.
import { type Optimizer, Variable } from 'simdescent';
import { makeOptimizer, type PerRunner, type RunnerId, runners, type Settings } from '../optimizers.ts';
import { distanceToMinimum, lossAt, type Point, type Surface } from '../surfaces/surfaces.ts';
import type { Disturber } from './gradients.ts';

/** A racer has arrived once it has come this near to a minimum. */
export const ARRIVAL_DISTANCE = 0.01;
/** A racer that is nearer than this has nothing left to show. */
const DONE_DISTANCE = 1e-4;

/** What an optimizer makes of one coordinate: it moves by the learning rate times `step`. */
export interface Effect {
  /** The first moment, its bias corrected. */
  moment: number;
  /** What it is divided by: √v in Adam, u in Adamax, their bias corrected. */
  norm: number;
  step: number;
}

export class Racer {
  /** x0, y0, x1, y1, …: the start and every position since. */
  readonly trail: number[] = [];
  steps = 0;
  /** The step at which it first came near a minimum. */
  arrivedAt: number | null = null;
  done = false;
  readonly #id: RunnerId;
  readonly #surface: Surface;
  readonly #disturber: Disturber;
  readonly #variable: Variable;
  readonly #optimizer: Optimizer;
  #settings: Settings;

  constructor(id: RunnerId, surface: Surface, start: Point, settings: Settings, disturber: Disturber) {
    this.#id = id;
    this.#surface = surface;
    this.#disturber = disturber;
    this.#settings = settings;
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

  /** Other settings from the next step on. */
  change(settings: Settings): void {
    this.#settings = settings;
    Object.assign(this.#optimizer, settings, !runners[this.#id].decays && { weightDecay: null });
  }

  step(): void {
    const exact = this.#surface.formula.gradient(...this.position);
    this.#variable.gradient.set(this.#disturber.next(exact));
    this.#optimizer.step();
    this.steps += 1;
    this.#look();
  }

  /** What the last step made of x and of y, from the optimizer's own state; before the first step, nothing. */
  effects(): [x: Effect, y: Effect] | null {
    if (this.steps === 0) return null;
    const slot = (name: string) =>
      this.#optimizer.variables.find(({ path }) => path.endsWith(name))?.value as Float32Array;
    const first = slot('_momentum');
    const norm = slot(normSlots[this.#id]);
    const { beta1, beta2, epsilon } = this.#settings;
    const momentCorrection = 1 - beta1 ** this.steps;
    const normCorrection = this.#id === 'adamax' ? 1 : Math.sqrt(1 - beta2 ** this.steps);
    const effect = (axis: 0 | 1): Effect => {
      const size = this.#id === 'adamax' ? norm[axis] : Math.sqrt(norm[axis]);
      const moment = first[axis] / momentCorrection;
      return { moment, norm: size / normCorrection, step: (moment * normCorrection) / (size + epsilon) };
    };
    return [effect(0), effect(1)];
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
    this.done = distance < DONE_DISTANCE || !position.every(Number.isFinite);
  }
}

/** The slot that a step divides by, as the library names it. */
const normSlots: PerRunner<string> = {
  adam: '_velocity',
  adamw: '_velocity',
  amsgrad: '_velocity_hat',
  adamax: '_norm',
};
