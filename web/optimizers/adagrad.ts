// Adagrad: its options, and which update rule these choose. The formulas are cpp/kernels/adagrad.h.

import type { Spelled } from '../basics/spelling.js';
import type { OptimizerOptions } from './adam.js';
import type { Kind } from './configuration.js';
import { Optimizer } from './optimizer.js';
import { baseOptions, checkTogether, choice, positiveOrZero, torchDecay } from './options.js';

/** Options of Adagrad; those of every optimizer as well. */
export type AdagradOptions = OptimizerOptions &
  Spelled<{
    /** What the sum of squares starts at, 0 or more. Default 0.1; PyTorch's is 0. */
    initialAccumulatorValue?: number;
    /** Added under the root; with `compat: 'torch'` to the root. Default 1e-7. */
    epsilon?: number;
    /** With `compat: 'torch'`: divides the rate by `1 + lrDecay * updates`. Default 0. */
    lrDecay?: number;
    /** `'torch'`: torch.optim.Adagrad's formulas. `'tfjs'`: those of tf.train.adagrad, which are Keras'. Default `'keras'`. */
    compat?: 'keras' | 'torch' | 'tfjs';
  }>;

const adagrad = (): Kind => ({
  className: 'Adagrad',
  defaultName: 'adagrad',
  options: {
    ...baseOptions,
    initialAccumulatorValue: { default: 0.1, check: positiveOrZero, config: 'always', fixed: true },
    epsilon: { default: 1e-7, check: positiveOrZero, config: 'always' },
    lrDecay: { default: 0, check: positiveOrZero, config: 'changed' },
    compat: { default: 'keras', check: choice('keras', 'torch', 'tfjs'), config: 'changed' },
  },
  rule: (o) => (o.compat === 'torch' ? 'torch_adagrad' : 'adagrad'),
  check(o) {
    checkTogether('Adagrad', o);
    if (o.lrDecay && o.compat !== 'torch')
      throw new RangeError(
        "Adagrad: lrDecay is an option of torch.optim.Adagrad, for compat: 'torch'; otherwise use schedules.InverseTimeDecay.",
      );
  },
  configure: torchDecay,
});

/**
 * Adagrad (Duchi, Hazan & Singer 2011), as keras.optimizers.Adagrad: `a += g²`,
 * `w -= learningRate * g / sqrt(a + epsilon)`.
 */
export class Adagrad extends Optimizer {
  static override readonly name: string = 'Adagrad';
  static override readonly className: string = 'Adagrad';
  /** What the sum of squares starts at; fixed once built. */
  declare initialAccumulatorValue: number;
  /** Added under the root; with `compat: 'torch'` to the root. */
  declare epsilon: number;
  /** With `compat: 'torch'` the rate is divided by `1 + lrDecay * updates`. */
  declare lrDecay: number;

  /** @throws TypeError, RangeError for unknown, doubled or wrong options; Error before `init()`. */
  constructor(options: AdagradOptions = {}) {
    super(options, adagrad);
  }
}
