// Optimizer: the public face of all optimizers, as keras.optimizers.Optimizer is. What its methods do is in the parts
// that it holds: the options in configuration.ts, what was built in build.ts, the state in state/, a call in run.ts.
// The subclasses choose the update rule and add their options; the arithmetic is the engine's.
/// <reference lib="esnext.disposable" preserve="true" />

import { describe, markOurs } from '../basics/errors.js';
import { snakeCase } from '../basics/spelling.js';
import { core } from '../engine/core.js';
import type { LearningRate } from '../schedules/rate.js';
import type { OptimizerVariable } from '../state/entries.js';
import { type AddVariableOptions, type Numbers, optionsLike, State } from '../state/state.js';
import { assignEach } from '../step/assign.js';
import type { Accelerator } from '../step/elsewhere.js';
import type { StateDtype } from '../step/narrow.js';
import type { Parameter } from '../step/parameters.js';
import type { DeviceBuffer, DeviceRange } from '../step/remote.js';
import type { GradientLike, HostGradient, Target } from '../step/target.js';
import type { Variable } from '../step/variable.js';
import { applyFromLoss, applyPairs, applyToValues, OwnGradients } from './apply-forms.js';
import { Build } from './build.js';
import { Configuration, type Kind, readConfig } from './configuration.js';
import type { Excluded } from './exclusion.js';
import type { VariableGroup } from './groups.js';
import { Lifetime } from './lifetime.js';
import type { MonitorOption } from './monitor.js';
import type { OptionTable } from './options.js';
import { type Building, isBuiltIn, keepParts, partsOf, type Running, type Wrapping } from './parts.js';
import { type OffloadOptions, offload, onload, readEntries } from './placement.js';
import { type Account, type Report, reportOf } from './report.js';
import { Run } from './run.js';
import type { StateDtypeOptions } from './state-dtype.js';
import { refuseUnknownProperties } from './unknown.js';

/**
 * What all optimizers have in common, as keras.optimizers.Optimizer. Every option is a live property, in
 * camelCase and in Keras' spelling: what is set counts from the next step on, and is checked as in the
 * constructor; `undefined` is the default there and here, but for `learningRate`, to which it cannot be set. An
 * option that decides what building makes is fixed once built; setting it to another value then throws an Error.
 */
export abstract class Optimizer {
  static {
    markOurs(this);
    refuseUnknownProperties(this.prototype, isBuiltIn);
  }
  /** The class' name, also where its code was minified. */
  static readonly name: string = 'Optimizer';
  /** The `class_name` of Keras' configs. */
  static readonly className: string = 'Optimizer';
  /** Whether `decay` is an option of the class, as in optimizer_v2, and not only of old configs. */
  static readonly hasDecay: boolean = false;

  /** Decoupled weight decay, or null. */
  declare weightDecay: number | null;
  /** Every gradient is scaled to an L2 norm of at most this; null: not at all. */
  declare clipnorm: number | null;
  /** Every gradient element is clamped to [-clipvalue, clipvalue]; null: not at all. */
  declare clipvalue: number | null;
  /** All gradients together are scaled to an L2 norm of at most this; null: not at all. */
  declare globalClipnorm: number | null;
  /** Whether an exponential moving average of the weights is kept; fixed once built. */
  declare useEma: boolean;
  /** Its momentum, in [0, 1]. */
  declare emaMomentum: number;
  /** Every so many updates the weights are overwritten by their average; null: never. */
  declare emaOverwriteFrequency: number | null;
  /**
   * An update once every so many calls, with the mean of their gradients; null: every call. Whether there is
   * one is fixed once built.
   */
  declare gradientAccumulationSteps: number | null;
  /** In how many bits the state is kept; fixed once built. */
  declare stateDtype: StateDtype | StateDtypeOptions;
  /** Which updates are told of in `report`: all with `true`, every so many with `{ every, perVariable }`. */
  declare monitor: MonitorOption;
  /** A step with a gradient that is not finite changes nothing but `skippedSteps`. */
  declare skipNonFinite: boolean;
  /** Variables with a rate or weight decay of their own, or without one; fixed once built. */
  declare groups: readonly VariableGroup[] | null;
  /** Same as `dispose()`. */
  declare [Symbol.dispose]: () => void;

  readonly #options: Configuration;
  readonly #build: Building;
  readonly #lifetime: Lifetime;
  readonly #state: State;
  readonly #run: Running;
  readonly #gradients = new OwnGradients();

  /**
   * @internal @param wrapping for one that wraps others, and has no variables of its own
   * @throws TypeError, RangeError for unknown, doubled or wrong options; Error before `init()`
   */
  constructor(config: object, kindOf: () => Kind, wrapping?: Wrapping) {
    if (typeof kindOf !== 'function')
      throw new TypeError(
        'Optimizer is the base class of Adam, AdamW, Adamax, … and has no rule of its own.',
      );
    const kind = known(kindOf);
    const found = core(`new ${kind.className}()`);
    const options = new Configuration(kind, config);
    const { name } = options;
    const own = new Build(found, options);
    const build = wrapping?.build?.(options) ?? own;
    const holder = wrapping?.holder ?? build;
    const lifetime = new Lifetime(name, holder);
    const state = new State(name, lifetime, holder);
    const run =
      wrapping?.run?.(options, build, lifetime, this) ?? new Run(options, own, lifetime, state, this);
    this.#options = options;
    this.#build = build;
    this.#lifetime = lifetime;
    this.#state = state;
    this.#run = run;
    keepParts(this, { options, build, lifetime, state, run, wraps: Boolean(wrapping) });
    defineOptions(new.target.prototype, kind.options);
  }

  // Options

  /** Prefix of the state's paths; fixed. */
  get name(): string {
    return this.#options.name;
  }

  /** The learning rate of the next call, as float32; a schedule or function is evaluated. */
  get learningRate(): number {
    return this.#options.rate.at(this.rawIterations);
  }

  /**
   * A number replaces a number; a schedule or function replaces anything. As in Keras there is no way back from
   * these to a number. @throws TypeError, RangeError
   */
  set learningRate(value: LearningRate) {
    this.#lifetime.idle('learningRate');
    this.#options.writeRate(value);
  }

  /** What gradients are divided by, and `scaleLoss` multiplies with; null is 1. */
  get lossScaleFactor(): number | null {
    return this.#options.values.lossScaleFactor;
  }
  set lossScaleFactor(value: number | null) {
    this.#lifetime.idle('lossScaleFactor');
    this.#options.write('lossScaleFactor', value);
  }

  /** Keras' config, as JSON: options in snake_case, the learning rate as float32 or as serialized schedule. */
  getConfig(): Record<string, unknown> {
    return this.#options.toConfig();
  }

  /** From Keras' JSON or from our own `getConfig`. `customObjects`: your own schedule classes, by name. */
  static fromConfig<T>(
    this: new (
      config: never,
    ) => T,
    config: Record<string, unknown>,
    customObjects: Record<string, unknown> = {},
  ): T {
    const { className, hasDecay } = this as unknown as typeof Optimizer;
    return new this(readConfig(className, config, customObjects, hasDecay) as never);
  }

  /**
   * Variables that weight decay leaves alone: these, and those whose `name` one of the regular expressions is
   * found in. Replaces earlier calls. @throws Error after build; TypeError, RangeError
   */
  excludeFromWeightDecay(which: Excluded = {}): void {
    this.#lifetime.alive();
    this.#build.exclude(which);
  }

  // Lifetime

  /** Whether the state exists: after `build`, or the first `apply` with variables. */
  get built(): boolean {
    return this.#lifetime.executor !== null;
  }

  /**
   * Updates so far: calls divided by the accumulation steps, rounded down. Settable, as by those who start anew: for all
   * variables, also where each counts by itself (`compat: 'torch'`).
   */
  get iterations(): number {
    return Math.floor(this.rawIterations / (this.gradientAccumulationSteps || 1));
  }
  /** @throws TypeError, RangeError for what is no whole number from 0 on */
  set iterations(count: number) {
    this.#lifetime.idle('iterations');
    const steps = this.gradientAccumulationSteps || 1;
    const most = Math.floor((2 ** 31 - 1) / steps);
    if (typeof count !== 'number')
      throw new TypeError(`iterations must be a whole number from 0 on, got ${describe(count)}.`);
    if (!Number.isInteger(count) || count < 0 || count > most)
      throw new RangeError(`iterations must be a whole number from 0 to ${most}, got ${count}.`);
    this.#build.iterations = count * steps;
  }

  /** Calls of `apply` so far, also those that only accumulated. */
  get rawIterations(): number {
    return this.#lifetime.iterations;
  }

  /**
   * Makes the state (slots, averages, accumulators) for these variables, zeroed. A second call with the same ones does
   * nothing. @throws TypeError, RangeError, Error for what is no variable, disposed, doubled, overlapping or of equal path,
   *   or if there is no memory; then nothing was made. Error if it was built with others
   */
  build(variables: readonly Parameter[]): void;
  /** @internal With what MultiOptimizer has made of them. */
  build(variables: readonly Parameter[], given: readonly Target[]): void;
  build(variables: readonly Parameter[], given?: readonly Target[]): void {
    this.#lifetime.alive();
    this.#build.make(variables, given);
  }

  /**
   * Frees the state; never the variables. What has begun and not settled is finished first, and then freed.
   * Idempotent; every other use afterwards throws.
   */
  dispose(): void {
    if (!this.#lifetime.end()) return;
    this.#state.dispose();
    this.#build.executor?.pending.afterwards(() => this.#build.undo());
  }

  // Steps

  /**
   * One step, in place: `grads[i]` belongs to `variables[i]`, or to the i-th built variable. On a GPU it is
   * enqueued. Returns nothing, or a Promise where a decision of the CPU needs numbers from the GPU: loss scaling
   * with gradients there, globalClipnorm with variables in both places. Until it settles a second call throws.
   * The arrays of the last call cost least to check; a list of them that is frozen is not even looked through.
   * @throws TypeError, RangeError, Error; then nothing has changed.
   */
  apply(grads: readonly GradientLike[], variables?: readonly Parameter[]): void | Promise<void> {
    return this.#run.apply(grads, variables);
  }

  /** As `apply`, in pairs. Returns the number of calls so far, `rawIterations`; a Promise of it where `apply` returns one. */
  applyGradients(pairs: Iterable<readonly [HostGradient, Parameter]>): number;
  applyGradients(pairs: Iterable<readonly [GradientLike, Parameter]>): number | Promise<number>;
  applyGradients(pairs: Iterable<readonly [GradientLike, Parameter]>): number | Promise<number> {
    this.#lifetime.idle('applyGradients');
    return applyPairs(this, pairs);
  }

  /** `apply` with the variables' own `gradient` buffers; one that was never touched counts as null. */
  step(): void | Promise<void> {
    return this.apply(this.#gradients.list(this.#lifetime.require()));
  }

  /**
   * Calls `lossAndGrads`, applies the gradients and returns the loss.
   * @param lossAndGrads returns `{ loss, grads }`, the gradients in the order of `variables`.
   */
  minimize(
    lossAndGrads: () => { loss: number; grads: readonly HostGradient[] },
    variables?: readonly Parameter[],
  ): number;
  minimize(
    lossAndGrads: () => { loss: number; grads: readonly GradientLike[] },
    variables?: readonly Parameter[],
  ): number | Promise<number>;
  minimize(
    lossAndGrads: () => { loss: number; grads: readonly GradientLike[] },
    variables?: readonly Parameter[],
  ): number | Promise<number> {
    this.#lifetime.alive();
    return applyFromLoss(this, lossAndGrads, variables);
  }

  /**
   * As `apply`, with what it does on a GPU recorded into a GPUCommandEncoder of yours, to be submitted by you, in
   * order and once. The counters advance now; what lives in the engine is stepped now.
   * @throws as apply, and Error where apply would return a Promise
   */
  record(encoder: object, grads: readonly GradientLike[], variables?: readonly Parameter[]): void {
    this.#run.record(encoder, grads, variables);
  }

  /** `loss` times `lossScaleFactor`, if that is set. */
  scaleLoss(loss: number): number {
    return loss * (this.lossScaleFactor ?? 1);
  }

  /**
   * What the last monitored update was like; null while there was none. It is made when it is asked for.
   * @throws Error once disposed, and where a variable that was updated lives on a GPU: `readReport` waits for it
   */
  get report(): Report | null {
    this.#lifetime.alive();
    return this.#report(this.#run.account());
  }

  /** `report`, from wherever the variables live. */
  async readReport(): Promise<Report | null> {
    this.#lifetime.alive();
    return this.#report(await this.#run.readAccount());
  }

  #report(account: Account | null): Report | null {
    const { monitor } = this.#options.values;
    return account && reportOf(this.#build.core, account, monitor?.perVariable ?? false);
  }

  /** Calls that changed nothing because of a gradient that was not finite, with `skipNonFinite`. */
  get skippedSteps(): number {
    return this.#run.skipped;
  }

  /** The update rule alone on one built variable, for update `iterations + 1`: no clip, decay, average or counter. */
  updateStep(
    gradient: Float32Array | DeviceBuffer | DeviceRange,
    variable: Parameter,
    learningRate: number,
  ): void {
    this.#run.updateOnly(gradient, variable, learningRate);
  }

  /** With `useEma`: every variable becomes its average. Otherwise nothing. @throws Error, RangeError */
  finalizeVariableValues(variables: readonly Parameter[]): void {
    this.#run.finalize(variables);
  }

  /**
   * `apply` on values instead of stored ones: returns the new ones and leaves this optimizer and its variables
   * as they are. The lists are in the order of `variables` and of `build`.
   */
  statelessApply(
    optimizerVariables: readonly (number | Numbers)[],
    grads: readonly GradientLike[],
    trainableVariables: readonly Numbers[],
  ): [trainable: Float32Array[], optimizerVariables: (number | Float32Array)[]] {
    const executor = this.#lifetime.ready('statelessApply');
    const { skipped } = this.#run;
    try {
      return applyToValues(this, executor, this.#state, optimizerVariables, grads, trainableVariables);
    } finally {
      this.#run.skipped = skipped;
    }
  }

  // State

  /** State in Keras' order: iteration, learning_rate (if a number), averages, accumulators, slots, then your own. */
  get variables(): OptimizerVariable[] {
    return this.#state.variables;
  }

  /** Copies of the values of `variables`. */
  getWeights(): (number | Float32Array)[] {
    return this.#state.weights;
  }

  /** All of `variables` at once. @throws Error if not built; TypeError, RangeError at the first mismatch: nothing was set. */
  setWeights(weights: readonly (number | Numbers)[]): void {
    this.#state.assign('setWeights', weights);
  }

  /** Keras' layout: keys "0", "1", … in the order of `variables`. */
  saveOwnVariables(store: Record<string, unknown>): void {
    if (typeof store !== 'object' || store === null)
      throw new TypeError(`saveOwnVariables takes an object to write to, got ${describe(store)}.`);
    Object.assign(store, this.getWeights());
  }

  /** @throws as setWeights, also where Keras only warns (another number of values). */
  loadOwnVariables(store: Record<string, number | Numbers>): void {
    if (typeof store !== 'object' || store === null)
      throw new TypeError(`loadOwnVariables takes an object of values by number, got ${describe(store)}.`);
    const values = Object.keys(store).map((_, k) => store[k]);
    this.#state.assign('loadOwnVariables', values);
  }

  /** The whole state as safetensors; after `loadState` the next step has the same bits. */
  serializeState(): Uint8Array {
    return this.#state.serialize();
  }

  /** `serializeState`, from wherever the state lives. */
  async readState(): Promise<Uint8Array> {
    return readEntries(this.#lifetime.ready('readState'), this.#state);
  }

  /** @throws Error if not built; TypeError, RangeError that names the first mismatch: nothing was changed. */
  loadState(bytes: Uint8Array | ArrayBuffer): void {
    this.#state.load(bytes);
  }

  /** A state variable of your own, tracked and saved with the others; `dispose` frees it with them. */
  addVariable(options: AddVariableOptions): Variable {
    return this.#state.add(options);
  }

  /** A state variable shaped as another variable and named after it. */
  addVariableFromReference(
    variable: Parameter,
    options: {
      /** Its last part. Default 'var'. */
      name?: string | undefined;
      /** What its elements start as. Default 'zeros'. */
      initializer?: 'zeros' | 'ones' | undefined;
    } = {},
  ): Variable {
    return this.addVariable(optionsLike(variable, options));
  }

  /** `variable = value`, element by element. @throws TypeError, RangeError */
  assign(variable: Parameter, value: Numbers | number): void {
    this.#assign('assign', variable, value, (_, x) => x);
  }

  /** `variable += value`. */
  assignAdd(variable: Parameter, value: Numbers | number): void {
    this.#assign('assignAdd', variable, value, (v, x) => v + x);
  }

  /** `variable -= value`. */
  assignSub(variable: Parameter, value: Numbers | number): void {
    this.#assign('assignSub', variable, value, (v, x) => v - x);
  }

  #assign(...[what, ...rest]: Parameters<typeof assignEach>): void {
    this.#lifetime.alive();
    assignEach(what, ...rest);
  }

  // Placement

  /**
   * Moves the built Variables of `minSize` elements or more, with their state, to a GPU; plain arrays stay.
   * @param gpu what `initWebGPU` gave
   * @throws TypeError, RangeError, Error; then nothing has moved
   */
  async offload(gpu: Accelerator, options: OffloadOptions = {}): Promise<void> {
    return offload(this.#lifetime.ready('offload'), gpu, options);
  }

  /**
   * Brings everything back from the GPU, bit for bit. @throws RangeError if there is no memory: nothing has moved;
   * Error if the device was lost: says what is and what is not there, and everything is in the engine again
   */
  async onload(): Promise<void> {
    return onload(this.#lifetime.ready('onload'));
  }
}

if (Symbol.dispose)
  Object.defineProperty(Optimizer.prototype, Symbol.dispose, {
    value: Optimizer.prototype.dispose,
    writable: true,
  });

/** Made with the first optimizer of a class: what is called when a file is loaded, bundlers do not leave out. */
function known(kindOf: () => Kind): Kind {
  const kind = kinds.get(kindOf) ?? kindOf();
  kinds.set(kindOf, kind);
  return kind;
}
const kinds = new Map<() => Kind, Kind>();

/** Every option of the table as a live property, in Keras' spelling as well; those that there are already are left alone. */
function defineOptions(prototype: object, table: OptionTable): void {
  for (const name of Object.keys(table)) {
    const keras = snakeCase(name);
    if (!(name in prototype))
      Object.defineProperty(prototype, name, {
        get(this: Optimizer) {
          return partsOf(this).options.values[name];
        },
        set(this: Optimizer, value: unknown) {
          const { lifetime, options } = partsOf(this);
          lifetime.idle(name);
          options.write(name, value);
        },
      });
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
