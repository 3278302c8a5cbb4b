// AdamMultilr: Adam with learning rates by variable name, after Capreolus' class of that name, a subclass of
// TensorFlow's optimizer_v2 Adam whose arithmetic it follows. Not copied: its crash on pattern_lrs = None, and
// its sparse branch, which forgets the bias correction (a SparseGradient here equals the dense gradient).

import { describe, isRecord } from '../basics/errors.js';
import { dialects } from '../engine/facts.js';
import {
  deserializeSchedule,
  type LearningRate,
  type Rate,
  rateFrom,
  serializeSchedule,
} from '../schedules/rate.js';
import { LearningRateSchedule } from '../schedules/schedules.js';
import { type AdamOptions, adamOptions } from './adam.js';
import type { Kind } from './configured.js';
import { Optimizer, type RateGroups } from './optimizer.js';
import { type Check, number, pattern } from './options.js';

export interface PatternRate {
  /** Regular expressions, searched in the variable's path and in the path as TensorFlow writes it, with ':0'. */
  patterns: readonly string[];
  /** Replaces the learning rate of the variables found. */
  lr: LearningRate;
}

export interface AdamMultilrOptions extends AdamOptions {
  /** All rates are divided by `1 + decay * iterations`. Default 0. */
  decay?: number;
  /** The first entry with a pattern that is found wins; variables without one have `learningRate`. Default []. */
  patternLrs?: readonly PatternRate[];
}

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

const multi: Kind = {
  className: 'AdamMultilr',
  defaultName: 'AdamMultilr',
  options: {
    ...adamOptions,
    decay: { default: 0, check: number('a number >= 0', (x) => x >= 0), config: 'always' },
    patternLrs: { default: [], check: checkPatterns, config: 'never' }, // saved by getConfig below
  },
  rule: (o) => (o.amsgrad ? 'amsgrad' : 'adam'),
  check(o) {
    if (o.clipnorm !== null && o.globalClipnorm !== null)
      throw new RangeError('AdamMultilr: only one of clipnorm and globalClipnorm can be set.');
  },
  hypers: (o) => ({ epsilon: (o.epsilon as number) || 1e-7 }), // optimizer_v2: 0 is the backend's epsilon
  configure(native) {
    native.dialect = dialects.optimizerV2;
    native.clampFirst = true;
  },
};

/**
 * Adam with a learning rate of its own for variables whose path matches. Clips as in optimizer_v2: clipvalue first,
 * then clipnorm or globalClipnorm. An epsilon of 0 is 1e-7.
 */
export class AdamMultilr extends Optimizer {
  static override readonly name: string = 'AdamMultilr';
  static override readonly className: string = 'AdamMultilr';
  declare beta1: number;
  declare beta2: number;
  declare epsilon: number;
  declare amsgrad: boolean;
  declare adaptiveEpsilon: boolean;
  declare decay: number;
  readonly #entries: readonly Entry[];
  protected override readonly rateGroups: RateGroups;

  /** @throws TypeError, RangeError for unknown, doubled or wrong options; Error before `init()`. */
  constructor(options: AdamMultilrOptions = {}) {
    super(options, multi);
    const entries = readEntries('AdamMultilr: patternLrs', this.patternLrs);
    this.#entries = entries;
    const rates: number[] = [];
    this.rateGroups = {
      groupOf: ({ path }) =>
        1 + entries.findIndex(({ patterns }) => patterns.some((p) => p.test(path) || p.test(`${path}:0`))),
      at: (rate, iteration) => {
        const divisor = Math.fround(1 + Math.fround(Math.fround(this.decay) * iteration));
        rates[0] = Math.fround(rate / divisor);
        entries.forEach((entry, k) => {
          rates[k + 1] = Math.fround(entry.rate.at(iteration) / divisor);
        });
        return rates;
      },
      varies: () => this.options.decay !== 0 || entries.some(({ rate }) => !rate.isNumber),
    };
  }

  /** As given; fixed once constructed. */
  get patternLrs(): readonly PatternRate[] {
    return this.readOption('patternLrs') as readonly PatternRate[];
  }

  override getConfig(): Record<string, unknown> {
    const saved = this.#entries.map(({ sources, rate, lr }) => {
      if (typeof lr === 'function')
        throw new Error(
          'AdamMultilr: a function as lr cannot be saved in a config; extend LearningRateSchedule instead.',
        );
      return { patterns: [...sources], lr: rate.schedule ? serializeSchedule(rate.schedule) : lr };
    });
    return { ...super.getConfig(), pattern_lrs: saved };
  }
}
