// Optimizer: what all optimizers share, as keras.optimizers.Optimizer does: options, building, one step, the
// counters, the learning rate, the state. The arithmetic is the engine's, and stepper.ts moves the data there;
// selection.ts validates a call; the subclasses in optimizers/ choose the update rule and add their options.
import { isUsersOwn } from './constraints.js';
import { Dialect, type Engine, type EngineOptimizer, engine } from './engine.js';
import { describe, warnOnce } from './errors.js';
import { checkTogether, type OptionTable, readOptions, snakeCase, text } from './options.js';
import { isParameter, type Parameter, pathOf, targetsFor } from './parameters.js';
import { type LearningRate, type Rate, rateFrom, serializeSchedule } from './rate.js';
import { checkAlive, checkGradient, type GradientLike, Selection } from './selection.js';
import { SparseGradient } from './sparse.js';
import {
  assignAll,
  OptimizerVariable,
  type StateEntry,
  scalarEntry,
  slotEntries,
  userEntry,
} from './state/entries.js';
import { readState, writeState } from './state/safetensors.js';
import { type StepOptions, Stepper, type Target } from './stepper.js';
import { gradientAddressOf, Variable } from './variable.js';

type Numbers = ArrayLike<number>;
type Options = Record<string, unknown>;

/** What a subclass is: its names, its table of options, and the update rule these choose (cpp/kernels/table.h). */
export interface Kind {
  readonly className: string;
  readonly defaultName: string;
  readonly options: OptionTable;
  rule(options: Readonly<Options>): string;
  /** Options that exclude each other. Default: the clips, as in Keras 3. */
  check?(options: Readonly<Options>): void;
  /** Engine options beyond the common ones. */
  configure?(native: EngineOptimizer, options: Readonly<Options>): void;
}

/** More than one learning rate: the group of each variable, and the rate of each group at a call. */
export interface RateGroups {
  groupOf(target: Target): number;
  at(rate: number, iteration: number): readonly number[];
}

// For LossScaleOptimizer, which wraps an optimizer: a step whose gradients are divided by `scale` first; whether
// all gradients are finite; the state, and what was built.
export let applyScaled: (o: Optimizer, grads: readonly GradientLike[], variables: Variables, scale: number) => void;
export let allFinite: (o: Optimizer, grads: readonly GradientLike[], variables: Variables) => boolean;
export let stateOf: (o: Optimizer) => StateEntry[];
export let stepperOf: (o: Optimizer) => Stepper;
type Variables = readonly Parameter[] | undefined;

export abstract class Optimizer {
  /** The `class_name` of Keras' configs. */
  static readonly className: string = 'Optimizer';

  readonly #kind: Kind;
  readonly #engine: Engine;
  #options: Options;
  readonly #name: string;
  #rate: Rate;
  readonly #oneRate = [0];
  #stepper: Stepper | null = null;
  #selection: Selection | null = null;
  #disposed = false;
  #stale = true; // the engine does not have the options yet
  #excluded: { parameters: Set<Parameter>; patterns: RegExp[] } = { parameters: new Set(), patterns: [] };
  readonly #extra: StateEntry[] = [];

  static {
    applyScaled = (o, grads, variables, scale) => o.#apply(grads, variables, scale);
    allFinite = (o, grads, variables) => {
      const { rows, gradients, count } = o.#select(grads, variables);
      const stepper = o.stepper();
      return rows.slice(0, count).every((_, j) => stepper.isFinite(gradients[j]));
    };
    stateOf = (o) => o.entries();
    stepperOf = (o) => o.stepper();
  }

  /** @throws TypeError, RangeError for unknown, doubled or wrong options; Error before `init()`. */
  constructor(config: object, kind: Kind) {
    this.#engine = engine(`new ${kind.className}()`);
    this.#kind = kind;
    this.#options = readOptions(kind.className, kind.options, config);
    (kind.check ?? ((options) => checkTogether(kind.className, options)))(this.#options);
    this.#rate = rateFrom(`${kind.className}: learningRate`, this.#options.learningRate);
    this.#name = text(`${kind.className}: name`, this.#options.name ?? kind.defaultName);
    defineOptions(new.target.prototype, kind.options);
  }

  get name(): string {
    return this.#name;
  }

  /** Whether the state exists: after `build`, or the first `apply` with variables. */
  get built(): boolean {
    return this.#stepper !== null;
  }

  /** Updates so far: calls divided by the accumulation steps, rounded down. */
  get iterations(): number {
    return Math.floor(this.rawIterations / (this.gradientAccumulationSteps || 1));
  }

  /** Calls of `apply` so far, also those that only accumulated. */
  get rawIterations(): number {
    return this.#stepper?.native.iterations ?? 0;
  }

  /** The learning rate of the next call, as float32; a schedule or function is evaluated. */
  get learningRate(): number {
    return this.#rate.at(this.rawIterations);
  }

  /**
   * A number replaces a number; a schedule or function replaces anything. As in Keras there is no way back from
   * these to a number. @throws TypeError, RangeError
   */
  set learningRate(value: LearningRate) {
    this.alive();
    const { className } = this.#kind;
    const rate = rateFrom(`${className}: learningRate`, value);
    if (rate.isNumber && !this.#rate.isNumber)
      throw new TypeError(
        `${className}: learningRate is a ${this.#rate.schedule ? 'schedule' : 'function'} and not settable to a number; ` +
          'set another schedule or function, or make the optimizer with a number.',
      );
    this.#rate = rate;
  }

  /**
   * Makes the state (slots, averages, accumulators) for these variables, zeroed. A second call does nothing.
   * @throws TypeError, RangeError, Error for what is no variable, disposed, doubled, overlapping or of equal path,
   *   or if there is no memory; then nothing was made.
   */
  build(variables: readonly Parameter[]): void {
    this.alive();
    if (this.#stepper) return;
    const targets = targetsFor(variables);
    const rule = this.#kind.rule(this.#options);
    const stepper = new Stepper(this.#engine, rule, targets, this.useEma, Boolean(this.gradientAccumulationSteps));
    const { parameters, patterns } = this.#excluded;
    for (const { row, name } of targets)
      if (parameters.has(variables[row]) || patterns.some((pattern) => pattern.test(name)))
        stepper.native.excludeFromDecay(row);
    if (this.rateGroups) for (const t of targets) stepper.native.setGroup(t.row, this.rateGroups.groupOf(t));
    this.#selection = new Selection(this.#name, targets, variables);
    this.#stepper = stepper;
    this.#stale = true;
  }

  /**
   * One step, in place: `grads[i]` belongs to `variables[i]`, or to the i-th built variable.
   * @throws TypeError, RangeError, Error; then nothing has changed.
   */
  apply(grads: readonly GradientLike[], variables?: readonly Parameter[]): void {
    this.#apply(grads, variables, this.lossScaleFactor ?? 1);
  }

  /** As `apply`, in pairs. Returns the number of calls so far, `rawIterations`. */
  applyGradients(pairs: Iterable<readonly [GradientLike, Parameter]>): number {
    this.alive();
    const list = [...pairs];
    if (list.length === 0) throw new RangeError('applyGradients: the list of [gradient, variable] pairs is empty.');
    for (const pair of list)
      if (!Array.isArray(pair) || pair.length !== 2)
        throw new TypeError(`applyGradients takes [gradient, variable] pairs, got ${describe(pair)}.`);
    this.apply(
      list.map(([g]) => g),
      list.map(([, v]) => v),
    );
    return this.rawIterations;
  }

  /** `apply` with the variables' own `gradient` buffers; one that was never touched counts as null. */
  step(): void {
    const { targets } = this.stepper();
    const grads = targets.map((target) => {
      checkAlive(target);
      const { variable, path } = target;
      if (!variable)
        throw new Error(`step(): '${path}' is a plain array and has no gradient buffer; pass its gradient to apply().`);
      return gradientAddressOf(variable) ? variable.gradient : null;
    });
    this.apply(grads);
  }

  /**
   * Calls `lossAndGrads`, applies the gradients and returns the loss.
   * @param lossAndGrads returns `{ loss, grads }`, the gradients in the order of `variables`.
   */
  minimize(
    lossAndGrads: () => { loss: number; grads: readonly GradientLike[] },
    variables?: readonly Parameter[],
  ): number {
    this.alive();
    if (typeof lossAndGrads !== 'function')
      throw new TypeError(`minimize takes a function that returns { loss, grads }, got ${describe(lossAndGrads)}.`);
    const result = lossAndGrads();
    if (typeof result !== 'object' || result === null || !Array.isArray(result.grads))
      throw new TypeError(`minimize: the function must return { loss, grads }, got ${describe(result)}.`);
    this.apply(result.grads, variables);
    return result.loss;
  }

  /** The update rule alone on one built variable, for update `iterations + 1`: no clip, decay, average or counter. */
  updateStep(gradient: Float32Array, variable: Parameter, learningRate: number): void {
    const stepper = this.stepper();
    const target = stepper.targets[(this.#selection as Selection).rowOf(variable)];
    checkAlive(target);
    checkGradient(gradient, target);
    if (gradient instanceof SparseGradient) throw new TypeError('updateStep takes a Float32Array, got a SparseGradient.');
    const rate = rateFrom('updateStep: learningRate', learningRate).at(this.rawIterations);
    this.#configure(stepper.native, 1);
    stepper.updateOnly(target, gradient, rate);
  }

  /** With `useEma`: every variable becomes its average. Otherwise nothing. @throws Error, RangeError */
  finalizeVariableValues(variables: readonly Parameter[]): void {
    this.alive();
    if (!this.useEma) return;
    const stepper = this.stepper();
    if (!Array.isArray(variables) || variables.length !== stepper.targets.length)
      throw new RangeError(
        `finalizeVariableValues takes the ${stepper.targets.length} built variables, got ${describe(variables)}.`,
      );
    const targets = variables.map((v) => stepper.targets[(this.#selection as Selection).rowOf(v)]);
    targets.forEach(checkAlive);
    for (const t of targets) stepper.values(t).set(stepper.view(stepper.native.averageOf(t.row), t));
  }

  /**
   * Variables that weight decay leaves alone: these, and those whose `name` one of the regular expressions is
   * found in. Replaces earlier calls. @throws Error after build; TypeError, RangeError
   */
  excludeFromWeightDecay(which: { varList?: readonly Parameter[]; varNames?: readonly string[] } = {}): void {
    this.alive();
    if (this.built)
      throw new Error('excludeFromWeightDecay must be called before build, and before the first apply.');
    const varList = which?.varList ?? [];
    const varNames = which?.varNames ?? [];
    if (!Array.isArray(varList) || !varList.every(isParameter))
      throw new TypeError(`excludeFromWeightDecay: varList must be an array of variables, got ${describe(varList)}.`);
    if (!Array.isArray(varNames) || !varNames.every((name) => typeof name === 'string'))
      throw new TypeError(
        `excludeFromWeightDecay: varNames must be an array of regular expressions as strings, got ${describe(varNames)}.`,
      );
    this.#excluded = {
      parameters: new Set(varList),
      patterns: varNames.map((source) => pattern('excludeFromWeightDecay: varNames', source)),
    };
  }

  /** `loss` times `lossScaleFactor`, if that is set. */
  scaleLoss(loss: number): number {
    return loss * (this.lossScaleFactor ?? 1);
  }

  /** State in Keras' order: iteration, learning_rate (if a number), averages, accumulators, slots, then your own. */
  get variables(): OptimizerVariable[] {
    return this.entries().map((entry) => new OptimizerVariable(entry));
  }

  /** Copies of the values of `variables`. */
  getWeights(): (number | Float32Array)[] {
    return this.entries().map((entry) => {
      const value = entry.read();
      return typeof value === 'number' ? value : value.slice();
    });
  }

  /** All of `variables` at once. @throws Error if not built; TypeError, RangeError at the first mismatch: nothing was set. */
  setWeights(weights: readonly (number | Numbers)[]): void {
    this.stepper();
    assignAll('setWeights', this.entries(), weights);
  }

  /** Keras' layout: keys "0", "1", … in the order of `variables`. */
  saveOwnVariables(store: Record<string, unknown>): void {
    Object.assign(store, this.getWeights());
  }

  /** @throws as setWeights, also where Keras only warns (another number of values). */
  loadOwnVariables(store: Record<string, number | Numbers>): void {
    this.stepper();
    const keys = Object.keys(store ?? {});
    assignAll(
      'loadOwnVariables',
      this.entries(),
      keys.map((_, k) => store[k]),
    );
  }

  /** The whole state as safetensors; after `loadState` the next step has the same bits. */
  serializeState(): Uint8Array {
    this.stepper();
    return writeState(this.entries());
  }

  /** @throws Error if not built; TypeError, RangeError that names the first mismatch: nothing was changed. */
  loadState(bytes: Uint8Array | ArrayBuffer): void {
    this.stepper();
    readState(this.entries(), bytes);
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
    const stepper = this.stepper();
    const { targets } = stepper;
    if (!Array.isArray(trainableVariables) || trainableVariables.length !== targets.length)
      throw new RangeError(
        `statelessApply: trainableVariables must be the ${targets.length} built variables, 1:1, got ${describe(trainableVariables)}.`,
      );
    targets.forEach((t, k) => {
      if (trainableVariables[k]?.length !== t.size)
        throw new RangeError(`statelessApply: '${t.path}' has ${t.size} elements, got ${describe(trainableVariables[k])}.`);
    });
    const restore = this.#snapshot(stepper);
    try {
      assignAll('statelessApply: optimizerVariables', this.entries(), optimizerVariables);
      targets.forEach((t, k) => {
        stepper.values(t).set(trainableVariables[k]);
      });
      this.apply(grads);
      return [targets.map((t) => stepper.values(t).slice()), this.getWeights()];
    } finally {
      restore();
    }
  }

  /** A state variable of your own, tracked and saved with the others. */
  addVariable(options: {
    shape: readonly number[];
    initializer?: 'zeros' | 'ones';
    dtype?: 'float32';
    name?: string;
  }): Variable {
    this.alive();
    const { shape, initializer = 'zeros', dtype = 'float32', name = 'variable' } = options ?? {};
    if (!Array.isArray(shape)) throw new TypeError(`addVariable: shape must be an array, got ${describe(shape)}.`);
    if (initializer !== 'zeros' && initializer !== 'ones')
      throw new RangeError(`addVariable: initializer must be 'zeros' or 'ones', got ${describe(initializer)}.`);
    if (dtype !== 'float32') throw new RangeError(`addVariable: dtype must be 'float32', got ${describe(dtype)}.`);
    const size = shape.reduce((a, b) => a * b, 1);
    const variable = new Variable(size, { name, path: `${this.#name}/${name}`, shape });
    if (initializer === 'ones') variable.value.fill(1);
    this.#extra.push(userEntry(variable));
    return variable;
  }

  /** A state variable shaped as another variable and named after it. */
  addVariableFromReference(
    variable: Parameter,
    options: { name?: string; initializer?: 'zeros' | 'ones' } = {},
  ): Variable {
    if (!isParameter(variable))
      throw new TypeError(`addVariableFromReference takes a variable, got ${describe(variable)}.`);
    const { path, shape } =
      variable instanceof Variable ? variable : { path: 'variable', shape: [variable.length] };
    const { name = 'var', initializer } = options;
    return this.addVariable({ shape, initializer, name: `${path.replaceAll('/', '_')}_${name}` });
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

  /** Keras' config, as JSON: options in snake_case, the learning rate as float32 or as serialized schedule. */
  getConfig(): Record<string, unknown> {
    const config: Record<string, unknown> = { name: this.#name, learning_rate: this.#rateConfig() };
    for (const [name, option] of Object.entries(this.#kind.options)) {
      const value = this.#options[name];
      if (option.config === 'always' || (option.config === 'changed' && value !== option.default))
        config[snakeCase(name)] = value;
    }
    return config;
  }

  /** From Keras' JSON or from our own `getConfig`. `customObjects`: your own schedule classes, by name. */
  static fromConfig<T>(
    this: new (config: never) => T,
    config: Record<string, unknown>,
    customObjects: Record<string, unknown> = {},
  ): T {
    if (typeof config !== 'object' || config === null || Array.isArray(config))
      throw new TypeError(`fromConfig takes a config object, got ${describe(config)}.`);
    const key = 'learning_rate' in config ? 'learning_rate' : 'learningRate';
    const rate = config[key];
    if (typeof rate !== 'object' || rate === null) return new this(config as never);
    const { schedule } = rateFrom(`fromConfig: ${key}`, rate, customObjects);
    return new this({ ...config, [key]: schedule } as never);
  }

  /** Frees the state; never the variables. Idempotent; every other use afterwards throws. */
  dispose(): void {
    this.#disposed = true;
    this.#stepper?.delete();
    this.#stepper = this.#selection = null;
  }

  /** Set by a subclass with more than one learning rate. */
  protected readonly rateGroups: RateGroups | null = null;

  #rateConfig(): unknown {
    if (this.#rate.schedule) return serializeSchedule(this.#rate.schedule);
    if (this.#rate.isNumber) return this.#rate.at(0);
    throw new Error(
      `${this.#kind.className}: a function as learning rate cannot be saved in a config; extend LearningRateSchedule instead.`,
    );
  }

  /** Used by the accessors that `defineOptions` makes. */
  protected readOption(name: string): unknown {
    return this.#options[name];
  }

  protected writeOption(name: string, value: unknown): void {
    this.alive();
    const { className, options, check } = this.#kind;
    const checked = options[name].check(`${className}: ${name}`, value ?? options[name].default);
    const next = { ...this.#options, [name]: checked };
    (check ?? ((all) => checkTogether(className, all)))(next);
    this.#options = next;
    this.#stale = true;
  }

  protected alive(): void {
    if (this.#disposed) throw new Error(`The optimizer '${this.#name}' has been disposed.`);
  }

  /** What was built. @throws Error if nothing was, or after dispose */
  protected stepper(): Stepper {
    this.alive();
    if (!this.#stepper)
      throw new Error(
        `The optimizer '${this.#name}' is not built: call build(variables) first, or pass the variables to apply().`,
      );
    return this.#stepper;
  }

  /** Validates a call, building first if variables are given; otherwise changes nothing. */
  #select(grads: readonly GradientLike[], variables: Variables): Selection {
    if (!Array.isArray(grads)) throw new TypeError(`apply takes an array of gradients, got ${describe(grads)}.`);
    if (variables !== undefined && !Array.isArray(variables))
      throw new TypeError(`apply: variables must be an array, got ${describe(variables)}.`);
    if (!this.#stepper && variables) this.#buildFor(grads, variables);
    this.stepper();
    const selection = this.#selection as Selection;
    selection.select(grads, variables);
    return selection;
  }

  /** The first apply builds; if it is refused, the optimizer is left unbuilt. */
  #buildFor(grads: readonly GradientLike[], variables: readonly Parameter[]): void {
    this.build(variables);
    try {
      (this.#selection as Selection).select(grads, variables);
    } catch (error) {
      this.#stepper?.delete();
      this.#stepper = this.#selection = null;
      throw error;
    }
  }

  /** Hands the options to the engine, if they have changed. */
  #configure(native: EngineOptimizer, lossScale: number): void {
    native.lossScale = lossScale;
    if (!this.#stale) return;
    const o = this.#options as Record<string, number | null> & { useEma: boolean; compat: string };
    native.clipnorm = o.clipnorm ?? 0;
    native.globalClipnorm = o.globalClipnorm ?? 0;
    native.clipvalue = o.clipvalue ?? 0;
    native.decays = o.weightDecay !== null;
    native.weightDecay = o.weightDecay ?? 0;
    native.emaMomentum = o.emaMomentum as number;
    native.overwriteFrequency = (o.useEma && o.emaOverwriteFrequency) || 0;
    native.accumulationSteps = o.gradientAccumulationSteps ?? 0;
    native.beta1 = o.beta1 as number;
    native.beta2 = o.beta2 as number;
    native.epsilon = o.epsilon as number;
    native.dialect = o.compat === 'torch' ? Dialect.torch : Dialect.keras;
    this.#kind.configure?.(native, this.#options);
    this.#stale = false;
  }

  #apply(grads: readonly GradientLike[], variables: Variables, lossScale: number): void {
    this.alive();
    if (Array.isArray(grads) && grads.length === 0 && !variables?.length) return;
    const iteration = this.rawIterations;
    this.#oneRate[0] = this.#rate.at(iteration); // may throw: a function of the user's
    const rates = this.rateGroups?.at(this.#oneRate[0], iteration) ?? this.#oneRate;
    const { rows, gradients, count, missing, targets } = this.#select(grads, variables);
    const stepper = this.stepper();
    const { native } = stepper;
    const throws = targets.some((t) => isUsersOwn(t.constraint));
    const undo = throws ? this.#snapshot(stepper) : null;
    this.#configure(native, lossScale);
    for (let k = 0; k < rates.length; k++) native.setRate(k, rates[k]);
    stepper.step(rows, gradients, count, this.#options as unknown as StepOptions);
    try {
      stepper.constrain(rows, count);
    } catch (error) {
      undo?.();
      throw error;
    }
    if (missing) warnOnce(`Gradients do not exist for variables ${missing} when minimizing the loss.`);
  }

  /** How to put state and variables back to what they are now. */
  #snapshot(stepper: Stepper): () => void {
    const state = this.getWeights();
    const values = stepper.targets.map((t) => stepper.values(t).slice());
    return () => {
      assignAll('restore', this.entries(), state);
      stepper.targets.forEach((t, k) => {
        stepper.values(t).set(values[k]);
      });
    };
  }

  /** The state in Keras' order. */
  protected entries(): StateEntry[] {
    this.alive();
    const name = this.#name;
    const stepper = this.#stepper;
    const entries = [
      scalarEntry(
        `${name}/iteration`,
        'int32',
        () => this.rawIterations,
        (x) => {
          if (stepper) stepper.native.iterations = x;
        },
      ),
    ];
    if (this.#rate.isNumber) {
      const write = (x: number) => {
        this.#rate = rateFrom('learning_rate', x);
      };
      entries.push(scalarEntry(`${name}/learning_rate`, 'float32', () => this.#rate.at(0), write));
    }
    if (stepper) entries.push(...slotEntries(this.#engine, name, stepper));
    return [...entries, ...this.#extra];
  }

  #assign(what: string, variable: Parameter, value: Numbers | number, f: (v: number, x: number) => number): void {
    this.alive();
    if (!isParameter(variable)) throw new TypeError(`${what} takes a variable, got ${describe(variable)}.`);
    const array = variable instanceof Variable ? variable.value : variable;
    const single = typeof value === 'number';
    if (!single && (typeof value !== 'object' || value?.length !== array.length))
      throw new RangeError(`${what}: ${pathOf(variable)} has ${array.length} elements, got ${describe(value)}.`);
    for (let i = 0; i < array.length; i++) array[i] = f(array[i], Math.fround(single ? value : value[i]));
  }
}

export interface Optimizer {
  weightDecay: number | null;
  clipnorm: number | null;
  clipvalue: number | null;
  globalClipnorm: number | null;
  useEma: boolean;
  emaMomentum: number;
  emaOverwriteFrequency: number | null;
  lossScaleFactor: number | null;
  gradientAccumulationSteps: number | null;
  /** Same as `dispose()`. */
  [Symbol.dispose](): void;
}
if (Symbol.dispose)
  Object.defineProperty(Optimizer.prototype, Symbol.dispose, { value: Optimizer.prototype.dispose, writable: true });

/** A regular expression from a string. @throws RangeError that begins with `label` */
export function pattern(label: string, source: string): RegExp {
  try {
    return new RegExp(source);
  } catch (error) {
    throw new RangeError(`${label}: ${describe(source)} is no regular expression (${(error as Error).message}).`);
  }
}

/** Every option of the table as a live property; learningRate and name have accessors of their own. */
function defineOptions(prototype: object, table: OptionTable): void {
  for (const name of Object.keys(table)) {
    if (name in prototype) continue;
    Object.defineProperty(prototype, name, {
      get(this: { readOption(name: string): unknown }) {
        return this.readOption(name);
      },
      set(this: { writeOption(name: string, value: unknown): void }, value: unknown) {
        this.writeOption(name, value);
      },
    });
  }
}
