// Keras' learning-rate schedules, in float32. The arithmetic is the engine's (cpp/engine/schedules.cc), so that
// every machine has the same bits; here are the arguments, their checks and Keras' config.

import { describe, isRecord, markOurs } from '../basics/errors.js';
import { type InSnakeCase, readSpelled, snakeCase } from '../basics/spelling.js';
import { core } from '../engine/core.js';

/** Arguments of a schedule in Keras' spelling, as JSON. */
export interface ScheduleConfig {
  [key: string]: unknown;
}

/** Extend it: implement `at` and `getConfig`, and register the class by `customObjects` to read it back. */
export abstract class LearningRateSchedule {
  static {
    markOurs(this);
  }
  /** The class' name, also where its code was minified. */
  static readonly name: string = 'LearningRateSchedule';
  /** The learning rate at iteration `step`, counted from 0 in calls of `apply`. */
  abstract at(step: number): number;

  /** Constructor arguments in Keras' spelling. */
  getConfig(): ScheduleConfig {
    throw new Error(
      `${this.constructor.name} has no getConfig(): a schedule that is saved must implement it.`,
    );
  }

  /** From what `getConfig` gives. @throws as the constructor */
  static fromConfig<T>(this: new (config: never) => T, config: ScheduleConfig): T {
    return new this(config as never);
  }
}

interface Argument {
  default?: unknown;
  kind: 'number' | 'boolean' | 'string' | 'numbers';
  nullable?: boolean;
}

/** A number that is finite as float32, too: the arithmetic is float32's. */
const isFinite32 = (x: unknown) => typeof x === 'number' && Number.isFinite(Math.fround(x));

/** Reads arguments in either spelling; every schedule shares it, so that the messages do too. */
function readArguments<T>(className: string, table: Record<string, Argument>, given: unknown): T {
  if (!isRecord(given))
    throw new TypeError(
      `${className}: arguments must be a plain object { ${Object.keys(table).join(', ')} }, got ${describe(given)}.`,
    );
  const names = Object.keys(table);
  const read = readSpelled(className, given, names);
  const out: Record<string, unknown> = {};
  for (const name of names) {
    const { kind, nullable, default: fallback } = table[name];
    const given = name in read ? read[name] : fallback;
    const value = Array.isArray(given) ? [...given] : given; // the caller's stays the caller's; spread sees holes
    out[name] = value;
    if (value === null && nullable) continue;
    const fits =
      kind === 'numbers'
        ? Array.isArray(value) && value.every(isFinite32)
        : kind === 'number'
          ? isFinite32(value)
          : typeof value === kind;
    if (!fits) {
      const accepted =
        kind === 'numbers'
          ? 'an array of finite numbers'
          : kind === 'number'
            ? 'a finite number'
            : `a ${kind}`;
      throw new TypeError(`${className}: ${name} must be ${accepted}, got ${describe(value)}.`);
    }
  }
  return out as T;
}

/** A schedule whose arguments are a table row each; `values` holds them as given (doubles). */
abstract class TableSchedule<T extends object> extends LearningRateSchedule {
  protected readonly values: Readonly<T>;

  constructor(className: string, table: Record<string, Argument>, given: unknown) {
    super();
    this.values = Object.freeze(readArguments<T>(className, table, given));
  }

  override getConfig(): ScheduleConfig {
    return Object.fromEntries(
      Object.entries(this.values).map(([name, value]) => [
        snakeCase(name),
        Array.isArray(value) ? [...value] : value,
      ]),
    );
  }

  /** What evaluates it. @throws TypeError for what is no step */
  protected moduleAt(step: unknown) {
    if (typeof step !== 'number' || Number.isNaN(step))
      throw new TypeError(`${this.constructor.name}.at takes a number of steps, got ${describe(step)}.`);
    return core('Evaluating a schedule').module;
  }
}

function checkSteps(className: string, name: string, steps: number): void {
  if (steps <= 0) throw new RangeError(`${className}: ${name} must be > 0, got ${steps}.`);
}

const required: Argument = { kind: 'number' };
const flag: Argument = { kind: 'boolean', default: false };
const named = (name: string): Argument => ({ kind: 'string', default: name, nullable: true });

/** Arguments of a constructor: all in camelCase, or all in Keras' snake_case. */
type Given<T, Required extends keyof T> =
  | (Partial<T> & Pick<T, Required>)
  | InSnakeCase<Partial<T> & Pick<T, Required>>;

interface DecayArguments {
  /** The rate to begin with. */
  initialLearningRate: number;
  /** Calls in which the rate falls once by `decayRate`; above 0. */
  decaySteps: number;
  /** See the formula. */
  decayRate: number;
  /** Fall in steps: only whole multiples of `decaySteps` count. Default false. */
  staircase: boolean;
  /** For the config alone. Default: the name of the class. */
  name: string | null;
}
type DecayRequired = 'initialLearningRate' | 'decaySteps' | 'decayRate';

const decayTable = (name: string) => ({
  initialLearningRate: required,
  decaySteps: required,
  decayRate: required,
  staircase: flag,
  name: named(name),
});

/** `initial * rate ^ (step / decaySteps)`, the quotient floored if `staircase`. keras.optimizers.schedules.ExponentialDecay */
export class ExponentialDecay extends TableSchedule<DecayArguments> {
  static override readonly name: string = 'ExponentialDecay';
  /** @throws TypeError for unknown, doubled, missing or wrong arguments; RangeError for a bad value */
  constructor(config: Given<DecayArguments, DecayRequired>) {
    super('ExponentialDecay', decayTable('ExponentialDecay'), config);
    checkSteps('ExponentialDecay', 'decaySteps', this.values.decaySteps);
  }
  at(step: number): number {
    const v = this.values;
    return this.moduleAt(step).exponentialDecay(
      v.initialLearningRate,
      step,
      v.decaySteps,
      v.decayRate,
      v.staircase,
    );
  }
}

/** `initial / (1 + rate * step / decaySteps)`, the quotient floored if `staircase`. keras.optimizers.schedules.InverseTimeDecay */
export class InverseTimeDecay extends TableSchedule<DecayArguments> {
  static override readonly name: string = 'InverseTimeDecay';
  /** @throws TypeError for unknown, doubled, missing or wrong arguments; RangeError for a bad value */
  constructor(config: Given<DecayArguments, DecayRequired>) {
    super('InverseTimeDecay', decayTable('InverseTimeDecay'), config);
    checkSteps('InverseTimeDecay', 'decaySteps', this.values.decaySteps);
  }
  at(step: number): number {
    const v = this.values;
    return this.moduleAt(step).inverseTimeDecay(
      v.initialLearningRate,
      step,
      v.decaySteps,
      v.decayRate,
      v.staircase,
    );
  }
}

interface PiecewiseArguments {
  /** The last call of each rate but the last, ascending. */
  boundaries: number[];
  /** The rates: one more than boundaries. */
  values: number[];
  /** For the config alone. Default 'PiecewiseConstant'. */
  name: string | null;
}

/** `values[k]` for the first k with `step <= boundaries[k]`, else the last. keras.optimizers.schedules.PiecewiseConstantDecay */
export class PiecewiseConstantDecay extends TableSchedule<PiecewiseArguments> {
  static override readonly name: string = 'PiecewiseConstantDecay';
  /** @throws TypeError for unknown, doubled, missing or wrong arguments; RangeError for a bad value */
  constructor(config: Given<PiecewiseArguments, 'boundaries' | 'values'>) {
    super(
      'PiecewiseConstantDecay',
      { boundaries: { kind: 'numbers' }, values: { kind: 'numbers' }, name: named('PiecewiseConstant') },
      config,
    );
    const { boundaries, values } = this.values;
    if (boundaries.length === 0 || boundaries.length !== values.length - 1)
      throw new RangeError(
        `PiecewiseConstantDecay: values must be one more than boundaries, of which at least one is needed; ` +
          `got ${boundaries.length} boundaries and ${values.length} values.`,
      );
    if (boundaries.some((b, k) => k > 0 && b < boundaries[k - 1]))
      throw new RangeError(`PiecewiseConstantDecay: boundaries must ascend, got [${boundaries}].`);
  }
  at(step: number): number {
    const { boundaries, values } = this.values;
    this.moduleAt(step);
    const k = boundaries.findIndex((b) => step <= Math.trunc(b)); // Keras casts boundaries to the step's integer type
    return Math.fround(k < 0 ? values[values.length - 1] : values[k]);
  }
}

interface PolynomialArguments {
  /** The rate to begin with. */
  initialLearningRate: number;
  /** Calls until the rate is `endLearningRate`; above 0. */
  decaySteps: number;
  /** The rate to end with. Default 0.0001. */
  endLearningRate: number;
  /** Of the polynomial; 1 is a straight line. Default 1. */
  power: number;
  /** Begin again, with twice, three times … `decaySteps`, instead of staying at the end. Default false. */
  cycle: boolean;
  /** For the config alone. Default: the name of the class. */
  name: string | null;
}

/** `(initial - end) * (1 - step / decaySteps) ^ power + end`, restarting at a longer decay if `cycle`. keras.optimizers.schedules.PolynomialDecay */
export class PolynomialDecay extends TableSchedule<PolynomialArguments> {
  static override readonly name: string = 'PolynomialDecay';
  /** @throws TypeError for unknown, doubled, missing or wrong arguments; RangeError for a bad value */
  constructor(config: Given<PolynomialArguments, 'initialLearningRate' | 'decaySteps'>) {
    super(
      'PolynomialDecay',
      {
        initialLearningRate: required,
        decaySteps: required,
        endLearningRate: { kind: 'number', default: 0.0001 },
        power: { kind: 'number', default: 1 },
        cycle: flag,
        name: named('PolynomialDecay'),
      },
      config,
    );
    checkSteps('PolynomialDecay', 'decaySteps', this.values.decaySteps);
  }
  at(step: number): number {
    const v = this.values;
    return this.moduleAt(step).polynomialDecay(
      v.initialLearningRate,
      step,
      v.decaySteps,
      v.endLearningRate,
      v.power,
      v.cycle,
    );
  }
}

interface CosineArguments {
  /** The rate to begin with. */
  initialLearningRate: number;
  /** Calls that the fall takes, after the warm-up; above 0. */
  decaySteps: number;
  /** The rate to end with, as a share of the one to fall from. Default 0. */
  alpha: number;
  /** For the config alone. Default: the name of the class. */
  name: string | null;
  /** The rate at the end of the warm-up; null: there is none. Default null. */
  warmupTarget: number | null;
  /** Calls of the warm-up. Default 0. */
  warmupSteps: number;
}

/** Half a cosine from the initial rate (or `warmupTarget`, after a linear warm-up) to `alpha` times it. keras.optimizers.schedules.CosineDecay */
export class CosineDecay extends TableSchedule<CosineArguments> {
  static override readonly name: string = 'CosineDecay';
  /** @throws TypeError for unknown, doubled, missing or wrong arguments; RangeError for a bad value */
  constructor(config: Given<CosineArguments, 'initialLearningRate' | 'decaySteps'>) {
    super(
      'CosineDecay',
      {
        initialLearningRate: required,
        decaySteps: required,
        alpha: { kind: 'number', default: 0 },
        name: named('CosineDecay'),
        warmupTarget: { kind: 'number', default: null, nullable: true },
        warmupSteps: { kind: 'number', default: 0 },
      },
      config,
    );
    checkSteps('CosineDecay', 'decaySteps', this.values.decaySteps);
  }
  at(step: number): number {
    const v = this.values;
    return v.warmupTarget === null
      ? this.moduleAt(step).cosineDecay(v.initialLearningRate, step, v.decaySteps, v.alpha)
      : this.moduleAt(step).cosineDecayWarmup(
          v.initialLearningRate,
          step,
          v.decaySteps,
          v.alpha,
          v.warmupTarget,
          v.warmupSteps,
        );
  }
}

interface RestartsArguments {
  /** The rate to begin with. */
  initialLearningRate: number;
  /** Calls until the first restart. */
  firstDecaySteps: number;
  /** Each period is so many times as long as the one before. Default 2. */
  tMul: number;
  /** Each period is so many times as high, above the least rate, as the one before. Default 1. */
  mMul: number;
  /** The least rate, at the end of each period, as a share of the initial one. Default 0. */
  alpha: number;
  /** For the config alone. Default 'SGDRDecay'. */
  name: string | null;
}

/** Cosine decay with warm restarts (Loshchilov & Hutter 2017). keras.optimizers.schedules.CosineDecayRestarts */
export class CosineDecayRestarts extends TableSchedule<RestartsArguments> {
  static override readonly name: string = 'CosineDecayRestarts';
  /** @throws TypeError for unknown, doubled, missing or wrong arguments; RangeError for a bad value */
  constructor(config: Given<RestartsArguments, 'initialLearningRate' | 'firstDecaySteps'>) {
    super(
      'CosineDecayRestarts',
      {
        initialLearningRate: required,
        firstDecaySteps: required,
        tMul: { kind: 'number', default: 2 },
        mMul: { kind: 'number', default: 1 },
        alpha: { kind: 'number', default: 0 },
        name: named('SGDRDecay'),
      },
      config,
    );
    checkSteps('CosineDecayRestarts', 'firstDecaySteps', this.values.firstDecaySteps);
  }
  at(step: number): number {
    const v = this.values;
    return this.moduleAt(step).cosineDecayRestarts(
      v.initialLearningRate,
      step,
      v.firstDecaySteps,
      v.tMul,
      v.mMul,
      v.alpha,
    );
  }
}
