// Optimizer: what all optimizers share, as keras.optimizers.Optimizer does: options, building, one step, the
// counters, the learning rate, the state. The arithmetic is the engine's, and stepper.ts moves the data there;
// selection.ts validates a call; the subclasses in optimizers/ choose the update rule and add their options.

import { describe, warnOnce } from '../basics/errors.js';
import { isFloats, plainFloats } from '../basics/floats.js';
import { type Engine, type EngineOptimizer, engine } from '../engine/engine.js';
import { dialects, ruleFacts } from '../engine/facts.js';
import { rateFrom } from '../schedules/rate.js';
import { ruleScalars, type StateEntry, scalarEntry, slotEntries, userEntry } from '../state/entries.js';
import type { DeviceBuffer, DeviceRange } from '../step/elsewhere.js';
import { isParameter, type Parameter, pathOf, targetsFor } from '../step/parameters.js';
import { checkAlive, checkGradient, type GradientLike, heldCall, Selection } from '../step/selection.js';
import { fillSlots } from '../step/slots.js';
import { SparseGradient } from '../step/sparse.js';
import { type StepOptions, Stepper, type Target } from '../step/stepper.js';
import type { Selecting, Stepping } from '../step/stepping.js';
import { Applying, type Variables } from './applying.js';
import type { Kind, Options } from './configured.js';
import { type Excluded, Exclusion, type SavedExclusion } from './exclusion.js';
import { camelCase } from './options.js';

function checkEncoder(encoder: unknown): void {
  if (typeof (encoder as { beginComputePass?: unknown } | null)?.beginComputePass !== 'function')
    throw new TypeError(`record takes a GPUCommandEncoder first, got ${describe(encoder)}.`);
}

function tellRates(native: EngineOptimizer, rates: readonly number[]): void {
  for (let k = 0; k < rates.length; k++) native.setRate(k, rates[k]);
}

/** More than one learning rate: the group of each variable, and the rate of each group at a call. */
export interface RateGroups {
  groupOf(target: Target): number;
  at(rate: number, iteration: number): readonly number[];
  /** Whether the rates change from call to call although the optimizer's own is a number. */
  varies(): boolean;
}

// For LossScaleOptimizer, which wraps an optimizer: a step whose gradients are divided by `scale` first; whether
// all gradients are finite; the state, and what was built.
export let applyScaled: (
  o: Optimizer,
  grads: readonly GradientLike[],
  variables: Variables,
  scale: number,
  encoder?: object,
) => void | Promise<void>;
export let allFinite: (
  o: Optimizer,
  grads: readonly GradientLike[],
  variables: Variables,
) => boolean | Promise<boolean>;
export let stateOf: (o: Optimizer) => StateEntry[];
export let stepperOf: (o: Optimizer) => Stepping;
/** The exclusions from weight decay as they are saved beside the config, null if there are none; and back. */
export let exclusionOf: (o: Optimizer) => SavedExclusion | null;
export let exclude: (o: Optimizer, saved: SavedExclusion) => void;
// For adapters, which step variables of another library's: builds with a stepper and a selection of their own.
// A second call replaces both, and moves the state of the variables that stay.
export let attach: (o: Optimizer, make: Attachment) => void;
/** Back to what it was before it was built. */
export let detach: (o: Optimizer) => void;
/** A call that may build; what it has built is given back if it fails, also later. */
export let orUnbuilt: <T extends void | Promise<void>>(o: Optimizer, call: () => T) => T;
export type Attachment = (
  engine: Engine,
  rule: string,
  averages: boolean,
  accumulates: boolean,
) => { stepper: Stepping; selection: Selecting };

export abstract class Optimizer extends Applying {
  static override readonly name: string = 'Optimizer';
  readonly #engine: Engine;
  readonly #oneRate = [0];
  #stepper: Stepping | null = null;
  #selection: Selecting | null = null;
  #disposed = false;
  #excluded = new Exclusion();
  /** The count of calls that it will be built with. */
  #first = 0;

  static {
    applyScaled = (o, grads, variables, scale, encoder) => o.#apply(grads, variables, scale, encoder);
    allFinite = (o, grads, variables) => {
      const { rows, gradients, count } = o.#select(grads, variables);
      const stepper = o.stepper();
      const isHere = (g: unknown) => isFloats(g) || g instanceof SparseGradient;
      const here = rows
        .slice(0, count)
        .every((_, j) => !isHere(gradients[j]) || stepper.isFinite(gradients[j]));
      return here && (stepper.elsewhere?.finite(rows, gradients, count) ?? true);
    };
    stateOf = (o) => o.entries();
    stepperOf = (o) => o.stepper();
    exclusionOf = (o) => o.#excluded.save((p) => o.#stepper?.targets[o.#selection?.rowOf(p) as number].path);
    exclude = (o, saved) => {
      o.#excluded = Exclusion.from(saved);
    };
    attach = (o, make) => o.#attach(make);
    detach = (o) => o.#unbuild();
    orUnbuilt = (o, call) => {
      if (o.#stepper) return call();
      const refuse = (error: unknown): never => {
        o.#unbuild();
        throw error;
      };
      try {
        const waiting = call();
        return (waiting instanceof Promise ? waiting.catch(refuse) : waiting) as typeof waiting;
      } catch (error) {
        return refuse(error);
      }
    };
  }

  /** Same as `dispose()`. */
  declare [Symbol.dispose]: () => void;

  /** @throws TypeError, RangeError for unknown, doubled or wrong options; Error before `init()`. */
  constructor(config: object, kind: Kind) {
    if (!kind)
      throw new TypeError(
        'Optimizer is the base class of Adam, AdamW, Adamax, … and has no rule of its own.',
      );
    const found = engine(`new ${kind.className}()`);
    super(config, kind);
    this.#engine = found;
  }

  /** Whether the state exists: after `build`, or the first `apply` with variables. */
  override get built(): boolean {
    return this.#stepper !== null && !this.#disposed;
  }

  /** Updates so far: calls divided by the accumulation steps, rounded down. Settable, as by those who start anew. */
  get iterations(): number {
    return Math.floor(this.rawIterations / (this.gradientAccumulationSteps || 1));
  }
  set iterations(count: number) {
    this.idle('iterations');
    const steps = this.gradientAccumulationSteps || 1;
    const most = Math.floor((2 ** 31 - 1) / steps);
    if (typeof count !== 'number')
      throw new TypeError(`iterations must be a whole number from 0 on, got ${describe(count)}.`);
    if (!Number.isInteger(count) || count < 0 || count > most)
      throw new RangeError(`iterations must be a whole number from 0 to ${most}, got ${count}.`);
    if (this.#stepper) this.#stepper.native.iterations = count * steps;
    else this.#first = count * steps;
  }

  /** Calls of `apply` so far, also those that only accumulated. */
  override get rawIterations(): number {
    return this.#stepper?.native.iterations ?? this.#first;
  }

  /**
   * Makes the state (slots, averages, accumulators) for these variables, zeroed. A second call with the same ones does
   * nothing. @throws TypeError, RangeError, Error for what is no variable, disposed, doubled, overlapping or of equal path,
   *   or if there is no memory; then nothing was made. Error if it was built with others
   */
  build(variables: readonly Parameter[]): void {
    this.alive();
    if (this.#stepper) {
      this.#checkSame(variables, this.#stepper.targets);
      return;
    }
    const targets = targetsFor(variables, this.#engine);
    this.#excluded.checkBuilt(variables);
    this.#attach((engine, rule, averages, accumulates) => {
      const stepper = new Stepper(engine, rule, targets, averages, accumulates);
      return { stepper, selection: new Selection(this.name, engine, stepper, variables) };
    }, variables);
  }

  /** Whether these are the variables that were built, in their order. */
  #checkSame(variables: readonly Parameter[], targets: readonly Target[]): void {
    if (!Array.isArray(variables))
      throw new TypeError(`build takes an array of variables, got ${describe(variables)}.`);
    const refuse = (difference: string) => {
      throw new Error(
        `build: the optimizer '${this.name}' is built already, with ${targets.length} variables: ${difference}. Make another optimizer for others.`,
      );
    };
    if (variables.length !== targets.length) refuse(`${variables.length} were given now`);
    const selection = this.#selection as Selecting;
    targets.forEach(({ row, path }) => {
      const given = variables[row];
      const known = isParameter(given) && selection.knows(given) ? selection.rowOf(given) : -1;
      if (known !== row)
        refuse(
          `variables[${row}] was '${path}', and is ${isParameter(given) ? pathOf(given) : describe(given)} now`,
        );
    });
  }

  /**
   * One step, in place: `grads[i]` belongs to `variables[i]`, or to the i-th built variable. On a GPU it is
   * enqueued. Returns nothing, or a Promise where a decision of the CPU needs numbers from the GPU: loss scaling
   * with gradients there, globalClipnorm with variables in both places. Until it settles a second call throws.
   * The arrays of the last call cost least to check; a list of them that is frozen is not even looked through.
   * @throws TypeError, RangeError, Error; then nothing has changed.
   */
  override apply(grads: readonly GradientLike[], variables?: readonly Parameter[]): void | Promise<void> {
    this.idle('apply');
    return this.#apply(grads, variables, this.lossScaleFactor ?? 1);
  }

  /**
   * As `apply`, with what it does on a GPU recorded into a GPUCommandEncoder of yours, to be submitted by you, in
   * order and once. The counters advance now; what lives in the engine is stepped now.
   * @throws as apply, and Error where apply would return a Promise
   */
  record(encoder: object, grads: readonly GradientLike[], variables?: readonly Parameter[]): void {
    checkEncoder(encoder);
    this.idle('record');
    this.#apply(grads, variables, this.lossScaleFactor ?? 1, encoder);
  }

  /** The update rule alone on one built variable, for update `iterations + 1`: no clip, decay, average or counter. */
  updateStep(
    gradient: Float32Array | DeviceBuffer | DeviceRange,
    variable: Parameter,
    learningRate: number,
  ): void {
    const stepper = this.stepper();
    stepper.pending.check('updateStep');
    stepper.elsewhere?.check('updateStep');
    const target = stepper.targets[(this.#selection as Selecting).rowOf(variable)];
    checkAlive(target);
    let g = isFloats(gradient) ? plainFloats(gradient) : gradient;
    checkGradient(g, target);
    if (g instanceof SparseGradient)
      throw new TypeError('updateStep takes a Float32Array, got a SparseGradient.');
    if (g instanceof Float32Array && (this.#engine.owns(g) || g.buffer === target.array?.buffer))
      g = new Float32Array(g); // it may be what the step writes
    const rate = rateFrom('updateStep: learningRate', learningRate).at(this.rawIterations);
    this.#configure(stepper, 1);
    stepper.updateOnly(target, g as Float32Array, rate);
  }

  /** With `useEma`: every variable becomes its average. Otherwise nothing. @throws Error, RangeError */
  finalizeVariableValues(variables: readonly Parameter[]): void {
    this.idle('finalizeVariableValues');
    if (!this.useEma) return;
    const stepper = this.stepper();
    if (!Array.isArray(variables) || variables.length !== stepper.targets.length)
      throw new RangeError(
        `finalizeVariableValues takes the ${stepper.targets.length} built variables, got ${describe(variables)}.`,
      );
    const targets = variables.map((v) => stepper.targets[(this.#selection as Selecting).rowOf(v)]);
    targets.forEach(checkAlive);
    const { elsewhere } = stepper;
    elsewhere?.check('finalizeVariableValues');
    for (const t of targets)
      if (elsewhere?.has(t.row)) elsewhere.overwrite(t.row);
      else stepper.values(t).set(stepper.averageOf(t) as Float32Array);
  }

  /**
   * Variables that weight decay leaves alone: these, and those whose `name` one of the regular expressions is
   * found in. Replaces earlier calls. @throws Error after build; TypeError, RangeError
   */
  excludeFromWeightDecay(which: Excluded = {}): void {
    this.alive();
    if (this.built)
      throw new Error('excludeFromWeightDecay must be called before build, and before the first apply.');
    this.#excluded = new Exclusion(which);
  }

  /**
   * Frees the state; never the variables. What has begun and not settled is finished first, and then freed.
   * Idempotent; every other use afterwards throws.
   */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    for (const variable of this.extra.splice(0)) variable.dispose();
    this.#stepper?.pending.afterwards(() => this.#unbuild());
  }

  #unbuild(): void {
    this.#stepper?.delete();
    this.#stepper = this.#selection = null;
    this.stale = true;
  }

  /** Set by a subclass with more than one learning rate. */
  protected readonly rateGroups: RateGroups | null = null;

  protected override alive(): void {
    if (this.#disposed) throw new Error(`The optimizer '${this.name}' has been disposed.`);
  }

  protected override idle(what: string): void {
    this.alive();
    if (this.built) this.stepper().pending.check(what);
  }

  /** What was built. @throws Error if nothing was, or after dispose */
  protected override stepper(): Stepping {
    this.alive();
    if (!this.#stepper)
      throw new Error(
        `The optimizer '${this.name}' is not built: call build(variables) first, or pass the variables to apply().`,
      );
    return this.#stepper;
  }

  /** Validates a call, building first if variables are given; otherwise changes nothing. */
  #select(grads: readonly GradientLike[], variables: Variables): Selecting {
    if (!Array.isArray(grads))
      throw new TypeError(`apply takes an array of gradients, got ${describe(grads)}.`);
    if (variables !== undefined && !Array.isArray(variables))
      throw new TypeError(`apply: variables must be an array, got ${describe(variables)}.`);
    if (!this.#stepper && variables) return this.#buildFor(grads, variables);
    this.stepper().elsewhere?.check('apply');
    const selection = this.#selection as Selecting;
    selection.select(grads, variables);
    return selection;
  }

  /** @param parameters what rows were made of, where that is ours */
  #attach(make: Attachment, parameters: readonly Parameter[] = []): void {
    this.alive();
    const rule = this.kind.rule(this.options);
    const made = make(this.#engine, rule, this.useEma, Boolean(this.gradientAccumulationSteps));
    try {
      this.#adopt(made, parameters);
    } catch (error) {
      made.stepper.delete();
      throw error;
    }
  }

  /** What was made takes over the state of what was there before. */
  #adopt(made: ReturnType<Attachment>, parameters: readonly Parameter[]): void {
    const { native, targets } = made.stepper;
    for (const t of targets) if (this.#excluded.has(t, parameters[t.row])) native.excludeFromDecay(t.row);
    if (this.rateGroups) for (const t of targets) native.setGroup(t.row, this.rateGroups.groupOf(t));
    const before = this.#stepper;
    const old = before ? this.entries().map(({ key, read }) => ({ key, value: read() })) : [];
    this.#selection = made.selection;
    this.#stepper = made.stepper;
    this.stale = true;
    const hypers = this.#hypers(made.stepper.rule);
    for (const target of targets) fillSlots(made.stepper, target, (name) => hypers.get(name) ?? 0);
    if (!before) {
      native.iterations = this.#first;
      return;
    }
    const now = new Map(this.entries().map((entry) => [entry.key, entry]));
    for (const { key, value } of old) now.get(key)?.write(value);
    before.delete();
  }

  /**
   * The first apply builds. Gradients that lie in the engine's memory are looked at anew, because building may have
   * made it grow.
   */
  #buildFor(grads: readonly GradientLike[], variables: readonly Parameter[]): Selecting {
    const addresses = grads.map((g) => (isFloats(g) && this.#engine.owns(g) ? g.byteOffset : -1));
    const sizes = grads.map((g) => (isFloats(g) ? g.length : 0));
    this.build(variables);
    const fresh = grads.map((g, k) => (addresses[k] < 0 ? g : this.#engine.floats(addresses[k], sizes[k])));
    const selection = this.#selection as Selecting;
    selection.select(fresh, variables);
    return selection;
  }

  /** Rates that stay go to the engine with the options; others are evaluated once a call. */
  #ratesStay(): boolean {
    return this.rate.isNumber && !this.rateGroups?.varies();
  }

  /** The rate of each group at this call. @throws whatever a function or schedule of the user's throws */
  #ratesNow(): readonly number[] {
    const iteration = this.rawIterations;
    this.#oneRate[0] = this.rate.at(iteration);
    return this.rateGroups?.at(this.#oneRate[0], iteration) ?? this.#oneRate;
  }

  /** The hyperparameters of a rule, in its order. */
  #hypers(rule: string): Map<string, number> {
    const own = this.kind.hypers?.(this.options);
    return new Map(
      ruleFacts(rule).hypers.map((name) => [name, Number(own?.[name] ?? this.options[camelCase(name)] ?? 0)]),
    );
  }

  /** Hands the options to the engine, if they have changed. */
  #configure(stepper: Stepping, lossScale: number): void {
    stepper.lossScale = this.options.maximize ? -lossScale : lossScale;
    if (!this.stale) return;
    const { native } = stepper;
    const o = this.options as Record<string, number | null> & { useEma: boolean; compat: string };
    native.clipnorm = o.clipnorm ?? 0;
    native.globalClipnorm = o.globalClipnorm ?? 0;
    native.clipvalue = o.clipvalue ?? 0;
    native.decays = o.weightDecay !== null;
    native.weightDecay = o.weightDecay ?? 0;
    native.emaMomentum = o.emaMomentum as number;
    native.overwriteFrequency = (o.useEma && o.emaOverwriteFrequency) || 0;
    native.accumulationSteps = o.gradientAccumulationSteps ?? 0;
    let k = 0;
    for (const value of this.#hypers(stepper.rule).values()) native.setHyper(k++, value);
    native.dialect = dialects[(o.compat as 'keras' | 'torch' | 'tfjs' | undefined) ?? 'keras'];
    this.kind.configure?.(native, this.options);
    if (this.#ratesStay()) tellRates(native, this.#ratesNow());
    this.stale = false;
  }

  #apply(
    grads: readonly GradientLike[],
    variables: Variables,
    lossScale: number,
    encoder?: object,
  ): void | Promise<void> {
    this.alive();
    if (Array.isArray(grads) && grads.length === 0 && !variables?.length) return undefined;
    if (this.#stepper) return this.#begin(grads, variables, lossScale, encoder); // without a closure
    return orUnbuilt(this, () => this.#begin(grads, variables, lossScale, encoder));
  }

  #begin(
    grads: readonly GradientLike[],
    variables: Variables,
    lossScale: number,
    encoder?: object,
  ): void | Promise<void> {
    const rates = this.#ratesStay() ? null : this.#ratesNow();
    const selection = this.#select(grads, variables);
    if (selection.missing)
      warnOnce(`Gradients do not exist for variables ${selection.missing} when minimizing the loss.`); // may throw
    const stepper = this.stepper();
    const { native, elsewhere } = stepper;
    this.#configure(stepper, lossScale);
    if (rates) tellRates(native, rates);
    const waiting = elsewhere?.prepare(
      selection.rows,
      selection.gradients,
      selection.count,
      this.options as unknown as StepOptions,
      encoder,
    );
    if (waiting) {
      const held = heldCall(selection);
      const finished = waiting.then(() => this.#finish(stepper, held));
      return stepper.pending.during('apply', finished);
    }
    this.#finish(stepper, selection, encoder);
  }

  /** The step itself. Only a constraint of the user's own can throw: then it is taken back. */
  #finish(stepper: Stepping, selection: Selecting, encoder?: object): void {
    if (!stepper.canThrow) {
      this.#step(stepper, selection, encoder);
      return;
    }
    stepper.pending.within('apply', () => {
      const undo = this.snapshot(stepper);
      try {
        this.#step(stepper, selection, encoder);
      } catch (error) {
        stepper.elsewhere?.discard();
        undo();
        throw error;
      }
    });
  }

  #step(stepper: Stepping, selection: Selecting, encoder?: object): void {
    stepper.step(selection, this.options as unknown as StepOptions);
    stepper.constrain(selection.rows, selection.count);
    stepper.elsewhere?.commit(encoder);
  }

  /** Options that decide which state there is are fixed by build. */
  protected override checkChange(name: string, next: Readonly<Options>): void {
    const stepper = this.#stepper;
    if (!stepper) return;
    const changes =
      this.kind.rule(next) !== stepper.rule ||
      next.useEma !== this.useEma ||
      Boolean(next.gradientAccumulationSteps) !== Boolean(this.gradientAccumulationSteps);
    if (changes)
      throw new Error(
        `${this.kind.className}: ${name} decides which state there is; set it before the optimizer is built.`,
      );
  }

  /** The state in Keras' order. */
  protected override entries(): StateEntry[] {
    const name = this.name;
    const stepper = this.#stepper;
    const entries = [
      scalarEntry(
        `${name}/iteration`,
        'int32',
        () => this.rawIterations,
        (x) => {
          if (stepper) stepper.native.iterations = x;
          else this.#first = x;
        },
      ),
    ];
    if (this.rate.isNumber) {
      const label = `${name}/learning_rate`;
      const write = (x: number) => {
        this.rate = rateFrom(label, x);
        this.stale = true;
      };
      entries.push(
        scalarEntry(
          label,
          'float32',
          () => this.rate.at(0),
          write,
          (x) => rateFrom(label, x),
        ),
      );
    }
    return entries.concat(
      stepper ? slotEntries(name, stepper) : [], // not pushed: they may be more than a call takes
      stepper ? ruleScalars(name, stepper) : [],
      this.extra.map(userEntry),
    );
  }
}

if (Symbol.dispose)
  Object.defineProperty(Optimizer.prototype, Symbol.dispose, {
    value: Optimizer.prototype.dispose,
    writable: true,
  });
