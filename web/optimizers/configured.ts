// The configured part of an optimizer: its options as live properties, its learning rate and name, and Keras'
// config in and out. What the options do is optimizer.ts.

import { awaited, describe, isRecord, markOurs } from '../basics/errors.js';
import type { EngineOptimizer } from '../engine/engine.js';
import { type LearningRate, type Rate, rateFrom, serializeSchedule } from '../schedules/rate.js';
import { checkTogether, type OptionTable, readOptions, snakeCase, text } from './options.js';
import { refuseUnknownProperties } from './unknown.js';

export type Options = Record<string, unknown>;

/** What a subclass is: its names, its table of options, and the update rule these choose (cpp/kernels/table.h). */
export interface Kind {
  readonly className: string;
  readonly defaultName: string;
  readonly options: OptionTable;
  rule(options: Readonly<Options>): string;
  /** Options that exclude each other. Default: the clips, as in Keras 3. */
  check?(options: Readonly<Options>): void;
  /** Hyperparameters of the rule that are not the option of their name, in Keras' spelling. */
  hypers?(options: Readonly<Options>): Readonly<Record<string, number>>;
  /** Engine options beyond the common ones. */
  configure?(native: EngineOptimizer, options: Readonly<Options>): void;
}

/** Whether it is of a class of ours, and of no subclass of it. */
export let isBuiltIn: (optimizer: Configured) => boolean;

export abstract class Configured {
  static {
    markOurs(Configured);
    isBuiltIn = ({ kind, constructor: type }) =>
      Object.hasOwn(type, 'className') && (type as typeof Configured).className === kind.className;
    refuseUnknownProperties(Configured.prototype, (instance) => isBuiltIn(instance as Configured));
  }
  /** The `class_name` of Keras' configs. */
  static readonly className: string = 'Optimizer';

  /** Decoupled weight decay, or null. */
  declare weightDecay: number | null;
  declare clipnorm: number | null;
  /** Gradients count negated. */
  declare maximize: boolean;
  declare clipvalue: number | null;
  declare globalClipnorm: number | null;
  declare useEma: boolean;
  declare emaMomentum: number;
  declare emaOverwriteFrequency: number | null;
  declare lossScaleFactor: number | null;
  declare gradientAccumulationSteps: number | null;

  protected readonly kind: Kind;
  protected options: Readonly<Options>;
  protected rate: Rate;
  /** The engine does not have the options yet, or not the learning rate. */
  protected stale = true;
  readonly #name: string;

  constructor(config: object, kind: Kind) {
    this.kind = kind;
    this.options = readOptions(kind.className, kind.options, config);
    this.#checkTogether(this.options);
    this.rate = rateFrom(`${kind.className}: learningRate`, this.options.learningRate);
    this.#name = text(`${kind.className}: name`, this.options.name ?? kind.defaultName);
    defineOptions(new.target.prototype, kind.options);
  }

  get name(): string {
    return this.#name;
  }

  /** Calls of `apply` so far, also those that only accumulated. */
  abstract get rawIterations(): number;

  /** The learning rate of the next call, as float32; a schedule or function is evaluated. */
  get learningRate(): number {
    return this.rate.at(this.rawIterations);
  }

  /**
   * A number replaces a number; a schedule or function replaces anything. As in Keras there is no way back from
   * these to a number. @throws TypeError, RangeError
   */
  set learningRate(value: LearningRate) {
    this.idle('learningRate');
    const { className } = this.kind;
    const rate = rateFrom(`${className}: learningRate`, value);
    if (rate.isNumber && !this.rate.isNumber)
      throw new TypeError(
        `${className}: learningRate is a ${this.rate.schedule ? 'schedule' : 'function'} and not settable to a number; ` +
          'set another schedule or function, or make the optimizer with a number.',
      );
    this.rate = rate;
    this.stale = true;
  }

  /** Keras' config, as JSON: options in snake_case, the learning rate as float32 or as serialized schedule. */
  getConfig(): Record<string, unknown> {
    const config: Record<string, unknown> = { name: this.name, learning_rate: this.#rateConfig() };
    for (const [name, option] of Object.entries(this.kind.options)) {
      const value = this.options[name];
      if (option.config === 'always' || (option.config === 'changed' && value !== option.default))
        config[snakeCase(name)] = value;
    }
    return config;
  }

  /** From Keras' JSON or from our own `getConfig`. `customObjects`: your own schedule classes, by name. */
  static fromConfig<T>(
    this: new (
      config: never,
    ) => T,
    config: Record<string, unknown>,
    customObjects: Record<string, unknown> = {},
  ): T {
    if (!isRecord(config))
      throw new TypeError(`fromConfig takes a config object, got ${describe(config)}.${awaited(config)}`);
    const key = 'learning_rate' in config ? 'learning_rate' : 'learningRate';
    const rate = config[key];
    if (typeof rate !== 'object' || rate === null) return new this(config as never);
    const { schedule } = rateFrom(`fromConfig: ${key}`, rate, customObjects);
    return new this({ ...config, [key]: schedule } as never);
  }

  /** @throws Error after dispose */
  protected abstract alive(): void;
  /** @throws Error after dispose, and while a call has not settled */
  protected abstract idle(what: string): void;

  #rateConfig(): unknown {
    if (this.rate.schedule) return serializeSchedule(this.rate.schedule);
    if (this.rate.isNumber) return this.rate.at(0);
    throw new Error(
      `${this.kind.className}: a function as learning rate cannot be saved in a config; extend LearningRateSchedule instead.`,
    );
  }

  #checkTogether(options: Readonly<Options>): void {
    if (this.kind.check) this.kind.check(options);
    else checkTogether(this.kind.className, options);
  }

  /** May refuse a change of an option. */
  protected checkChange(_name: string, _next: Readonly<Options>): void {}

  // The live properties made by `defineOptions` come here.
  protected readOption(name: string): unknown {
    return this.options[name];
  }

  protected writeOption(name: string, value: unknown): void {
    this.idle(name);
    const { className, options } = this.kind;
    const checked = options[name].check(`${className}: ${name}`, value ?? options[name].default);
    const next = { ...this.options, [name]: checked };
    this.#checkTogether(next);
    this.checkChange(name, next);
    this.options = next;
    this.stale = true;
  }
}

/** Every option of the table as a live property, in Keras' spelling as well; learningRate and name have accessors. */
function defineOptions(prototype: object, table: OptionTable): void {
  for (const name of Object.keys(table)) {
    if (!(name in prototype))
      Object.defineProperty(prototype, name, {
        get(this: { readOption(name: string): unknown }) {
          return this.readOption(name);
        },
        set(this: { writeOption(name: string, value: unknown): void }, value: unknown) {
          this.writeOption(name, value);
        },
      });
    const keras = snakeCase(name);
    if (!(keras in prototype))
      Object.defineProperty(prototype, keras, {
        get(this: Record<string, unknown>) {
          return this[name];
        },
        set(this: Record<string, unknown>, value: unknown) {
          this[name] = value;
        },
      });
  }
}
