// Variables of another library by name: what an optimizer is attached to in place of a list from build(). New
// names may come at any step. Where the arrays are and how they are reached is the library's Access.

import { describe } from '../basics/errors.js';
import { sizeOf } from '../basics/floats.js';
import type { Core } from '../engine/core.js';
import { LossScaleOptimizer } from '../optimizers/loss-scale.js';
import { MultiOptimizer } from '../optimizers/multi.js';
import type { Optimizer } from '../optimizers/optimizer.js';
import { partsOf } from '../optimizers/parts.js';
import type { Executor, Selection } from '../step/executor.js';
import { copyToSlots, startsFromWeights } from '../step/slots.js';
import type { Gradient, Target } from '../step/target.js';

export interface Named {
  readonly name: string;
  readonly shape: readonly number[];
}

/** One library's memory. */
export interface Access<V extends Named, G> {
  executor(
    core: Core,
    rule: string,
    targets: readonly Target[],
    averages: boolean,
    accumulates: boolean,
  ): Executor;
  /** Refuses what does not fit; changes nothing. */
  check(variable: V, gradient: G | null, target: Target): void;
  /** Shows the executor where a variable is now; and a gradient, as the executor takes it. */
  bind(variable: V, target: Target): void;
  bindGradient(gradient: G, target: Target): unknown;
}

/** The optimizer that holds the rows: LossScaleOptimizer has one within. */
export const innermost = (optimizer: Optimizer): Optimizer =>
  optimizer instanceof LossScaleOptimizer ? optimizer.innerOptimizer : optimizer;

/** What it has built; a Roster refuses one that has several. */
export const executorOf = (optimizer: Optimizer): Executor =>
  partsOf(optimizer).lifetime.require() as Executor;

/** The variables of an optimizer that has not been built: another list than that of one whose variables have all gone. */
export const nobody: readonly Target[] = [];

export class Roster<V extends Named, G> implements Selection {
  readonly rows: number[] = [];
  readonly gradients: Gradient[] = [];
  readonly addresses: number[] = [];
  count = 0;
  version = 0;
  /** Libraries give no gradient for what they do not train: nothing to warn of. */
  readonly missing = '';
  targets: readonly Target[] = nobody;
  readonly #optimizer: Optimizer;
  #access: Access<V, G>;
  /** What was made last. */
  #executor: Executor | null = null;
  readonly #rowOf = new Map<string, number>();

  /** @throws TypeError for a MultiOptimizer; Error if the optimizer was built with variables of another kind */
  constructor(optimizer: Optimizer, access: Access<V, G>) {
    this.#optimizer = innermost(optimizer);
    this.#access = access;
    if (this.#optimizer instanceof MultiOptimizer)
      throw new TypeError(
        'MultiOptimizer steps Variables and arrays; give the adapter one optimizer for all.',
      );
    this.#checkOwn();
  }

  /** Nobody else has built it: an optimizer is for one list of variables, in one memory. */
  #checkOwn(): void {
    const { name, built } = this.#optimizer;
    if (built && executorOf(this.#optimizer) !== this.#executor)
      throw new Error(
        `The optimizer '${name}' is built with variables already; give the adapter a fresh one.`,
      );
  }

  get access(): Access<V, G> {
    return this.#access;
  }

  has(name: string): boolean {
    return this.#rowOf.has(name);
  }

  /** Makes state for more variables. @throws TypeError, RangeError; then nothing has changed. */
  add(variables: readonly V[]): void {
    const { options } = partsOf(this.#optimizer);
    const more = variables.map(({ name, shape }, k): Target => {
      const size = sizeOf(shape);
      const row = this.targets.length + k;
      const short = name.split('/').pop() as string;
      const target = {
        row,
        name: short,
        path: name,
        shape,
        size,
        variable: null,
        array: null,
        constraint: null,
      };
      return { ...target, matrix: options.matrixOf(target), stateDtype: options.stateDtypeOf(target) };
    });
    more.forEach((target, k) => {
      this.#access.check(variables[k], null, target);
    });
    this.#attach([...this.targets, ...more], this.#access);
    for (const { path, row } of more) this.#rowOf.set(path, row);
    this.#copyWeights(variables, more);
  }

  /** Slots that start as a copy of the variable: of those that come now, before any state is put into them. */
  #copyWeights(variables: readonly V[], targets: readonly Target[]): void {
    const executor = executorOf(this.#optimizer);
    if (!startsFromWeights(executor.rule)) return;
    targets.forEach((target, k) => {
      this.#access.bind(variables[k], target);
      copyToSlots(executor, target);
    });
  }

  /** Forgets variables and frees their state; that of the others stays. */
  drop(names: ReadonlySet<string>): void {
    const rest = this.targets.filter(({ path }) => !names.has(path));
    this.#attach(
      rest.map((target, row) => ({ ...target, row, array: null })),
      this.#access,
    );
    this.#rowOf.clear();
    for (const { path, row } of this.targets) this.#rowOf.set(path, row);
  }

  /** A call that may need state for more variables: if it fails, that is given back. */
  during<T>(fresh: readonly V[], call: () => T): T {
    const before = this.targets;
    try {
      if (fresh.length) this.add(fresh);
      return call();
    } catch (error) {
      this.keepOnly(before);
      throw error;
    }
  }

  /** Gives back the state of variables that have come since. */
  keepOnly(before: readonly Target[]): void {
    if (this.targets.length === before.length) return;
    for (const { path, row } of this.targets) if (row >= before.length) this.#rowOf.delete(path);
    if (before === nobody) {
      partsOf(this.#optimizer).build.undo();
      this.targets = nobody;
    } else {
      // As they are now: they may have moved to another memory since.
      this.#attach(this.targets.slice(0, before.length), this.#access);
    }
  }

  /** The same variables in another memory; their state moves with them. */
  move(access: Access<V, G>): void {
    if (this.targets.length)
      this.#attach(
        this.targets.map((target) => ({ ...target, array: null, variable: null })),
        access,
      );
    this.#access = access;
  }

  knows(variable: unknown): boolean {
    return this.has((variable as Named | null)?.name ?? '');
  }

  rowOf(variable: unknown): number {
    const row = this.#rowOf.get((variable as Named | null)?.name ?? '');
    if (row === undefined)
      throw new Error(
        `Unknown variable ${describe(variable)}: this optimizer steps variables of another library; call its adapter.`,
      );
    return row;
  }

  select(grads: readonly unknown[], variables?: readonly unknown[]): void {
    if (!variables) throw new Error('This optimizer steps variables of another library; call its adapter.');
    const list = variables as readonly V[];
    if (this.#optimizer.useEma && list.length < this.targets.length)
      throw new Error('With useEma every variable is needed at every step, also those without a gradient.');
    const given = grads as readonly (G | null | undefined)[];
    const seen = new Set<number>();
    list.forEach((variable, k) => {
      const row = this.rowOf(variable);
      if (seen.has(row)) throw new RangeError(`The variable '${variable.name}' is given twice.`);
      seen.add(row);
      this.#access.check(variable, given[k] ?? null, this.targets[row]);
    });
    this.count = 0;
    this.version++; // arrays of a library may be others at every step
    // All before any gradient: whoever shares the data of a variable keeps it elsewhere from then on.
    for (const variable of list) this.#access.bind(variable, this.targets[this.rowOf(variable)]);
    list.forEach((variable, k) => {
      const gradient = given[k];
      const row = this.rowOf(variable);
      if (gradient === null || gradient === undefined) return;
      this.rows[this.count] = row;
      this.addresses[this.count] = 0;
      this.gradients[this.count++] = this.#access.bindGradient(gradient, this.targets[row]) as Gradient;
    });
    if (this.count === 0) throw new RangeError('No gradients provided for any variable.');
  }

  #attach(targets: readonly Target[], access: Access<V, G>): void {
    const { lifetime, build } = partsOf(this.#optimizer);
    lifetime.alive();
    this.#checkOwn();
    build.attach((rule, averages, accumulates) => ({
      executor: access.executor(build.core, rule, targets, averages, accumulates),
      selection: this,
    }));
    this.#executor = executorOf(this.#optimizer);
    this.targets = targets;
  }
}
