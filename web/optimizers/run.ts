// One call of an optimizer, from its validation to the end of the step: which rates, which gradients, where it must
// wait for a GPU, and how it is taken back. The arithmetic is the engine's, and the executor moves the data there.

import { describe, warnOnce } from '../basics/errors.js';
import { isFloats, plainFloats } from '../basics/floats.js';
import { rateFrom } from '../schedules/rate.js';
import type { Built, Executor, Selection } from '../step/executor.js';
import { homeOf } from '../step/home.js';
import type { Parameter } from '../step/parameters.js';
import type { DeviceBuffer, DeviceRange } from '../step/remote.js';
import { checkAlive, checkGradient, heldCall } from '../step/selection.js';
import { SparseGradient } from '../step/sparse.js';
import type { GradientLike, Target } from '../step/target.js';
import { BaseRun, isHere, type Variables } from './base-run.js';
import type { Build } from './build.js';
import type { Configuration } from './configuration.js';
import type { Lifetime } from './lifetime.js';
import type { Face, Made } from './parts.js';
import { type Account, accountOf, fullAccountOf } from './report.js';

interface Snapshots {
  snapshot(executor: Built): () => void;
}

export class Run extends BaseRun<Build> {
  readonly #state: Snapshots;

  constructor(options: Configuration, build: Build, lifetime: Lifetime, state: Snapshots, face: Face) {
    super(options, build, lifetime, face);
    this.#state = state;
  }

  protected get skips(): boolean {
    return this.options.values.skipNonFinite;
  }

  allFinite(grads: readonly GradientLike[], variables: Variables): boolean | Promise<boolean> {
    const { executor, selection } = this.#select(grads, variables);
    const { rows, gradients, count } = selection;
    const { elsewhere } = executor;
    const here = rows
      .slice(0, count)
      .every((row, j) => (elsewhere?.has(row) && !isHere(gradients[j])) || executor.isFinite(gradients[j]));
    return here && (elsewhere?.finite(rows, gradients, count) ?? true);
  }

  updateOnly(
    gradient: Float32Array | DeviceBuffer | DeviceRange,
    variable: Parameter,
    learningRate: number,
  ): void {
    this.lifetime.ready('updateStep');
    const { executor } = this.build.made();
    executor.elsewhere?.check('updateStep');
    const target = this.#targetOf(variable);
    checkAlive(target);
    let g = isFloats(gradient) ? plainFloats(gradient) : gradient;
    checkGradient(g, target);
    if (g instanceof SparseGradient)
      throw new TypeError('updateStep takes a Float32Array, got a SparseGradient.');
    if (g instanceof Float32Array && this.#mayBeWritten(g, target)) g = new Float32Array(g);
    const { native } = executor;
    const rate = rateFrom('updateStep: learningRate', learningRate).at(native.iterations);
    this.options.handTo(native, null);
    executor.updateOnly(target, g as Float32Array, rate);
  }

  /** Whether a gradient may be a view of what the step writes; a variable's own gradient buffer is not. */
  #mayBeWritten(g: Float32Array, { variable, array }: Target): boolean {
    if (!this.build.core.owns(g)) return g.buffer === array?.buffer;
    return !variable || homeOf(variable).gradientAddress !== g.byteOffset;
  }

  finalize(variables: readonly Parameter[]): void {
    this.lifetime.idle('finalizeVariableValues');
    if (!this.options.values.useEma) return;
    this.lifetime.require();
    const { executor } = this.build.made();
    if (!Array.isArray(variables) || variables.length !== executor.targets.length)
      throw new RangeError(
        `finalizeVariableValues takes the ${executor.targets.length} built variables, got ${describe(variables)}.`,
      );
    const targets = variables.map((v) => this.#targetOf(v));
    targets.forEach(checkAlive);
    const { elsewhere } = executor;
    elsewhere?.check('finalizeVariableValues');
    for (const t of targets)
      if (elsewhere?.has(t.row)) elsewhere.overwrite(t.row);
      else executor.values(t).set(executor.averageOf(t) as Float32Array);
  }

  account(): Account | null {
    const { executor, core, earlier } = this.build;
    return executor && accountOf(core, executor, earlier);
  }

  async readAccount(): Promise<Account | null> {
    const { executor, core, earlier } = this.build;
    return executor && fullAccountOf(core, executor, earlier);
  }

  #targetOf(variable: Parameter): Target {
    const { executor, selection } = this.build.made();
    return executor.targets[selection.rowOf(variable)];
  }

  /** Validates a call, building first if variables are given; otherwise changes nothing. */
  #select(grads: readonly GradientLike[], variables: Variables): Made {
    const given = this.built(grads, variables);
    const made = this.build.made();
    made.executor.elsewhere?.check('apply');
    made.selection.select(given, variables);
    return made;
  }

  protected begin(
    grads: readonly GradientLike[],
    variables: Variables,
    lossScale: number,
    encoder?: object,
  ): void | Promise<void> {
    const { executor, selection } = this.ready(grads, variables, lossScale, this.rates());
    const waiting = this.prepare(encoder);
    if (waiting) {
      const held = heldCall(selection);
      const finished = waiting.then(() => this.#finish(executor, held));
      return executor.pending.during('apply', finished);
    }
    this.#finish(executor, selection, encoder);
  }

  /** Only a constraint of the user's own can throw: then the step is taken back. */
  #finish(executor: Executor, selection: Selection, encoder?: object): void {
    if (!executor.canThrow) {
      this.step(selection);
      this.commit(encoder);
      return;
    }
    executor.pending.within('apply', () => {
      const undo = this.#state.snapshot(executor);
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
    const { executor, selection } = made;
    if (selection.missing && this.options.values.compat !== 'torch')
      // PyTorch steps what has one, and says nothing
      warnOnce(`Gradients do not exist for variables ${selection.missing} when minimizing the loss.`); // may throw
    executor.lossScale = this.options.values.maximize ? -lossScale : lossScale;
    this.options.handTo(executor.native, rates);
    return made;
  }

  /** A promise where the step needs sums from a GPU. */
  prepare(encoder?: object): Promise<void> | null | undefined {
    const { executor, selection } = this.build.made();
    const { rows, gradients, count } = selection;
    return executor.elsewhere?.prepare(rows, gradients, count, this.options.values, encoder);
  }

  /** The step in the engine. */
  step(selection: Selection): void {
    const { executor } = this.build.made();
    executor.step(selection, this.options.values);
    executor.constrain(selection.rows, selection.count);
  }

  /** What was made for a GPU is forgotten. */
  discard(): void {
    this.build.executor?.elsewhere?.discard();
  }

  /** The step on a GPU. */
  commit(encoder?: object): void {
    this.build.executor?.elsewhere?.commit(encoder);
  }
}
