// ScheduleFreeAdamW: its options. The formula is cpp/kernels/schedule_free.h.

import type { Spelled } from '../basics/spelling.js';
import type { MomentHyperparameters, OptimizerOptions } from './adam.js';
import type { Kind } from './configuration.js';
import { Optimizer } from './optimizer.js';
import { baseOptions, momentOptions, number, rateOf } from './options.js';

/** Options of ScheduleFreeAdamW; those of every optimizer as well. */
export type ScheduleFreeAdamWOptions = OptimizerOptions &
  MomentHyperparameters &
  Spelled<{
    /** The rate rises linearly over so many updates. Default 0. */
    warmupSteps?: number;
  }>;

const scheduleFree = (): Kind => ({
  className: 'ScheduleFreeAdamW',
  defaultName: 'schedule_free_adam_w',
  options: {
    ...baseOptions,
    ...momentOptions,
    learningRate: rateOf(0.0025),
    epsilon: { ...momentOptions.epsilon, default: 1e-8 },
    warmupSteps: {
      default: 0,
      check: number('an integer >= 0', (x) => Number.isInteger(x) && x >= 0),
      config: 'always',
    },
  },
  rule: () => 'schedule_free_adamw',
});

/**
 * Schedule-free AdamW (Defazio et al. 2024), as keras.optimizers.ScheduleFreeAdamW: an average of the iterates takes
 * the place of a schedule that falls. The slot `momentum` starts as a copy of the variable.
 */
export class ScheduleFreeAdamW extends Optimizer {
  static override readonly name: string = 'ScheduleFreeAdamW';
  static override readonly className: string = 'ScheduleFreeAdamW';
  /** Decay rate of the first moment. */
  declare beta1: number;
  /** Decay rate of the second moment. */
  declare beta2: number;
  /** Added to the denominator. */
  declare epsilon: number;
  /** The rate rises linearly over so many updates. */
  declare warmupSteps: number;

  /** @throws TypeError, RangeError for unknown, doubled or wrong options; Error before `init()`. */
  constructor(options: ScheduleFreeAdamWOptions = {}) {
    super(options, scheduleFree);
  }
}
