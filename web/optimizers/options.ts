// Options of optimizers: one table row each, with its default and its check. Both spellings (camelCase and
// Keras' snake_case) are read here, and unknown, doubled or wrong ones refused, before anything is made.
import { describe, isRecord, warnOnce } from '../basics/errors.js';
import { keysOf } from '../basics/spelling.js';
import type { EngineOptimizer } from '../engine/core.js';
import { readGroups } from './groups.js';
import { readMonitor } from './monitor.js';
import { float32State, readStateDtype } from './state-dtype.js';

/** Returns the value to keep, or throws. `label` is the option with its class, for the message. */
export type Check<T> = (label: string, value: unknown) => T;

export interface Option<T = unknown> {
  /** What it is when not given. */
  readonly default: T;
  readonly check: Check<T>;
  /** In getConfig: always (Keras knows it), if it is not the default (only we know it), or never. */
  readonly config: 'always' | 'changed' | 'never';
  /** It decides what building makes: then it cannot change any more. */
  readonly fixed?: boolean;
}

export type OptionTable = Readonly<Record<string, Option>>;

const wrong = (label: string, accepted: string, value: unknown) =>
  `${label} must be ${accepted}, got ${describe(value)}.`;

/** A number in a range, also as the float32 that it becomes. NaN and infinities are refused. */
export function number(accepted: string, inRange: (x: number) => boolean = () => true): Check<number> {
  return (label, value) => {
    if (typeof value !== 'number') throw new TypeError(wrong(label, accepted, value));
    const single = Math.fround(value);
    if (!Number.isFinite(single) || !inRange(value) || !inRange(single))
      throw new RangeError(wrong(label, `${accepted}, in float32`, value));
    return value;
  };
}

export function orNull<T>(check: Check<T>): Check<T | null> {
  return (label, value) => (value === null ? null : check(label, value));
}

export const boolean: Check<boolean> = (label, value) => {
  if (typeof value !== 'boolean') throw new TypeError(wrong(label, 'true or false', value));
  return value;
};

export function choice<T extends string>(...values: T[]): Check<T> {
  return (label, value) => {
    if (values.includes(value as T)) return value as T;
    const text = wrong(label, values.map((v) => `'${v}'`).join(' or '), value);
    throw typeof value === 'string' ? new RangeError(text) : new TypeError(text);
  };
}

export const anything: Check<unknown> = (_label, value) => value;

export const text: Check<string> = (label, value) => {
  if (typeof value !== 'string') throw new TypeError(wrong(label, 'a string', value));
  if (value === '' || value.includes('/'))
    throw new RangeError(wrong(label, "a non-empty string without '/'", value));
  return value;
};

/** A config object in either spelling, as a full record in camelCase. `undefined` counts as not given. */
export function readOptions(className: string, table: OptionTable, config: unknown): Record<string, unknown> {
  if (!isRecord(config))
    throw new TypeError(
      `${className}: options must be a plain object such as { learningRate: 0.001 }, got ${describe(config)}.`,
    );
  const names = Object.keys(table);
  const values = Object.fromEntries(names.map((name) => [name, table[name].default]));
  for (const [name, key] of keysOf(className, config, names))
    values[name] = table[name].check(`${className}: ${key}`, config[key]);
  return values;
}

const positive = (x: number) => x > 0;

const rateLike: Check<number | null> = orNull(number('a finite number or null'));

/** Keras takes numbers below zero, and clips nothing then. */
const clip: Check<number | null> = (label, value) => {
  const checked = rateLike(label, value);
  if (checked !== null && checked < 0)
    warnOnce(`${label} is ${checked}: below zero nothing is clipped, as in Keras; null says so in words.`);
  return checked;
};

/** Options of every optimizer, in the order of Keras' get_config. */
export const baseOptions = {
  name: { default: null, check: anything, config: 'never' }, // these two are checked and saved by the optimizer itself
  learningRate: { default: 0.001, check: anything, config: 'never' },
  weightDecay: { default: null, check: rateLike, config: 'always' },
  clipnorm: { default: null, check: clip, config: 'always' },
  globalClipnorm: { default: null, check: clip, config: 'always' },
  clipvalue: { default: null, check: clip, config: 'always' },
  useEma: { default: false, check: boolean, config: 'always', fixed: true },
  emaMomentum: { default: 0.99, check: number('a finite number'), config: 'always' },
  emaOverwriteFrequency: {
    default: null,
    check: orNull(number('an integer >= 1, or null', (x) => Number.isInteger(x) && x >= 0)), // 0 is never, as in Keras
    config: 'always',
  },
  lossScaleFactor: {
    default: null,
    check: orNull(number('a number > 0, or null', positive)),
    config: 'always',
  },
  gradientAccumulationSteps: {
    default: null,
    check: orNull(number('an integer >= 2, or null', (x) => x === 0 || (Number.isInteger(x) && x >= 2))),
    config: 'always',
  },
  maximize: { default: false, check: boolean, config: 'changed' },
  stateDtype: { default: float32State, check: readStateDtype, config: 'never', fixed: true }, // likewise
  monitor: { default: null, check: readMonitor, config: 'never' },
  skipNonFinite: { default: false, check: boolean, config: 'changed' },
  groups: { default: null, check: readGroups, config: 'never', fixed: true }, // saved by the optimizer itself
  jitCompile: { default: null, check: anything, config: 'never' },
  mesh: { default: null, check: anything, config: 'never' },
  isLegacyOptimizer: { default: null, check: anything, config: 'never' },
} as const satisfies OptionTable;

/** For an optimizer round others: what Keras accepts there at its default, for old configs, and not otherwise. */
export function innerOnly(className: string, name: string, fallback: unknown): Check<unknown> {
  return (label, value) => {
    if (value !== fallback)
      throw new RangeError(`${label}: ${className} does not support it; set ${name} on the inner optimizer.`);
    return value;
  };
}

/** The options of every optimizer but the first two, so. */
export function innerOptions(className: string): OptionTable {
  const { name, learningRate, ...others } = baseOptions;
  return Object.fromEntries(
    Object.entries(others).map(([key, { default: usual }]): [string, Option] => [
      key,
      { default: usual, check: innerOnly(className, key, usual), config: 'never' },
    ]),
  );
}

/** A learning rate with another default than 0.001. */
export const rateOf = (usual: number) => ({ ...baseOptions.learningRate, default: usual }) as const;

export const fraction = number('a number in [0, 1]', (x) => x >= 0 && x <= 1);
export const positiveOrZero = number('a number >= 0', (x) => x >= 0);

/** Options of the Adam family. */
export const momentOptions = {
  beta1: { default: 0.9, check: fraction, config: 'always' },
  beta2: { default: 0.999, check: fraction, config: 'always' },
  epsilon: { default: 1e-7, check: positiveOrZero, config: 'always' },
} as const satisfies OptionTable;

/** PyTorch's or TensorFlow.js' formulas instead of Keras'. */
export const compat = {
  default: 'keras',
  check: choice('keras', 'torch', 'tfjs'),
  config: 'changed',
} as const satisfies Option;

/** With `compat: 'torch'`, weight decay is L2, added to the gradient, where nothing says that it is decoupled. */
export function torchDecay(native: EngineOptimizer, o: Readonly<Record<string, unknown>>): void {
  if (o.compat !== 'torch' || o.decoupledWeightDecay) return;
  native.decays = false;
  native.l2 = (o.weightDecay as number | null) ?? 0;
}

/** What holds between options: the clips exclude each other, the average has a momentum in [0, 1]. */
export function checkTogether(className: string, o: Record<string, unknown>): void {
  const clips = ['clipnorm', 'clipvalue', 'globalClipnorm'].filter((name) => o[name] !== null);
  if (clips.length > 1)
    throw new RangeError(
      `${className}: only one of clipnorm, clipvalue and globalClipnorm can be set (0 counts as set), got ${clips.join(' and ')}.`,
    );
  const momentum = o.emaMomentum as number;
  if (o.useEma && (momentum < 0 || momentum > 1))
    throw new RangeError(`${className}: emaMomentum must be in the range [0, 1], got ${momentum}.`);
}
