// AdamMultilr: Adam with learning rates by variable name, after Capreolus' class of that name, a subclass of
// TensorFlow's optimizer_v2 Adam whose arithmetic it follows. Not copied: its crash on pattern_lrs = None, and
// its sparse branch, which forgets the bias correction (a SparseGradient here equals the dense gradient).

import { describe, isRecord } from '../basics/errors.js';
import { pattern } from '../basics/pattern.js';
import type { OneOf, Spelled } from '../basics/spelling.js';
import { dialects } from '../engine/facts.js';
import {
  deserializeSchedule,
  type LearningRate,
  type Rate,
  rateFrom,
  serializeSchedule,
} from '../schedules/rate.js';
import { LearningRateSchedule } from '../schedules/schedules.js';
import type { Target } from '../step/target.js';
import { type AdamHyperparameters, adamOptions, type ClippingOptions, type CommonOptions } from './adam.js';
import type { Kind, Options } from './configuration.js';
import type { RateGroups } from './groups.js';
import { Optimizer } from './optimizer.js';
import { type Check, number } from './options.js';
import { partsOf } from './parts.js';

/** A learning rate for the variables whose path matches. */
export interface PatternRate {
  /**
   * Regular expressions, searched in the variable's path and in the path as TensorFlow writes it, with ':0'. They run
   * as they are, and some take for ever, such as `(a+)+$`: take them from configs that you trust.
   */
  patterns: readonly string[];
  /** Replaces the learning rate of the variables found. */
  lr: LearningRate;
}

/** Options of AdamMultilr: Adam's, but that clipvalue goes with either of the others; see the class. */
export type AdamMultilrOptions = CommonOptions &
  AdamHyperparameters &
  Spelled<Pick<ClippingOptions, 'clipvalue'>> &
  Spelled<OneOf<Omit<ClippingOptions, 'clipvalue'>>> &
  Spelled<{
    /** All rates are divided by `1 + decay * iterations`. Default 0. */
    decay?: number;
    /** The first entry with a pattern that is found wins; variables without one have `learningRate`. Default []. */
    patternLrs?: readonly PatternRate[];
  }>;

interface Entry {
  patterns: RegExp[];
  sources: readonly string[];
  rate: Rate;
  lr: unknown;
}

function readEntries(label: string, value: unknown): Entry[] {
  if (!Array.isArray(value))
    throw new TypeError(`${label} must be an array of { patterns, lr }, got ${describe(value)}.`);
  return Array.from(value, (entry, k): Entry => {
    const at = `${label}[${k}]`;
    if (!isRecord(entry)) throw new TypeError(`${at} must be { patterns, lr }, got ${describe(entry)}.`);
    const { patterns, lr, ...rest } = entry;
    if (!Array.isArray(patterns) || ![...patterns].every((p) => typeof p === 'string'))
      throw new TypeError(
        `${at}.patterns must be an array of regular expressions as strings, got ${describe(patterns)}.`,
      );
    const unknown = Object.keys(rest)[0];
    if (unknown) throw new TypeError(`${at}: unknown key '${unknown}'; known are 'patterns' and 'lr'.`);
    if (typeof lr === 'object' && lr !== null && !(lr instanceof LearningRateSchedule))
      return readEntries(label, [{ patterns, lr: deserializeSchedule(`${at}.lr`, lr, {}) }])[0];
    return {
      patterns: patterns.map((p) => pattern(`${at}.patterns`, p)),
      sources: [...patterns],
      rate: rateFrom(`${at}.lr`, lr),
      lr,
    };
  });
}

const checkPatterns: Check<unknown> = (label, value) => {
  const entries = readEntries(label, value);
  return Object.freeze(
    entries.map(({ sources, lr }) => Object.freeze({ patterns: Object.freeze(sources), lr })),
  );
};

class PatternRates implements RateGroups {
  readonly #entries: readonly Entry[];
  readonly #values: () => Readonly<Options>;
  readonly #rates: number[] = [];

  constructor(values: () => Readonly<Options>) {
    this.#entries = readEntries('AdamMultilr: patternLrs', values().patternLrs);
    this.#values = values;
  }

  groupOf({ path }: Target): number {
    const isFound = (p: RegExp) => p.test(path) || p.test(`${path}:0`);
    return 1 + this.#entries.findIndex(({ patterns }) => patterns.some(isFound));
  }

  at(rate: number, iteration: number): readonly number[] {
    const rates = this.#rates;
    const decay = Math.fround(this.#values().decay as number);
    const divisor = Math.fround(1 + Math.fround(decay * iteration));
    rates[0] = Math.fround(rate / divisor);
    this.#entries.forEach((entry, k) => {
      rates[k + 1] = Math.fround(entry.rate.at(iteration) / divisor);
    });
    return rates;
  }

  varies(): boolean {
    return this.#values().decay !== 0 || this.#entries.some(({ rate }) => !rate.isNumber);
  }

  toConfig(): object[] {
    return this.#entries.map(({ sources, rate, lr }) => {
      if (typeof lr === 'function')
        throw new Error(
          'AdamMultilr: a function as lr cannot be saved in a config; extend LearningRateSchedule instead.',
        );
      return { patterns: [...sources], lr: rate.schedule ? serializeSchedule(rate.schedule) : lr };
    });
  }
}

const multi = (): Kind => ({
  className: 'AdamMultilr',
  defaultName: 'AdamMultilr',
  options: {
    ...adamOptions,
    decay: { default: 0, check: number('a number >= 0', (x) => x >= 0), config: 'always' },
    patternLrs: { default: Object.freeze([]), check: checkPatterns, config: 'never' }, // saved by getConfig below
  },
  rule: (o) => (o.amsgrad ? 'amsgrad' : 'adam'),
  hasOneDecay: true, // its own groups have the rates
  check(o) {
    if (o.clipnorm !== null && o.globalClipnorm !== null)
      throw new RangeError(
        `AdamMultilr: only one of clipnorm and globalClipnorm can be set (0 counts as set), got ${o.clipnorm} and ${o.globalClipnorm}.`,
      );
  },
  hypers: (o) => ({ epsilon: (o.epsilon as number) || 1e-7 }), // optimizer_v2: 0 is the backend's epsilon
  configure(native) {
    native.dialect = dialects.optimizerV2;
    native.clampFirst = true;
  },
  rateGroups: (values) => new PatternRates(values),
});

/**
 * Adam with a learning rate of its own for variables whose path matches. Clips as in optimizer_v2: clipvalue first,
 * then clipnorm or globalClipnorm. An epsilon of 0 is 1e-7.
 */
export class AdamMultilr extends Optimizer {
  static override readonly name: string = 'AdamMultilr';
  static override readonly className: string = 'AdamMultilr';
  static override readonly hasDecay: boolean = true;
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
  /** What all rates are divided by is `1 + decay * iterations`. */
  declare decay: number;

  /** @throws TypeError, RangeError for unknown, doubled or wrong options; Error before `init()`. */
  constructor(options: AdamMultilrOptions = {}) {
    super(options, multi);
  }

  /** As given; fixed once constructed. */
  get patternLrs(): readonly PatternRate[] {
    return partsOf(this).options.values.patternLrs as readonly PatternRate[];
  }

  override getConfig(): Record<string, unknown> {
    const rates = partsOf(this).options.ownRates as PatternRates;
    return { ...super.getConfig(), pattern_lrs: rates.toConfig() };
  }
}
