// Adafactor: its options. The formula is cpp/kernels/adafactor.h.

import type { Spelled } from '../basics/spelling.js';
import type { OptimizerOptions } from './adam.js';
import type { Kind } from './configuration.js';
import { Optimizer } from './optimizer.js';
import { baseOptions, boolean, number, positiveOrZero } from './options.js';

/** Options of Adafactor; those of every optimizer as well. */
export type AdafactorOptions = OptimizerOptions &
  Spelled<{
    /** The second moment's decay rate at update t is `1 - t ** beta2Decay`; 0 or less. Default -0.8. */
    beta2Decay?: number;
    /** Added to squares of gradients. Default 1e-30. */
    epsilon1?: number;
    /** The least root mean square of a variable, to which its steps are relative. Default 1e-3. */
    epsilon2?: number;
    /** The most that the root mean square of a step may be. Default 1. */
    clipThreshold?: number;
    /** A learning rate that is a number is at most `1 / sqrt(t)`. Default true. */
    relativeStep?: boolean;
  }>;

const adafactor = (): Kind => ({
  className: 'Adafactor',
  defaultName: 'adafactor',
  options: {
    ...baseOptions,
    beta2Decay: { default: -0.8, check: number('a number <= 0', (x) => x <= 0), config: 'always' },
    epsilon1: { default: 1e-30, check: positiveOrZero, config: 'always' },
    epsilon2: { default: 1e-3, check: positiveOrZero, config: 'always' },
    clipThreshold: { default: 1, check: number('a number > 0', (x) => x > 0), config: 'always' },
    relativeStep: { default: true, check: boolean, config: 'always' },
  },
  rule: () => 'adafactor',
  isMatrix: ({ shape }) => shape.length >= 2,
  hypers: (o) => ({ relative_step: Number(o.relativeStep && typeof o.learningRate === 'number') }),
});

/**
 * Adafactor (Shazeer & Stern 2018), as keras.optimizers.Adafactor: steps relative to the size of a variable, by a
 * second moment that is kept as means of rows and columns of the last two axes.
 */
export class Adafactor extends Optimizer {
  static override readonly name: string = 'Adafactor';
  static override readonly className: string = 'Adafactor';
  /** The second moment's decay rate at update t is `1 - t ** beta2Decay`. */
  declare beta2Decay: number;
  /** Added to squares of gradients. */
  declare epsilon1: number;
  /** The least root mean square of a variable, to which its steps are relative. */
  declare epsilon2: number;
  /** The most that the root mean square of a step may be. */
  declare clipThreshold: number;
  /** Whether a learning rate that is a number is at most `1 / sqrt(t)`. */
  declare relativeStep: boolean;

  /** @throws TypeError, RangeError for unknown, doubled or wrong options; Error before `init()`. */
  constructor(options: AdafactorOptions = {}) {
    super(options, adafactor);
  }
}
