// Adadelta: its options. The formula is cpp/kernels/adadelta.h.

import type { Spelled } from '../basics/spelling.js';
import type { OptimizerOptions } from './adam.js';
import type { Kind } from './configuration.js';
import { Optimizer } from './optimizer.js';
import { baseOptions, choice, fraction, positiveOrZero, torchDecay } from './options.js';

/** Options of Adadelta; those of every optimizer as well. */
export type AdadeltaOptions = OptimizerOptions &
  Spelled<{
    /** Decay rate of both means of squares, in [0, 1]. Default 0.95. */
    rho?: number;
    /** Added under both roots. Default 1e-7. */
    epsilon?: number;
    /** `'torch'`: weight decay is L2. `'tfjs'`: tf.train.adadelta, which divides by the `A` before. Default `'keras'`. */
    compat?: 'keras' | 'torch' | 'tfjs';
  }>;

const adadelta = (): Kind => ({
  className: 'Adadelta',
  defaultName: 'adadelta',
  options: {
    ...baseOptions,
    rho: { default: 0.95, check: fraction, config: 'always' },
    epsilon: { default: 1e-7, check: positiveOrZero, config: 'always' },
    compat: { default: 'keras', check: choice('keras', 'torch', 'tfjs'), config: 'changed' },
  },
  rule: (o) => (o.compat === 'tfjs' ? 'tfjs_adadelta' : 'adadelta'),
  configure: torchDecay,
});

/**
 * Adadelta (Zeiler 2012), as keras.optimizers.Adadelta: `A = rho * A + (1 - rho) g²`,
 * `d = sqrt(D + epsilon) * g / sqrt(A + epsilon)`, `D = rho * D + (1 - rho) d²`, `w -= learningRate * d`.
 */
export class Adadelta extends Optimizer {
  static override readonly name: string = 'Adadelta';
  static override readonly className: string = 'Adadelta';
  /** Decay rate of both means of squares. */
  declare rho: number;
  /** Added under both roots. */
  declare epsilon: number;

  /** @throws TypeError, RangeError for unknown, doubled or wrong options; Error before `init()`. */
  constructor(options: AdadeltaOptions = {}) {
    super(options, adadelta);
  }
}
