// Adam and AdamW: their options, and which update rule these choose. The formulas are cpp/kernels/adam.h.

import { describe } from '../basics/errors.js';
import type { LearningRate } from '../schedules/rate.js';
import type { Kind } from './configuration.js';
import type { VariableGroup } from './groups.js';
import type { MonitorOption } from './monitor.js';
import { Optimizer } from './optimizer.js';
import { baseOptions, boolean, type Check, compat, momentOptions, number, torchDecay } from './options.js';

export interface OptimizerOptions {
  /** Number, schedule, or function of the number of calls so far. Default 0.001. */
  learningRate?: LearningRate;
  /** Decoupled weight decay: `w -= w * weightDecay * learningRate`, before the update. Default null, off. */
  weightDecay?: number | null;
  /** Every gradient is scaled to an L2 norm of at most this. Only one of the three clips may be set. */
  clipnorm?: number | null;
  /** Every gradient element is clamped to [-clipvalue, clipvalue]. */
  clipvalue?: number | null;
  /** All gradients together are scaled to an L2 norm of at most this. */
  globalClipnorm?: number | null;
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
  /** Variables, by path, with a multiple of the learning rate, or without weight decay. Default null. */
  groups?: readonly VariableGroup[] | null;
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
  /** Prefix of the state's paths. Default: the class name in lower case, as Keras writes it. */
  name?: string;
}

export interface MomentOptions extends OptimizerOptions {
  /** Decay rate of the first moment, in [0, 1]. Default 0.9. */
  beta1?: number;
  /** Decay rate of the second moment or the norm, in [0, 1]. Default 0.999. */
  beta2?: number;
  /** Added to the denominator ("epsilon hat" in Adam). Default 1e-7. */
  epsilon?: number;
  /**
   * `'torch'`: PyTorch's formulas, so that its states continue; each variable counts its own updates. `'tfjs'`: those
   * of `tf.train`, whose Adam adds epsilon after the bias correction; weight decay stays decoupled. Default `'keras'`.
   */
  compat?: 'keras' | 'torch' | 'tfjs';
}

export interface AdamOptions extends MomentOptions {
  /** Never let the second moment fall (AMSGrad, Reddi et al. 2018). Default false. */
  amsgrad?: boolean;
  /** Epsilon as in the paper's Algorithm 1, added after the bias correction (tf_keras >= 2.16). Default false. */
  adaptiveEpsilon?: boolean;
}

const adamRule = (o: Readonly<Record<string, unknown>>) => (o.amsgrad ? 'amsgrad' : 'adam');

export const adamOptions = {
  ...baseOptions,
  ...momentOptions,
  amsgrad: { default: false, check: boolean, config: 'always' },
  adaptiveEpsilon: { default: false, check: boolean, config: 'changed' },
  compat,
} as const;

const adam: Kind = {
  className: 'Adam',
  defaultName: 'adam',
  options: adamOptions,
  rule: adamRule,
  configure: torchDecay,
};

/**
 * Adam (Kingma & Ba 2015), as keras.optimizers.Adam:
 * `m += (g - m)(1 - beta1)`, `v += (g² - v)(1 - beta2)`,
 * `w -= m * alpha / (sqrt(v) + epsilon)` with `alpha = learningRate * sqrt(1 - beta2^t) / (1 - beta1^t)`.
 */
export class Adam extends Optimizer {
  static override readonly name: string = 'Adam';
  static override readonly className: string = 'Adam';
  declare beta1: number;
  declare beta2: number;
  declare epsilon: number;
  declare amsgrad: boolean;
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

const adamW: Kind = {
  className: 'AdamW',
  defaultName: 'adamw',
  options: { ...adamOptions, weightDecay: { default: 0.004, check: decayNumber, config: 'always' } },
  rule: adamRule,
};

/** Adam with decoupled weight decay, 0.004 by default (Loshchilov & Hutter 2019), as keras.optimizers.AdamW. */
export class AdamW extends Optimizer {
  static override readonly name: string = 'AdamW';
  static override readonly className: string = 'AdamW';
  declare beta1: number;
  declare beta2: number;
  declare epsilon: number;
  declare amsgrad: boolean;
  declare adaptiveEpsilon: boolean;

  /** @throws TypeError, RangeError for unknown, doubled or wrong options; Error before `init()`. */
  constructor(options: AdamOptions & { weightDecay?: number } = {}) {
    super(options, adamW);
  }
}
