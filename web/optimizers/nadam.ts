// Nadam and RAdam: their options. The formulas are cpp/kernels/nadam.h.

import type { Spelled } from '../basics/spelling.js';
import type { MomentHyperparameters, OptimizerOptions } from './adam.js';
import type { Kind } from './configuration.js';
import { Optimizer } from './optimizer.js';
import {
  baseOptions,
  boolean,
  checkTogether,
  choice,
  momentOptions,
  positiveOrZero,
  torchDecay,
} from './options.js';

/** Options of Nadam; those of every optimizer as well. */
export type NadamOptions = OptimizerOptions &
  MomentHyperparameters &
  Spelled<{
    /** With `compat: 'torch'`: how fast the momentum's schedule runs. Default 0.004. */
    momentumDecay?: number;
    /** With `compat: 'torch'`: weight decay as in AdamW and not L2. Default false. */
    decoupledWeightDecay?: boolean;
    /** `'torch'`: torch.optim.NAdam's formulas. Default `'keras'`. */
    compat?: 'keras' | 'torch';
  }>;

const decoupled = { default: false, check: boolean, config: 'changed' } as const;

const nadam = (): Kind => ({
  className: 'Nadam',
  defaultName: 'nadam',
  options: {
    ...baseOptions,
    ...momentOptions,
    momentumDecay: { default: 0.004, check: positiveOrZero, config: 'changed' },
    decoupledWeightDecay: decoupled,
    compat: { default: 'keras', check: choice('keras', 'torch'), config: 'changed' },
  },
  rule: () => 'nadam',
  check(o) {
    checkTogether('Nadam', o);
    for (const [name, usual] of [
      ['momentumDecay', 0.004],
      ['decoupledWeightDecay', false],
    ] as const)
      if (o[name] !== usual && o.compat !== 'torch')
        throw new RangeError(`Nadam: ${name} is an option of torch.optim.NAdam, for compat: 'torch'.`);
  },
  configure: torchDecay,
});

/**
 * Nadam (Dozat 2016), as keras.optimizers.Nadam: Adam with Nesterov's momentum, whose schedule's running product is
 * the last of `variables`. Both moments are corrected, and epsilon is added to the corrected root.
 */
export class Nadam extends Optimizer {
  static override readonly name: string = 'Nadam';
  static override readonly className: string = 'Nadam';
  /** Decay rate of the first moment. */
  declare beta1: number;
  /** Decay rate of the second moment. */
  declare beta2: number;
  /** Added to the denominator. */
  declare epsilon: number;
  /** How fast the momentum's schedule runs, with `compat: 'torch'`. */
  declare momentumDecay: number;
  /** Whether weight decay is as in AdamW and not L2. */
  declare decoupledWeightDecay: boolean;

  /** @throws TypeError, RangeError for unknown, doubled or wrong options; Error before `init()`. */
  constructor(options: NadamOptions = {}) {
    super(options, nadam);
  }
}

/** Options of RAdam; those of every optimizer as well. */
export type RAdamOptions = OptimizerOptions &
  Spelled<{
    /** Decay rate of the first moment, in [0, 1]. Default 0.9. */
    beta1?: number;
    /** Decay rate of the second moment, in [0, 1]. Default 0.999. */
    beta2?: number;
    /** Added to the corrected root. Default 1e-8. */
    epsilon?: number;
    /** Weight decay as in AdamW and not L2. Default false. */
    decoupledWeightDecay?: boolean;
    /** There are no other formulas. */
    compat?: 'torch';
  }>;

const radam = (): Kind => ({
  className: 'RAdam',
  defaultName: 'r_adam',
  options: {
    ...baseOptions,
    ...momentOptions,
    epsilon: { ...momentOptions.epsilon, default: 1e-8 },
    decoupledWeightDecay: decoupled,
    compat: { default: 'torch', check: choice('torch'), config: 'never' },
  },
  rule: () => 'radam',
  configure: torchDecay,
});

/**
 * Rectified Adam (Liu et al. 2020, Algorithm 2), as torch.optim.RAdam, whose defaults it has; Keras has none. As long
 * as the variance of the second moment is not tractable it steps by the corrected first moment alone.
 */
export class RAdam extends Optimizer {
  static override readonly name: string = 'RAdam';
  static override readonly className: string = 'RAdam';
  /** Decay rate of the first moment. */
  declare beta1: number;
  /** Decay rate of the second moment. */
  declare beta2: number;
  /** Added to the denominator. */
  declare epsilon: number;
  /** Whether weight decay is as in AdamW and not L2. */
  declare decoupledWeightDecay: boolean;

  /** @throws TypeError, RangeError for unknown, doubled or wrong options; Error before `init()`. */
  constructor(options: RAdamOptions = {}) {
    super(options, radam);
  }
}
