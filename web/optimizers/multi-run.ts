// One call of a MultiOptimizer: every optimizer's share is validated before any of them is stepped, and if one fails all
// are taken back. What a share does is run.ts.

import { describe } from '../basics/errors.js';
import type { Selection } from '../step/executor.js';
import { isParameter, type Parameter, pathOf } from '../step/parameters.js';
import type { DeviceBuffer, DeviceRange } from '../step/remote.js';
import { checkAlive, heldCall, isDisposed } from '../step/selection.js';
import type { GradientLike } from '../step/target.js';
import { BaseRun, type Variables } from './base-run.js';
import type { MultiBuild } from './multi-build.js';
import type { Part, Several } from './multi-parts.js';
import type { Account } from './report.js';

/** A share of a call, validated. */
interface Call {
  readonly part: Part;
  readonly selection: Selection;
}

export class MultiRun extends BaseRun<MultiBuild> {
  protected begin(
    grads: readonly GradientLike[],
    variables: Variables,
    lossScale: number,
    encoder?: object,
  ): void | Promise<void> {
    grads = this.built(grads, variables);
    // All at first: what is a function of the user's may call this optimizer.
    const rates = new Map(this.build.require().parts.map((part) => [part, part.run.rates()]));
    const several = this.#share(grads, variables);
    const calls = this.#active(several, variables).map((part): Call => {
      const given = variables && part.given;
      const made = part.run.ready(part.grads, given, lossScale, rates.get(part) ?? null);
      return { part, selection: made.selection };
    });
    const waiting = this.#prepare(calls, encoder);
    if (waiting.length === 0) {
      this.#finish(several, calls, encoder);
      return undefined;
    }
    const held = calls.map(({ part, selection }) => ({ part, selection: heldCall(selection) }));
    const finished = Promise.all(waiting).then(
      () => this.#finish(several, held),
      (error) => {
        discard(calls);
        throw error;
      },
    );
    return several.pending.during('apply', finished);
  }

  /** As a step is that of all optimizers or of none, it is enough if one of them wants it. */
  protected get skips(): boolean {
    return this.build.optimizers.some(({ skipNonFinite }) => skipNonFinite);
  }

  allFinite(grads: readonly GradientLike[], variables: Variables): boolean | Promise<boolean> {
    const several = this.#share(grads, variables);
    const known = this.#active(several, variables).map((part) =>
      part.run.allFinite(part.grads, variables && part.given),
    );
    if (!known.some((each) => each instanceof Promise)) return known.every(Boolean);
    return Promise.all(known).then((all) => all.every(Boolean));
  }

  updateOnly(
    gradient: Float32Array | DeviceBuffer | DeviceRange,
    variable: Parameter,
    learningRate: number,
  ): void {
    this.lifetime.ready('updateStep');
    const several = this.build.require();
    several.shares[this.#rowOf(several, variable)].part.run.updateOnly(gradient, variable, learningRate);
  }

  finalize(variables: readonly Parameter[]): void {
    this.lifetime.idle('finalizeVariableValues');
    if (!this.build.optimizers.some(({ useEma }) => useEma)) return;
    const several = this.build.require();
    if (!Array.isArray(variables) || variables.length !== several.targets.length)
      throw new RangeError(
        `finalizeVariableValues takes the ${several.targets.length} built variables, got ${describe(variables)}.`,
      );
    const rows = new Set(variables.map((variable) => this.#rowOf(several, variable)));
    if (rows.size < variables.length)
      throw new RangeError('finalizeVariableValues: a variable is given twice.');
    several.targets.forEach(checkAlive);
    several.elsewhere?.check('finalizeVariableValues');
    for (const { run, variables } of several.parts) run.finalize(variables);
  }

  /** That of all optimizers, if each has told of the same update. */
  account(): Account | null {
    return joined((this.build.executor?.parts ?? []).map(({ run }) => run.account()));
  }

  async readAccount(): Promise<Account | null> {
    return joined(await Promise.all((this.build.executor?.parts ?? []).map(({ run }) => run.readAccount())));
  }

  #rowOf(several: Several, variable: unknown): number {
    const row = several.rowOf.get(variable);
    if (row !== undefined) return row;
    if (!isParameter(variable))
      throw new TypeError(`A variable must be a Variable or a Float32Array, got ${describe(variable)}.`);
    throw new Error(
      `Unknown variable ${pathOf(variable)}: the optimizer '${this.options.name}' was built with ${several.targets.length} others.`,
    );
  }

  /** Gives every optimizer its share of the lists. As in Keras no variable may be left out; a disposed one may. */
  #share(grads: readonly GradientLike[], variables: Variables): Several {
    const given = this.built(grads, variables);
    const several = this.build.require();
    const { shares, targets } = several;
    const expected = variables ? targets.filter((target) => !isDisposed(target)).length : targets.length;
    if (given.length !== (variables?.length ?? expected))
      throw new RangeError(
        `apply: ${given.length} gradients for ${variables?.length ?? expected} variables; there must be one for each (null where there is none).`,
      );
    const rows = variables?.map((variable) => this.#rowOf(several, variable));
    for (const row of rows ?? []) checkAlive(targets[row]);
    if (given.length !== expected)
      throw new RangeError(
        `apply: MultiOptimizer steps all of its ${expected} variables together (null where there is no gradient), got ${given.length}.`,
      );
    if (!variables || !rows) {
      shares.forEach(({ part, row }, k) => {
        part.grads[row] = several.apart(given[k], k);
      });
      return several;
    }
    for (const part of several.parts) part.grads.length = part.given.length = 0;
    rows.forEach((row, k) => {
      const { part } = shares[row];
      part.grads.push(several.apart(given[k], row));
      part.given.push(variables[k]);
    });
    return several;
  }

  /**
   * Those that have something to do: all, but for one whose variables were disposed, and for one that is PyTorch's and has
   * no gradient, unless none has: PyTorch passes over such a group, and Keras refuses it.
   */
  #active({ parts }: Several, variables: Variables): readonly Part[] {
    const asked = variables ? parts.filter(({ given }) => given.length > 0) : parts;
    const active = asked.filter(
      ({ grads, parts: { options } }) =>
        options.values.compat !== 'torch' || grads.some((gradient) => gradient),
    );
    return active.length > 0 ? active : asked;
  }

  #prepare(calls: readonly Call[], encoder?: object): Promise<void>[] {
    try {
      return calls.flatMap(({ part }) => part.run.prepare(encoder) ?? []);
    } catch (error) {
      discard(calls);
      throw error;
    }
  }

  /** Only a constraint of the user's own can throw: then all of it is taken back. */
  #finish(several: Several, calls: readonly Call[], encoder?: object): void {
    if (!calls.some(({ part }) => part.executor.canThrow)) {
      this.#step(calls, encoder);
      return;
    }
    several.pending.within('apply', () => {
      const undo = calls.map(({ part }) => part.parts.state.snapshot(part.executor));
      try {
        this.#step(calls, encoder);
      } catch (error) {
        discard(calls);
        for (const each of undo) each();
        throw error;
      }
    });
  }

  #step(calls: readonly Call[], encoder?: object): void {
    for (const { part, selection } of calls) part.run.step(selection);
    for (const { part } of calls) part.run.commit(encoder);
    this.build.iterations++;
  }
}

/** That of one update, told of by several optimizers. */
function joined(all: readonly (Account | null)[]): Account | null {
  const [first] = all;
  if (!first || !all.every((one) => one?.iteration === first.iteration)) return null;
  return { ...first, told: all.flatMap((one) => one?.told ?? []) };
}

function discard(calls: readonly Call[]): void {
  for (const { part } of calls) part.run.discard();
}
