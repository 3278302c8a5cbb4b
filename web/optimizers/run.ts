// One call of an optimizer, from its validation to the end of the step: which rates, which gradients, where it must
// wait for a GPU, and how it is taken back. The arithmetic is the engine's, and the stepper moves the data there.

import { describe, warnOnce } from '../basics/errors.js';
import { isFloats, plainFloats } from '../basics/floats.js';
import { rateFrom } from '../schedules/rate.js';
import { homeOf } from '../step/home.js';
import type { Parameter } from '../step/parameters.js';
import type { DeviceBuffer, DeviceRange } from '../step/remote.js';
import { checkAlive, checkGradient, heldCall } from '../step/selection.js';
import { SparseGradient } from '../step/sparse.js';
import type { Selecting, Stepping } from '../step/stepping.js';
import type { GradientLike, Target } from '../step/target.js';
import type { Build, Made } from './build.js';
import type { Configuration } from './configuration.js';
import type { Lifetime } from './lifetime.js';

type Variables = readonly Parameter[] | undefined;

interface Snapshots {
  snapshot(stepper: Stepping): () => void;
}

const isHere = (g: unknown) => isFloats(g) || g instanceof SparseGradient;

export class Run {
  readonly #options: Configuration;
  readonly #build: Build;
  readonly #lifetime: Lifetime;
  readonly #state: Snapshots;
  readonly #face: { build(variables: readonly Parameter[]): void };

  /** @param face the optimizer: a subclass may have a `build` of its own */
  constructor(
    options: Configuration,
    build: Build,
    lifetime: Lifetime,
    state: Snapshots,
    face: { build(variables: readonly Parameter[]): void },
  ) {
    this.#options = options;
    this.#build = build;
    this.#lifetime = lifetime;
    this.#state = state;
    this.#face = face;
  }

  apply(grads: readonly GradientLike[], variables: Variables): void | Promise<void> {
    this.#lifetime.idle('apply');
    return this.applyScaled(grads, variables, this.#options.values.lossScaleFactor ?? 1);
  }

  record(encoder: object, grads: readonly GradientLike[], variables: Variables): void {
    if (typeof (encoder as { beginComputePass?: unknown } | null)?.beginComputePass !== 'function')
      throw new TypeError(`record takes a GPUCommandEncoder first, got ${describe(encoder)}.`);
    this.#lifetime.idle('record');
    this.applyScaled(grads, variables, this.#options.values.lossScaleFactor ?? 1, encoder);
  }

  /** A step whose gradients are divided by `lossScale` first; also while LossScaleOptimizer's has not settled. */
  applyScaled(
    grads: readonly GradientLike[],
    variables: Variables,
    lossScale: number,
    encoder?: object,
  ): void | Promise<void> {
    this.#lifetime.alive();
    if (Array.isArray(grads) && grads.length === 0 && !variables?.length) return undefined;
    if (this.#build.stepper) return this.#begin(grads, variables, lossScale, encoder); // without a closure
    return this.#build.orUndo(() => this.#begin(grads, variables, lossScale, encoder));
  }

  /** Whether all gradients are finite. Builds, if variables are given. */
  allFinite(grads: readonly GradientLike[], variables: Variables): boolean | Promise<boolean> {
    const { stepper, selection } = this.#select(grads, variables);
    const { rows, gradients, count } = selection;
    const here = rows
      .slice(0, count)
      .every((_, j) => !isHere(gradients[j]) || stepper.isFinite(gradients[j]));
    return here && (stepper.elsewhere?.finite(rows, gradients, count) ?? true);
  }

  updateOnly(
    gradient: Float32Array | DeviceBuffer | DeviceRange,
    variable: Parameter,
    learningRate: number,
  ): void {
    const stepper = this.#lifetime.ready('updateStep');
    stepper.elsewhere?.check('updateStep');
    const target = this.#targetOf(variable);
    checkAlive(target);
    let g = isFloats(gradient) ? plainFloats(gradient) : gradient;
    checkGradient(g, target);
    if (g instanceof SparseGradient)
      throw new TypeError('updateStep takes a Float32Array, got a SparseGradient.');
    if (g instanceof Float32Array && this.#mayBeWritten(g, target)) g = new Float32Array(g);
    const { native } = stepper;
    const rate = rateFrom('updateStep: learningRate', learningRate).at(native.iterations);
    stepper.lossScale = 1; // maximize is for calls with gradients of a loss
    this.#options.handTo(native, null);
    stepper.updateOnly(target, g as Float32Array, rate);
  }

  /** Whether a gradient may be a view of what the step writes; a variable's own gradient buffer is not. */
  #mayBeWritten(g: Float32Array, { variable, array }: Target): boolean {
    if (!this.#build.engine.owns(g)) return g.buffer === array?.buffer;
    return !variable || homeOf(variable).gradientAddress !== g.byteOffset;
  }

  finalize(variables: readonly Parameter[]): void {
    this.#lifetime.idle('finalizeVariableValues');
    if (!this.#options.values.useEma) return;
    const stepper = this.#lifetime.require();
    if (!Array.isArray(variables) || variables.length !== stepper.targets.length)
      throw new RangeError(
        `finalizeVariableValues takes the ${stepper.targets.length} built variables, got ${describe(variables)}.`,
      );
    const targets = variables.map((v) => this.#targetOf(v));
    targets.forEach(checkAlive);
    const { elsewhere } = stepper;
    elsewhere?.check('finalizeVariableValues');
    for (const t of targets)
      if (elsewhere?.has(t.row)) elsewhere.overwrite(t.row);
      else stepper.values(t).set(stepper.averageOf(t) as Float32Array);
  }

  #targetOf(variable: Parameter): Target {
    const { stepper, selection } = this.#build.made();
    return stepper.targets[selection.rowOf(variable)];
  }

  /** Validates a call, building first if variables are given; otherwise changes nothing. */
  #select(grads: readonly GradientLike[], variables: Variables): Made {
    if (!Array.isArray(grads))
      throw new TypeError(`apply takes an array of gradients, got ${describe(grads)}.`);
    if (variables !== undefined && !Array.isArray(variables))
      throw new TypeError(`apply: variables must be an array, got ${describe(variables)}.`);
    if (!this.#build.stepper && variables) grads = this.#buildFor(grads, variables);
    this.#lifetime.alive();
    const made = this.#build.made();
    made.stepper.elsewhere?.check('apply');
    made.selection.select(grads, variables);
    return made;
  }

  /**
   * The first apply builds. Returns the gradients: those that lie in the engine's memory are looked at anew, because
   * building may have made it grow.
   */
  #buildFor(grads: readonly GradientLike[], variables: readonly Parameter[]): readonly GradientLike[] {
    const { engine } = this.#build;
    const places = grads.map((g) =>
      isFloats(g) && engine.owns(g) ? { at: g.byteOffset, size: g.length } : null,
    );
    this.#face.build(variables);
    return places.map((place, k) => (place ? engine.floats(place.at, place.size) : grads[k]));
  }

  #begin(
    grads: readonly GradientLike[],
    variables: Variables,
    lossScale: number,
    encoder?: object,
  ): void | Promise<void> {
    const options = this.#options;
    const rates = options.ratesStay ? null : options.ratesAt(this.#build.iterations);
    const { stepper, selection } = this.#select(grads, variables);
    if (selection.missing)
      warnOnce(`Gradients do not exist for variables ${selection.missing} when minimizing the loss.`); // may throw
    const { native, elsewhere } = stepper;
    stepper.lossScale = options.values.maximize ? -lossScale : lossScale;
    options.handTo(native, rates);
    const { rows, gradients, count } = selection;
    const waiting = elsewhere?.prepare(rows, gradients, count, options.values, encoder);
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
      const undo = this.#state.snapshot(stepper);
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
    stepper.step(selection, this.#options.values);
    stepper.constrain(selection.rows, selection.count);
    stepper.elsewhere?.commit(encoder);
  }
}
