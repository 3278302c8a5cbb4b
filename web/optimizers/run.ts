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
import type { Built, Selecting, Stepping } from '../step/stepping.js';
import type { GradientLike, Target } from '../step/target.js';
import { BaseRun, type Variables } from './base-run.js';
import type { Build } from './build.js';
import type { Configuration } from './configuration.js';
import type { Lifetime } from './lifetime.js';
import type { Face, Made } from './parts.js';

interface Snapshots {
  snapshot(stepper: Built): () => void;
}

const isHere = (g: unknown) => isFloats(g) || g instanceof SparseGradient;

export class Run extends BaseRun<Build> {
  readonly #state: Snapshots;

  constructor(options: Configuration, build: Build, lifetime: Lifetime, state: Snapshots, face: Face) {
    super(options, build, lifetime, face);
    this.#state = state;
  }

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
    this.lifetime.ready('updateStep');
    const { stepper } = this.build.made();
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
    this.options.handTo(native, null);
    stepper.updateOnly(target, g as Float32Array, rate);
  }

  /** Whether a gradient may be a view of what the step writes; a variable's own gradient buffer is not. */
  #mayBeWritten(g: Float32Array, { variable, array }: Target): boolean {
    if (!this.build.engine.owns(g)) return g.buffer === array?.buffer;
    return !variable || homeOf(variable).gradientAddress !== g.byteOffset;
  }

  finalize(variables: readonly Parameter[]): void {
    this.lifetime.idle('finalizeVariableValues');
    if (!this.options.values.useEma) return;
    this.lifetime.require();
    const { stepper } = this.build.made();
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
    const { stepper, selection } = this.build.made();
    return stepper.targets[selection.rowOf(variable)];
  }

  /** Validates a call, building first if variables are given; otherwise changes nothing. */
  #select(grads: readonly GradientLike[], variables: Variables): Made {
    const given = this.built(grads, variables);
    const made = this.build.made();
    made.stepper.elsewhere?.check('apply');
    made.selection.select(given, variables);
    return made;
  }

  protected begin(
    grads: readonly GradientLike[],
    variables: Variables,
    lossScale: number,
    encoder?: object,
  ): void | Promise<void> {
    const { stepper, selection } = this.ready(grads, variables, lossScale, this.rates());
    const waiting = this.prepare(encoder);
    if (waiting) {
      const held = heldCall(selection);
      const finished = waiting.then(() => this.#finish(stepper, held));
      return stepper.pending.during('apply', finished);
    }
    this.#finish(stepper, selection, encoder);
  }

  /** Only a constraint of the user's own can throw: then the step is taken back. */
  #finish(stepper: Stepping, selection: Selecting, encoder?: object): void {
    if (!stepper.canThrow) {
      this.step(selection);
      this.commit(encoder);
      return;
    }
    stepper.pending.within('apply', () => {
      const undo = this.#state.snapshot(stepper);
      try {
        this.step(selection);
        this.commit(encoder);
      } catch (error) {
        this.discard();
        undo();
        throw error;
      }
    });
  }

  // One call in its parts: MultiOptimizer takes each with all of its optimizers before the next.

  /** The rates of the call, unless they stay. May call functions of the user's. */
  rates(): readonly number[] | null {
    return this.options.ratesStay ? null : this.options.ratesAt(this.build.iterations);
  }

  /** Validates a call. Nothing that can be seen changes. */
  ready(
    grads: readonly GradientLike[],
    variables: Variables,
    lossScale: number,
    rates: readonly number[] | null,
  ): Made {
    const made = this.#select(grads, variables);
    const { stepper, selection } = made;
    if (selection.missing)
      warnOnce(`Gradients do not exist for variables ${selection.missing} when minimizing the loss.`); // may throw
    stepper.lossScale = this.options.values.maximize ? -lossScale : lossScale;
    this.options.handTo(stepper.native, rates);
    return made;
  }

  /** A promise where the step needs sums from a GPU. */
  prepare(encoder?: object): Promise<void> | null | undefined {
    const { stepper, selection } = this.build.made();
    const { rows, gradients, count } = selection;
    return stepper.elsewhere?.prepare(rows, gradients, count, this.options.values, encoder);
  }

  /** The step in the engine. */
  step(selection: Selecting): void {
    const { stepper } = this.build.made();
    stepper.step(selection, this.options.values);
    stepper.constrain(selection.rows, selection.count);
  }

  /** What was made for a GPU is forgotten. */
  discard(): void {
    this.build.stepper?.elsewhere?.discard();
  }

  /** The step on a GPU. */
  commit(encoder?: object): void {
    this.build.stepper?.elsewhere?.commit(encoder);
  }
}
