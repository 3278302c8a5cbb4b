// Ftrl: its options, and which update rule these choose. The formula is cpp/kernels/ftrl.h.

import type { Spelled } from '../basics/spelling.js';
import type { OptimizerOptions } from './adam.js';
import type { Kind } from './configuration.js';
import { Optimizer } from './optimizer.js';
import { baseOptions, number, positiveOrZero } from './options.js';

/** Options of Ftrl; those of every optimizer as well. */
export type FtrlOptions = OptimizerOptions &
  Spelled<{
    /** How the rate falls as squares of gradients add up; 0 or less. Default -0.5. */
    learningRatePower?: number;
    /** What the sum of squares starts at, 0 or more. Default 0.1. */
    initialAccumulatorValue?: number;
    /** L1 penalty: what sets weights to exactly 0. Default 0. */
    l1RegularizationStrength?: number;
    /** L2 penalty, which stabilizes. Default 0. */
    l2RegularizationStrength?: number;
    /** L2 penalty on the size of the weights. Default 0. */
    l2ShrinkageRegularizationStrength?: number;
    /** The beta of the paper. Default 0. */
    beta?: number;
  }>;

const strength = { default: 0, check: positiveOrZero, config: 'always' } as const;

const ftrl = (): Kind => ({
  className: 'Ftrl',
  defaultName: 'ftrl',
  options: {
    ...baseOptions,
    learningRatePower: { default: -0.5, check: number('a number <= 0', (x) => x <= 0), config: 'always' },
    initialAccumulatorValue: { default: 0.1, check: positiveOrZero, config: 'always', fixed: true },
    l1RegularizationStrength: strength,
    l2RegularizationStrength: strength,
    l2ShrinkageRegularizationStrength: strength,
    beta: { default: 0, check: number('a finite number'), config: 'always' },
  },
  rule: (o) => (o.learningRatePower === -0.5 ? 'ftrl' : 'ftrl_power'),
});

/** Follow the regularized leader (McMahan et al. 2013), as keras.optimizers.Ftrl: for wide, sparse, linear models. */
export class Ftrl extends Optimizer {
  static override readonly name: string = 'Ftrl';
  static override readonly className: string = 'Ftrl';
  /** How the rate falls as squares of gradients add up, 0 or less. */
  declare learningRatePower: number;
  /** What the sum of squares starts at; fixed once built. */
  declare initialAccumulatorValue: number;
  /** L1 penalty. */
  declare l1RegularizationStrength: number;
  /** L2 penalty, which stabilizes. */
  declare l2RegularizationStrength: number;
  /** L2 penalty on the size of the weights. */
  declare l2ShrinkageRegularizationStrength: number;
  /** The beta of the paper. */
  declare beta: number;

  /** @throws TypeError, RangeError for unknown, doubled or wrong options; Error before `init()`. */
  constructor(options: FtrlOptions = {}) {
    super(options, ftrl);
  }
}
