// Lion: its options. The formula is cpp/kernels/lion.h.

import type { Spelled } from '../basics/spelling.js';
import type { OptimizerOptions } from './adam.js';
import type { Kind } from './configuration.js';
import { Optimizer } from './optimizer.js';
import { baseOptions, fraction, number } from './options.js';

/** Options of Lion; those of every optimizer as well. */
export type LionOptions = OptimizerOptions &
  Spelled<{
    /** Share of the momentum in the step's direction, in (0, 1]. Default 0.9. */
    beta1?: number;
    /** Decay rate of the momentum, in [0, 1]. Default 0.99. */
    beta2?: number;
  }>;

const lion = (): Kind => ({
  className: 'Lion',
  defaultName: 'lion',
  options: {
    ...baseOptions,
    beta1: { default: 0.9, check: number('a number in (0, 1]', (x) => x > 0 && x <= 1), config: 'always' },
    beta2: { default: 0.99, check: fraction, config: 'always' },
  },
  rule: () => 'lion',
});

/**
 * Lion (Chen et al. 2023), as keras.optimizers.Lion: `w -= learningRate * sign(beta1 * m + (1 - beta1) g)`, then
 * `m = beta2 * m + (1 - beta2) g`.
 */
export class Lion extends Optimizer {
  static override readonly name: string = 'Lion';
  static override readonly className: string = 'Lion';
  /** Share of the momentum in the step's direction. */
  declare beta1: number;
  /** Decay rate of the momentum. */
  declare beta2: number;

  /** @throws TypeError, RangeError for unknown, doubled or wrong options; Error before `init()`. */
  constructor(options: LionOptions = {}) {
    super(options, lion);
  }
}
