// Lamb: its options. The formula is cpp/kernels/lamb.h.
import type { MomentHyperparameters, OptimizerOptions } from './adam.js';
import type { Kind } from './configuration.js';
import { Optimizer } from './optimizer.js';
import { baseOptions, momentOptions } from './options.js';

/** Options of Lamb: those of every optimizer, and its moments'. */
export type LambOptions = OptimizerOptions & MomentHyperparameters;

const lamb = (): Kind => ({
  className: 'Lamb',
  defaultName: 'lamb',
  options: { ...baseOptions, ...momentOptions },
  rule: () => 'lamb',
});

/**
 * Lamb (You et al. 2020), as keras.optimizers.Lamb: Adam's corrected step `r`, scaled per variable by
 * `|w| / |r|` where both norms are above 0. For large batches.
 */
export class Lamb extends Optimizer {
  static override readonly name: string = 'Lamb';
  static override readonly className: string = 'Lamb';
  /** Decay rate of the first moment. */
  declare beta1: number;
  /** Decay rate of the second moment. */
  declare beta2: number;
  /** Added to the denominator. */
  declare epsilon: number;

  /** @throws TypeError, RangeError for unknown, doubled or wrong options; Error before `init()`. */
  constructor(options: LambOptions = {}) {
    super(options, lamb);
  }
}
