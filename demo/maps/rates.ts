// The same descent under very many settings: one optimizer per value of a hyperparameter, and in it one pair of
// coordinates per learning rate. How pairs of one optimizer come to rates of their own: see walks.ts. It knows no page
// and no worker.
import { runner } from '../optimizers.ts';
import { Formula } from '../surfaces/tape.ts';
import type { Effort, RatesJob, RatesPicture } from './job.ts';
import { ApartWalk, TogetherWalk } from './walks.ts';

export class Rates {
  readonly effort: Effort = { updates: 0, engine: 0, total: 0 };
  readonly #job: RatesJob;
  readonly #formula: Formula;
  readonly #losses: Float64Array;
  #row = 0;

  constructor(job: RatesJob) {
    this.#job = job;
    this.#formula = new Formula(job.ground.text);
    this.#losses = new Float64Array(job.rates.length * job.values.length).fill(Number.NaN);
  }

  get done(): boolean {
    return this.#row >= this.#job.values.length;
  }

  get progress(): number {
    return this.#row / this.#job.values.length;
  }

  /** One whole row: all steps for one value. */
  step(): void {
    const { optimizer, start, options, option, values, rates, steps, ground } = this.#job;
    const begin = performance.now();
    const Walk = runner(optimizer).sees ? ApartWalk : TogetherWalk;
    const walk = new Walk(optimizer, { ...options, [option]: values[this.#row] }, start, rates);
    for (let step = 0; step < steps; step++) {
      this.#formula.gradients(walk.points, walk.gradients);
      const differentiated = performance.now();
      walk.step();
      this.effort.engine += performance.now() - differentiated;
    }
    for (let column = 0; column < rates.length; column++) {
      const loss = this.#formula.loss(walk.points[2 * column], walk.points[2 * column + 1]) - ground.floor;
      this.#losses[this.#row * rates.length + column] = loss;
    }
    this.effort.updates += steps * walk.points.length;
    walk.dispose();
    this.#row += 1;
    this.effort.total += performance.now() - begin;
  }

  picture(): RatesPicture {
    const { rates, values } = this.#job;
    return { columns: rates.length, rows: values.length, losses: this.#losses.slice() };
  }

  dispose(): void {}
}
