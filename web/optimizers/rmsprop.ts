// RMSprop: its options, and which update rule these choose. The formulas are cpp/kernels/rmsprop.h.

import type { Spelled } from '../basics/spelling.js';
import type { OptimizerOptions } from './adam.js';
import type { Kind } from './configuration.js';
import { Optimizer } from './optimizer.js';
import { baseOptions, boolean, choice, fraction, number, positiveOrZero, torchDecay } from './options.js';

/** Options of RMSprop; those of every optimizer as well. */
export type RMSpropOptions = OptimizerOptions &
  Spelled<{
    /** Decay rate of the mean of squares, in [0, 1]; PyTorch's `alpha`. Default 0.9. */
    rho?: number;
    /** Momentum of the steps, 0 or more. Default 0, none. */
    momentum?: number;
    /** Added under the root; with `compat: 'torch'` to the root. Default 1e-7. */
    epsilon?: number;
    /** Subtract the square of the mean gradient: an estimate of the variance. Default false. */
    centered?: boolean;
    /** `'torch'`, `'tfjs'`: the formulas and state of torch.optim.RMSprop, of tf.train.rmsprop. Default `'keras'`. */
    compat?: 'keras' | 'torch' | 'tfjs';
  }>;

const rmsprop = (): Kind => ({
  className: 'RMSprop',
  defaultName: 'rm_sprop',
  options: {
    ...baseOptions,
    rho: { default: 0.9, check: fraction, config: 'always' },
    momentum: { default: 0, check: number('a number >= 0', (x) => x >= 0), config: 'always' },
    epsilon: { default: 1e-7, check: positiveOrZero, config: 'always' },
    centered: { default: false, check: boolean, config: 'always' },
    compat: { default: 'keras', check: choice('keras', 'torch', 'tfjs'), config: 'changed' },
  },
  rule(o) {
    const momentum = o.momentum || o.compat === 'tfjs'; // tf.train always has it
    return `${o.compat === 'torch' ? 'torch_' : ''}rmsprop${o.centered ? '_centered' : ''}${momentum ? '_momentum' : ''}`;
  },
  // tf.train subtracts epsilon where the mean is subtracted.
  hypers: (o) => ({ epsilon: (o.epsilon as number) * (o.compat === 'tfjs' && o.centered ? -1 : 1) }),
  configure: torchDecay,
});

/**
 * RMSprop (Hinton), as keras.optimizers.RMSprop: `v = rho * v + (1 - rho) g²`,
 * `w -= learningRate * g / sqrt(v + epsilon)`; centered, with momentum, or both.
 */
export class RMSprop extends Optimizer {
  static override readonly name: string = 'RMSprop';
  static override readonly className: string = 'RMSprop';
  /** Decay rate of the mean of squares. */
  declare rho: number;
  /** Momentum of the steps; 0 is none. Whether it is 0 is fixed once built. */
  declare momentum: number;
  /** Added under the root; with `compat: 'torch'` to the root. */
  declare epsilon: number;
  /** Whether the square of the mean gradient is subtracted; fixed once built. */
  declare centered: boolean;

  /** @throws TypeError, RangeError for unknown, doubled or wrong options; Error before `init()`. */
  constructor(options: RMSpropOptions = {}) {
    super(options, rmsprop);
  }
}
