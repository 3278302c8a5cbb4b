// SGD: its options, and which update rule these choose. The formulas are cpp/kernels/sgd.h.

import type { Spelled } from '../basics/spelling.js';
import type { OptimizerOptions } from './adam.js';
import type { Kind } from './configuration.js';
import { Optimizer } from './optimizer.js';
import { baseOptions, boolean, checkTogether, choice, fraction, rateOf, torchDecay } from './options.js';

/** Options of SGD; those of every optimizer as well. */
export type SGDOptions = OptimizerOptions &
  Spelled<{
    /** In [0, 1]; 0 is plain gradient descent, without state. Default 0. */
    momentum?: number;
    /** Look ahead by the momentum (Nesterov). No effect without momentum. Default false. */
    nesterov?: boolean;
    /** With `compat: 'torch'`: the share of a gradient that the momentum does not take, in [0, 1]. Default 0. */
    dampening?: number;
    /**
     * `'torch'`, `'tfjs'`: the momentum is a sum of gradients, multiplied by the rate of the step (torch.optim.SGD,
     * tf.train.momentum); in PyTorch weight decay is L2. Default `'keras'`: the rate is in the momentum.
     */
    compat?: 'keras' | 'torch' | 'tfjs';
  }>;

const sgd = (): Kind => ({
  className: 'SGD',
  defaultName: 'sgd',
  options: {
    ...baseOptions,
    learningRate: rateOf(0.01),
    momentum: { default: 0, check: fraction, config: 'always' },
    nesterov: { default: false, check: boolean, config: 'always' },
    dampening: { default: 0, check: fraction, config: 'changed' },
    compat: { default: 'keras', check: choice('keras', 'torch', 'tfjs'), config: 'changed' },
  },
  rule(o) {
    if (!o.momentum) return 'sgd';
    return `${o.compat === 'keras' ? 'sgd' : 'torch'}_${o.nesterov ? 'nesterov' : 'momentum'}`;
  },
  check(o) {
    checkTogether('SGD', o);
    if (!o.dampening) return;
    if (o.compat !== 'torch')
      throw new RangeError("SGD: dampening is an option of torch.optim.SGD, for compat: 'torch'.");
    if (o.nesterov) throw new RangeError('SGD: nesterov has no dampening, as in torch.optim.SGD.');
  },
  configure: torchDecay,
});

/**
 * Gradient descent with momentum, as keras.optimizers.SGD:
 * `w -= learningRate * g`, or `m = momentum * m - learningRate * g` and `w += m`, with Nesterov
 * `w += momentum * m - learningRate * g`.
 */
export class SGD extends Optimizer {
  static override readonly name: string = 'SGD';
  static override readonly className: string = 'SGD';
  /** Momentum of the steps; 0 is none. Whether it is 0 is fixed once built. */
  declare momentum: number;
  /** Whether to look ahead by the momentum; where there is one, fixed once built. */
  declare nesterov: boolean;
  /** The share of a gradient that the momentum does not take, with `compat: 'torch'`. */
  declare dampening: number;

  /** @throws TypeError, RangeError for unknown, doubled or wrong options; Error before `init()`. */
  constructor(options: SGDOptions = {}) {
    super(options, sgd);
  }
}
