// Adam and AdamW: their options, and which update rule these choose. The formulas are cpp/kernels/adam.h.

import { describe } from '../basics/errors.js';
import type { OneOf, Spelled } from '../basics/spelling.js';
import type { LearningRate } from '../schedules/rate.js';
import type { StateDtype } from '../step/narrow.js';
import type { Kind } from './configuration.js';
import type { VariableGroup } from './groups.js';
import type { MonitorOption } from './monitor.js';
import { Optimizer } from './optimizer.js';
import { baseOptions, boolean, type Check, compat, momentOptions, number, torchDecay } from './options.js';
import type { StateDtypeOptions } from './state-dtype.js';

/** Options of every optimizer, but for the clips. Each may be spelled as Keras does: `learning_rate`. */
export type CommonOptions = Spelled<{
  /** Number, schedule, or function of the number of calls so far. Default 0.001. */
  learningRate?: LearningRate;
  /** Decoupled weight decay: `w -= w * weightDecay * learningRate`, before the update. Default null, off. */
  weightDecay?: number | null;
  /** Keep an exponential moving average of the weights. Default false. */
  useEma?: boolean;
  /** Its momentum, in [0, 1]. Default 0.99. */
  emaMomentum?: number;
  /** Every so many updates the weights are overwritten by their average. Default null, never. */
  emaOverwriteFrequency?: number | null;
  /** Gradients are divided by this; multiply the loss by it with `scaleLoss`. Default null, off. */
  lossScaleFactor?: number | null;
  /** Update once every so many calls, with the mean of their gradients. Default null, every call. */
  gradientAccumulationSteps?: number | null;
  /** Variables, by path, with a multiple of the learning rate, another weight decay or none. Default null. */
  groups?: readonly VariableGroup[] | null;
  /**
   * In how many bits the state is kept, element by element: 'bfloat16' (2 bytes, rounded stochastically) or 'int8' (1
   * byte and a scale for each block of 256: "8-bit Optimizers via Block-wise Quantization", Dettmers et al. 2022). Of
   * variables with at least 4096 elements, if nothing else is said. Default 'float32'.
   */
  stateDtype?: StateDtype | StateDtypeOptions;
  /** Ascend: gradients count negated, as in torch.optim. Default false. */
  maximize?: boolean;
  /** Which updates are told of in `report`: `true` for all, or `{ every: 10, perVariable: true }`. Default null, none. */
  monitor?: MonitorOption;
  /** A step with a gradient that is NaN or infinite anywhere changes nothing but `skippedSteps`. Default false. */
  skipNonFinite?: boolean;
  /** Accepted for Keras' configs; no effect: there is nothing left to compile. */
  jitCompile?: boolean;
  /** Accepted for tf_keras' configs; no effect: state lives where its variable lives. */
  mesh?: unknown;
  /** Accepted for tf_keras' configs; no effect. */
  isLegacyOptimizer?: boolean;
  /** Prefix of the state's paths. Default: the class name in lower case, as Keras writes it. */
  name?: string;
}>;

/** The three ways to clip gradients. */
export interface ClippingOptions {
  /** Every gradient is scaled to an L2 norm of at most this. Default null, off. */
  clipnorm?: number | null;
  /** Every gradient element is clamped to [-clipvalue, clipvalue]. Default null, off. */
  clipvalue?: number | null;
  /** All gradients together are scaled to an L2 norm of at most this. Default null, off. */
  globalClipnorm?: number | null;
}

/** Options of every optimizer; at most one of the three clips. Each may be spelled as Keras does: `learning_rate`. */
export type OptimizerOptions = CommonOptions & Spelled<OneOf<ClippingOptions>>;

/** Decay rates and epsilon of the Adam family. */
export type MomentHyperparameters = Spelled<{
  /** Decay rate of the first moment, in [0, 1]. Default 0.9. */
  beta1?: number;
  /** Decay rate of the second moment or the norm, in [0, 1]. Default 0.999. */
  beta2?: number;
  /** Added to the denominator ("epsilon hat" in Adam). Default 1e-7. */
  epsilon?: number;
}>;

interface Compat {
  /**
   * `'torch'`: PyTorch's formulas, so that its states continue; each variable counts its own updates. `'tfjs'`: those
   * of `tf.train`, whose Adam adds epsilon after the bias correction; weight decay stays decoupled. Default `'keras'`.
   */
  compat?: 'keras' | 'torch' | 'tfjs';
}

/** What Adam, AdamW and Adamax have in common. */
export type MomentOptions = OptimizerOptions & MomentHyperparameters & Compat;

/** What Adam has beyond the options of every optimizer. */
export type AdamHyperparameters = MomentHyperparameters &
  Compat &
  Spelled<{
    /** Never let the second moment fall (AMSGrad, Reddi et al. 2018). Default false. */
    amsgrad?: boolean;
    /** Epsilon as in the paper's Algorithm 1, added after the bias correction (tf_keras >= 2.16). Default false. */
    adaptiveEpsilon?: boolean;
  }>;

/** Options of Adam; those of every optimizer as well. */
export type AdamOptions = OptimizerOptions & AdamHyperparameters;

/** Options of AdamW: Adam's, and weight decay is a number, 0.004 by default. */
export type AdamWOptions = AdamOptions & Spelled<{ weightDecay?: number }>;

const adamRule = (o: Readonly<Record<string, unknown>>) => (o.amsgrad ? 'amsgrad' : 'adam');

export const adamOptions = {
  ...baseOptions,
  ...momentOptions,
  amsgrad: { default: false, check: boolean, config: 'always' },
  adaptiveEpsilon: { default: false, check: boolean, config: 'changed' },
  compat,
} as const;

const adam = (): Kind => ({
  className: 'Adam',
  defaultName: 'adam',
  options: adamOptions,
  rule: adamRule,
  configure: torchDecay,
});

/**
 * Adam (Kingma & Ba 2015), as keras.optimizers.Adam:
 * `m += (g - m)(1 - beta1)`, `v += (g² - v)(1 - beta2)`,
 * `w -= m * alpha / (sqrt(v) + epsilon)` with `alpha = learningRate * sqrt(1 - beta2^t) / (1 - beta1^t)`.
 */
export class Adam extends Optimizer {
  static override readonly name: string = 'Adam';
  static override readonly className: string = 'Adam';
  /** Decay rate of the first moment. */
  declare beta1: number;
  /** Decay rate of the second moment. */
  declare beta2: number;
  /** Added to the denominator. */
  declare epsilon: number;
  /** Whether the second moment never falls; fixed once built. */
  declare amsgrad: boolean;
  /** Whether epsilon is added as in the paper's Algorithm 1. */
  declare adaptiveEpsilon: boolean;

  /** @throws TypeError, RangeError for unknown, doubled or wrong options; Error before `init()`. */
  constructor(options: AdamOptions = {}) {
    super(options, adam);
  }
}

const decayNumber: Check<number> = (label, value) => {
  if (typeof value !== 'number') throw new TypeError(`${label} must be a number, got ${describe(value)}.`);
  return number('a finite number')(label, value);
};

const adamW = (): Kind => ({
  className: 'AdamW',
  defaultName: 'adam_w',
  options: { ...adamOptions, weightDecay: { default: 0.004, check: decayNumber, config: 'always' } },
  rule: adamRule,
});

/** Adam with decoupled weight decay, 0.004 by default (Loshchilov & Hutter 2019), as keras.optimizers.AdamW. */
export class AdamW extends Optimizer {
  static override readonly name: string = 'AdamW';
  static override readonly className: string = 'AdamW';
  /** Decay rate of the first moment. */
  declare beta1: number;
  /** Decay rate of the second moment. */
  declare beta2: number;
  /** Added to the denominator. */
  declare epsilon: number;
  /** Whether the second moment never falls; fixed once built. */
  declare amsgrad: boolean;
  /** Whether epsilon is added as in the paper's Algorithm 1. */
  declare adaptiveEpsilon: boolean;

  /** @throws TypeError, RangeError for unknown, doubled or wrong options; Error before `init()`. */
  constructor(options: AdamWOptions = {}) {
    super(options, adamW);
  }
}
