// The same descent under very many settings: one optimizer per decay rate, and in it one pair of coordinates per
// learning rate. An optimizer has one learning rate, but a step is proportional to it: each pair therefore walks
// with rate 1 from 0, and stands at start + its own rate × where it walked to. That is the same update, up to the
// rounding of the parameter. It knows no page and no worker.
import { Variable } from 'simdescent';
import { makeOptimizer } from '../optimizers.ts';
import { Formula } from '../surfaces/tape.ts';
import type { Effort, RatesJob, RatesPicture } from './job.ts';

export class Rates {
  readonly effort: Effort = { updates: 0, engine: 0, total: 0 };
  readonly #job: RatesJob;
  readonly #formula: Formula;
  readonly #losses: Float64Array;
  #row = 0;

  constructor(job: RatesJob) {
    this.#job = job;
    this.#formula = new Formula(job.ground.text);
    this.#losses = new Float64Array(job.rates.length * job.beta2s.length).fill(Number.NaN);
  }

  get done(): boolean {
    return this.#row >= this.#job.beta2s.length;
  }

  get progress(): number {
    return this.#row / this.#job.beta2s.length;
  }

  /** One whole row: all steps for one decay rate. */
  step(): void {
    const { optimizer: id, start, beta1, beta2s, rates, steps, ground } = this.#job;
    const begin = performance.now();
    const walked = new Variable(2 * rates.length, { name: 'walked' });
    const optimizer = makeOptimizer(id, { learningRate: 1, beta1, beta2: beta2s[this.#row] });
    optimizer.build([walked]);
    const points = new Float32Array(2 * rates.length);
    const stand = () => {
      const value = walked.value;
      for (let column = 0; column < rates.length; column++) {
        points[2 * column] = start[0] + rates[column] * value[2 * column];
        points[2 * column + 1] = start[1] + rates[column] * value[2 * column + 1];
      }
    };
    stand();
    for (let step = 0; step < steps; step++) {
      this.#formula.gradients(points, walked.gradient);
      const differentiated = performance.now();
      optimizer.step();
      this.effort.engine += performance.now() - differentiated;
      stand();
    }
    for (let column = 0; column < rates.length; column++) {
      const loss = this.#formula.loss(points[2 * column], points[2 * column + 1]) - ground.floor;
      this.#losses[this.#row * rates.length + column] = loss;
    }
    optimizer.dispose();
    walked.dispose();
    this.#row += 1;
    this.effort.updates += steps * points.length;
    this.effort.total += performance.now() - begin;
  }

  picture(): RatesPicture {
    const { rates, beta2s } = this.#job;
    return { columns: rates.length, rows: beta2s.length, losses: this.#losses.slice() };
  }

  dispose(): void {}
}
