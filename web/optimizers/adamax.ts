// Adamax: its options, and which update rule these choose. The formulas are cpp/kernels/adamax.h.

import type { Spelled } from '../basics/spelling.js';
import type { MomentOptions } from './adam.js';
import type { Kind } from './configuration.js';
import { fallingRate } from './groups.js';
import { Optimizer } from './optimizer.js';
import { baseOptions, boolean, checkTogether, compat, momentOptions, number, torchDecay } from './options.js';

/** Options of Adamax; those of every optimizer as well. */
export type AdamaxOptions = MomentOptions &
  Spelled<{
    /**
     * A SparseGradient updates only its own rows, as optimizer_v2's lazy Adamax did; not with moving averages or
     * accumulation, which that did not have. Default false: sparse equals dense.
     */
    legacySparse?: boolean;
    /** As in `tf.train.adamax`, with `compat: 'tfjs'` only: divides the rate by `1 + decay * iteration`. Default 0. */
    decay?: number;
  }>;

const adamax = (): Kind => ({
  className: 'Adamax',
  defaultName: 'adamax',
  options: {
    ...baseOptions,
    ...momentOptions,
    legacySparse: { default: false, check: boolean, config: 'changed' },
    compat,
    decay: { default: 0, check: number('a number >= 0', (x) => x >= 0), config: 'changed' },
  },
  rule: (o) => (o.compat === 'torch' ? 'torch_adamax' : 'adamax'),
  check(o) {
    checkTogether('Adamax', o);
    if (o.decay && o.compat !== 'tfjs')
      throw new RangeError(
        "Adamax: decay is an option of tf.train.adamax, for compat: 'tfjs'; otherwise use schedules.InverseTimeDecay.",
      );
    if (o.legacySparse && (o.useEma || o.gradientAccumulationSteps))
      throw new RangeError(
        'Adamax: legacySparse excludes useEma and gradientAccumulationSteps: the lazy Adamax had neither.',
      );
  },
  configure: torchDecay,
  rateGroups: (values) =>
    fallingRate(
      () => values().decay as number,
      (iteration) => iteration,
    ),
});

/**
 * Adamax (Kingma & Ba 2015, section 7), as keras.optimizers.Adamax:
 * `m += (g - m)(1 - beta1)`, `u = max(beta2 * u, |g|)`, `w -= learningRate * m / ((1 - beta1^t)(u + epsilon))`.
 */
export class Adamax extends Optimizer {
  static override readonly name: string = 'Adamax';
  static override readonly className: string = 'Adamax';
  /** Decay rate of the first moment. */
  declare beta1: number;
  /** Decay rate of the infinity norm. */
  declare beta2: number;
  /** Added to the denominator. */
  declare epsilon: number;
  /** Whether a SparseGradient updates only its own rows. */
  declare legacySparse: boolean;
  /** With `compat: 'tfjs'` the rate is divided by `1 + decay * iteration`. */
  declare decay: number;

  /** @throws TypeError, RangeError for unknown, doubled or wrong options; Error before `init()`. */
  constructor(options: AdamaxOptions = {}) {
    super(options, adamax);
  }
}
