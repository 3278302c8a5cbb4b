// What an optimizer was told: the values of its options, its name and its learning rate, checked at every change, and
// Keras' config in and out. It knows no variables and no state; what the options do is the engine's.

import { awaited, describe, isRecord } from '../basics/errors.js';
import { camelCase, snakeCase } from '../basics/spelling.js';
import type { EngineOptimizer } from '../engine/core.js';
import { dialects, ruleFacts } from '../engine/facts.js';
import { type LearningRate, type Rate, rateFrom, serializeSchedule } from '../schedules/rate.js';
import type { StepOptions, Target } from '../step/target.js';
import { groupedRates, groupsConfig, type RateGroups, type VariableGroup } from './groups.js';
import type { Monitor } from './monitor.js';
import { modernConfig } from './older-configs.js';
import { baseOptions, checkTogether, innerOptions, type OptionTable, readOptions, text } from './options.js';
import { checkStateDtype, dtypeOf, float32State, type StoredState, stateDtypeConfig } from './state-dtype.js';

export type Options = Record<string, unknown>;

/** The options of one optimizer: all of them have the first few. */
export type Values = Readonly<
  Options &
    StepOptions & {
      useEma: boolean;
      lossScaleFactor: number | null;
      maximize: boolean;
      gradientAccumulationSteps: number | null;
      groups: readonly VariableGroup[] | null;
      stateDtype: StoredState;
      monitor: Monitor | null;
      skipNonFinite: boolean;
    }
>;

/** What a subclass is: its names, its table of options, and the update rule these choose (cpp/kernels/table.h). */
export interface Kind {
  /** As Keras writes it in configs. */
  readonly className: string;
  /** The prefix of the state where no `name` is given. */
  readonly defaultName: string;
  /** All options that the constructor knows. */
  readonly options: OptionTable;
  /** The update rule, by its name in the engine. */
  rule(options: Readonly<Options>): string;
  /** Options that exclude each other. Default: the clips, as in Keras 3. */
  check?(options: Readonly<Options>): void;
  /** Hyperparameters of the rule that are not the option of their name, in Keras' spelling. */
  hypers?(options: Readonly<Options>): Readonly<Record<string, number>>;
  /** For a rule that reads whole variables: whether one is a matrix to it. */
  isMatrix?(target: Target, options: Readonly<Options>): boolean;
  /** Engine options beyond the common ones. */
  configure?(native: EngineOptimizer, options: Readonly<Options>): void;
  /** Groups cannot have a weight decay of their own. */
  readonly hasOneDecay?: boolean;
  /** For more than one learning rate; `values` gives the options as they are now. */
  rateGroups?(values: () => Readonly<Options>): RateGroups;
}

/** Of an optimizer round others, which is never built itself: all options but `own` are those of the others. */
export const wrappingKind = (className: string, defaultName: string, own: OptionTable): Kind => ({
  className,
  defaultName,
  options: { ...innerOptions(className), name: baseOptions.name, ...own },
  rule: () => 'adam', // nobody steps by it
  check: () => {},
});

export class Configuration {
  readonly kind: Kind;
  readonly name: string;
  /** The class' own. */
  readonly ownRates: RateGroups | null;
  /** These, and those of the option `groups`. */
  rateGroups: RateGroups | null;
  values: Values;
  rate: Rate;
  /** There is state: what decides which cannot change. */
  #fixed = false;
  /** The engine does not have the values yet, or not the learning rate. */
  #stale = true;
  readonly #oneRate = [0];

  /** @throws TypeError, RangeError for unknown, doubled or wrong options */
  constructor(kind: Kind, config: object) {
    const { className, options } = kind;
    this.kind = kind;
    this.values = readOptions(className, options, config) as Values;
    this.#checkTogether(this.values);
    this.rate = rateFrom(`${className}: learningRate`, this.values.learningRate);
    this.name = text(`${className}: name`, this.values.name ?? kind.defaultName);
    this.ownRates = kind.rateGroups?.(() => this.values) ?? null;
    this.rateGroups = this.#groups();
  }

  /** The update rule that the options choose, by its name in the engine. */
  get rule(): string {
    return this.kind.rule(this.values);
  }

  /** The rule's hyperparameters, in its order, by their names there. */
  get hypers(): Map<string, number> {
    const own = this.kind.hypers?.(this.values);
    const value = (name: string) => Number(own?.[name] ?? this.values[camelCase(name)] ?? 0);
    return new Map(ruleFacts(this.rule).hypers.map((name) => [name, value(name)]));
  }

  /** How the slots of a variable are stored, if not as float32. */
  stateDtypeOf(target: Target): Target['stateDtype'] {
    return dtypeOf(this.values.stateDtype, target);
  }

  /** What a rule that reads whole variables is told of one. */
  matrixOf(target: Target): Target['matrix'] {
    const { shape } = target;
    if (!this.kind.isMatrix?.(target, this.values)) return null;
    return [shape[shape.length - 2], shape[shape.length - 1]];
  }

  /** @throws TypeError, RangeError; Error for an option that decides what building makes, once that is made */
  write(name: string, value: unknown): void {
    const { className, options } = this.kind;
    const given = value === undefined ? options[name].default : value; // null is a value, as in the constructor
    const checked = options[name].check(`${className}: ${name}`, given);
    const next = { ...this.values, [name]: checked };
    this.#checkTogether(next);
    if (this.#fixed && this.#changesBuild(next))
      throw new Error(
        `${className}: ${name} decides what building makes; set it before the optimizer is built.`,
      );
    this.values = next;
    if (name === 'groups') this.rateGroups = this.#groups();
    this.#stale = true;
  }

  /** @throws TypeError, RangeError; TypeError for a number where there was a schedule or function */
  writeRate(value: LearningRate): void {
    const { className } = this.kind;
    const rate = rateFrom(`${className}: learningRate`, value);
    if (rate.isNumber && !this.rate.isNumber)
      throw new TypeError(
        `${className}: learningRate is a ${this.rate.schedule ? 'schedule' : 'function'} and not settable to a number; ` +
          'set another schedule or function, or make the optimizer with a number.',
      );
    this.setRate(rate);
  }

  setRate(rate: Rate): void {
    this.rate = rate;
    this.#stale = true;
  }

  /** Keras' config, as JSON: options in snake_case, the learning rate as float32 or as serialized schedule. */
  toConfig(): Record<string, unknown> {
    const config: Record<string, unknown> = { name: this.name, learning_rate: this.#rateConfig() };
    for (const [name, option] of Object.entries(this.kind.options)) {
      const value = this.values[name];
      if (option.config === 'always' || (option.config === 'changed' && value !== option.default))
        config[snakeCase(name)] = Array.isArray(value) ? [...value] : value;
    }
    if (this.values.groups) config.groups = groupsConfig(this.values.groups);
    const stateDtype = this.values.stateDtype && stateDtypeConfig(this.values.stateDtype);
    if (stateDtype) config.state_dtype = stateDtype;
    return config;
  }

  /** There is state from now on, in an engine's object that knows no option yet; or there is none any more. */
  bind(isBuilt: boolean): void {
    this.#fixed = isBuilt;
    this.#stale = true;
  }

  /** Rates that stay go to the engine with the options; others are evaluated once a call. */
  get ratesStay(): boolean {
    return this.rate.isNumber && !this.rateGroups?.varies();
  }

  /** The rate of each group at this call. @throws whatever a function or schedule of the user's throws */
  ratesAt(iteration: number): readonly number[] {
    this.#oneRate[0] = this.rate.at(iteration);
    return this.rateGroups?.at(this.#oneRate[0], iteration) ?? this.#oneRate;
  }

  /** Hands over what the engine does not have yet, and the rates of this call. */
  handTo(native: EngineOptimizer, rates: readonly number[] | null): void {
    if (this.#stale) this.#configure(native);
    if (rates) tellRates(native, rates);
  }

  #configure(native: EngineOptimizer): void {
    const o = this.values as Options as Record<string, number | null> & { useEma: boolean; compat: string };
    native.clipnorm = o.clipnorm ?? 0;
    native.globalClipnorm = o.globalClipnorm ?? 0;
    native.clipvalue = o.clipvalue ?? 0;
    native.decays = o.weightDecay !== null;
    native.weightDecay = o.weightDecay ?? 0;
    for (const [k, { weightDecay }] of (this.values.groups ?? []).entries())
      native.setDecay(k + 1, weightDecay ?? Number.NaN);
    native.emaMomentum = o.emaMomentum as number;
    native.overwriteFrequency = (o.useEma && o.emaOverwriteFrequency) || 0;
    native.accumulationSteps = o.gradientAccumulationSteps ?? 0;
    native.monitor(this.values.monitor?.every ?? 0);
    let k = 0;
    for (const value of this.hypers.values()) native.setHyper(k++, value);
    native.dialect = dialects[(o.compat as 'keras' | 'torch' | 'tfjs' | undefined) ?? 'keras'];
    this.kind.configure?.(native, this.values);
    if (this.ratesStay) tellRates(native, this.ratesAt(0)); // as at any other
    this.#stale = false;
  }

  #groups(): RateGroups | null {
    const { groups } = this.values;
    return groups ? groupedRates(this.ownRates, groups) : this.ownRates;
  }

  #rateConfig(): unknown {
    if (this.rate.schedule) return serializeSchedule(this.rate.schedule);
    if (this.rate.isNumber) return this.rate.at(0);
    throw new Error(
      `${this.kind.className}: a function as learning rate cannot be saved in a config; extend LearningRateSchedule instead.`,
    );
  }

  #checkTogether(options: Readonly<Options>): void {
    const { className, hasOneDecay } = this.kind;
    const own = (options as Values).groups?.find(({ weightDecay }) => weightDecay !== undefined);
    if (own && (hasOneDecay || options.weightDecay === null))
      throw new RangeError(
        hasOneDecay
          ? `${className}: a group cannot have a weightDecay of its own here, got ${own.weightDecay}.`
          : `${className}: a group has the weightDecay ${own.weightDecay}, and the optimizer has null, no decay; give it a number, also 0.`,
      );
    if (this.kind.check) this.kind.check(options);
    else checkTogether(this.kind.className, options);
    const { stateDtype = float32State } = options as Partial<Values>;
    checkStateDtype(this.kind.className, stateDtype, () => this.kind.rule(options), options);
  }

  #changesBuild(next: Values): boolean {
    const { rule, values, kind } = this;
    return (
      kind.rule(next) !== rule ||
      Object.keys(kind.options).some(
        (name) => kind.options[name].fixed && !isSame(next[name], values[name]),
      ) ||
      Boolean(next.gradientAccumulationSteps) !== Boolean(values.gradientAccumulationSteps)
    );
  }
}

/** Of values of an option: what is data is compared as such. */
const isSame = (a: unknown, b: unknown) => a === b || JSON.stringify(a) === JSON.stringify(b);

function tellRates(native: EngineOptimizer, rates: readonly number[]): void {
  for (let k = 0; k < rates.length; k++) native.setRate(k, rates[k]);
}

/**
 * What a constructor takes, from Keras' JSON or our own: schedules are made of their configs, and what older versions
 * wrote is put as today's.
 * @param decays whether the class has the option `decay` itself
 * @throws TypeError, RangeError
 */
export function readConfig(
  className: string,
  config: Record<string, unknown>,
  customObjects: Record<string, unknown>,
  decays: boolean,
): Record<string, unknown> {
  if (!isRecord(config))
    throw new TypeError(`fromConfig takes a config object, got ${describe(config)}.${awaited(config)}`);
  const modern = modernConfig(className, config, decays);
  const key = 'learning_rate' in modern ? 'learning_rate' : 'learningRate';
  const rate = modern[key];
  if (typeof rate !== 'object' || rate === null) return modern;
  return { ...modern, [key]: rateFrom(`fromConfig: ${key}`, rate, customObjects).schedule };
}
