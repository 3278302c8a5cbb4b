// Many pairs of coordinates descending under one optimizer, each with a learning rate of its own.
import { type Optimizer, Variable } from 'simdescent';
import { makeOptimizer, type RunnerId } from '../optimizers.ts';
import type { Point } from '../surfaces/surfaces.ts';
import type { Options } from './job.ts';

/**
 * For optimizers whose steps are proportional to the rate and ask gradients alone: all pairs are one array. Each walks
 * with rate 1 from 0, and stands at start + its own rate × where it walked to. That is the same update, up to the
 * rounding of the parameter.
 */
export class TogetherWalk {
  readonly points: Float32Array;
  readonly #start: Point;
  readonly #rates: readonly number[];
  readonly #walked: Variable;
  readonly #optimizer: Optimizer;

  constructor(id: RunnerId, options: Options, start: Point, rates: readonly number[]) {
    this.#start = start;
    this.#rates = rates;
    this.points = repeated(start, rates.length);
    this.#walked = new Variable(2 * rates.length, { name: 'walked' });
    this.#optimizer = makeOptimizer(id, { learningRate: 1, options });
    this.#optimizer.build([this.#walked]);
  }

  get gradients(): Float32Array {
    return this.#walked.gradient;
  }

  step(): void {
    this.#optimizer.step();
    const { value } = this.#walked;
    const [x, y] = this.#start;
    for (let pair = 0; pair < this.#rates.length; pair++) {
      this.points[2 * pair] = x + this.#rates[pair] * value[2 * pair];
      this.points[2 * pair + 1] = y + this.#rates[pair] * value[2 * pair + 1];
    }
  }

  dispose(): void {
    this.#optimizer.dispose();
    this.#walked.dispose();
  }
}

/** For optimizers that ask where they stand, too: each pair is a variable in a group of its own. Slower. */
export class ApartWalk {
  readonly points: Float32Array;
  readonly gradients: Float32Array;
  readonly #variables: readonly Variable[];
  readonly #optimizer: Optimizer;

  constructor(id: RunnerId, options: Options, start: Point, rates: readonly number[]) {
    this.points = repeated(start, rates.length);
    this.gradients = new Float32Array(2 * rates.length);
    this.#variables = rates.map((_, pair) => new Variable(Float32Array.from(start), { name: `pair${pair}` }));
    const groups = this.#variables.map(({ path }, pair) => ({ paths: [path], rateFactor: rates[pair] }));
    this.#optimizer = makeOptimizer(id, { learningRate: 1, options }, { groups });
    this.#optimizer.build([...this.#variables]);
  }

  step(): void {
    this.#variables.forEach(({ gradient }, pair) => {
      gradient[0] = this.gradients[2 * pair];
      gradient[1] = this.gradients[2 * pair + 1];
    });
    this.#optimizer.step();
    this.#variables.forEach(({ value }, pair) => {
      this.points[2 * pair] = value[0];
      this.points[2 * pair + 1] = value[1];
    });
  }

  dispose(): void {
    this.#optimizer.dispose();
    for (const variable of this.#variables) variable.dispose();
  }
}

const repeated = ([x, y]: Point, times: number) =>
  Float32Array.from({ length: 2 * times }, (_, index) => (index % 2 === 0 ? x : y));
