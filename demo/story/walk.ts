// One parameter under one of the library's optimizers, fed with gradients from outside; what the optimizer keeps of it, and
// how far it walks. The learning rate is 1, so that all lengths are counted in rates. It knows no page.
import { type Optimizer, type SparseGradient, Variable } from 'simdescent';
import { makeOptimizer, type RunnerId } from '../optimizers.ts';

/** What the library keeps of a parameter, by Keras' names. */
export type Kept = 'momentum' | 'velocity' | 'norm';

export class Walk {
  steps = 0;
  /** The last step, in rates. */
  length = 0;
  readonly #rows: Variable;
  readonly #optimizer: Optimizer;

  /** `rows`: of the table whose first row this is about. `further`: options that are no numbers. */
  constructor(id: RunnerId, options: Record<string, number> = {}, rows = 1, further: object = {}) {
    this.#rows = new Variable(rows, { name: 'rows', shape: [rows, 1] });
    this.#optimizer = makeOptimizer(id, { learningRate: 1, options }, further);
    this.#optimizer.build([this.#rows]);
  }

  step(gradient: Float32Array | SparseGradient): void {
    const before = this.position;
    this.#optimizer.apply([gradient]);
    this.steps += 1;
    this.length = before - this.position;
  }

  get position(): number {
    return this.#rows.value[0];
  }

  kept(what: Kept): number {
    const found = this.#optimizer.variables.find(({ path }) => path.endsWith(`_${what}`));
    return found ? (found.value as Float32Array)[0] : Number.NaN;
  }

  /** The mean of the gradients, free of the zero it began with. */
  get mean(): number {
    return this.kept('momentum') / (1 - this.#decay('beta1') ** this.steps);
  }

  /** The root of their mean square, the same way. */
  get root(): number {
    return Math.sqrt(this.kept('velocity') / (1 - this.#decay('beta2') ** this.steps));
  }

  /** By what Adam multiplies its rate instead, before epsilon hat comes in. */
  get correction(): number {
    const { steps } = this;
    return Math.sqrt(1 - this.#decay('beta2') ** steps) / (1 - this.#decay('beta1') ** steps);
  }

  dispose(): void {
    this.#optimizer.dispose();
    this.#rows.dispose();
  }

  #decay(which: 'beta1' | 'beta2'): number {
    return (this.#optimizer as unknown as Record<typeof which, number>)[which];
  }
}
