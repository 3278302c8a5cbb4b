// What building makes: the executor, which has a row of the engine for each variable, and the selection, which checks a
// call against them. build() and the first apply make them of Variables and arrays, adapters bring their own; they
// are given back if the call that needed them fails. What is done with them is run.ts.

import { describe } from '../basics/errors.js';
import type { Core } from '../engine/core.js';
import { ruleFacts } from '../engine/facts.js';
import { rateFrom } from '../schedules/rate.js';
import {
  copyEntry,
  ownCounts,
  ruleScalars,
  type StateEntry,
  scalarEntry,
  slotEntries,
} from '../state/entries.js';
import { EngineExecutor } from '../step/engine-executor.js';
import type { Executor } from '../step/executor.js';
import { isParameter, type Parameter, pathOf, targetsFor } from '../step/parameters.js';
import { ParameterSelection } from '../step/selection.js';
import { fillSlots } from '../step/slots.js';
import type { Target } from '../step/target.js';
import type { Configuration } from './configuration.js';
import { type Excluded, Exclusion, type SavedExclusion } from './exclusion.js';
import { groupOf } from './groups.js';
import type { Building, Made } from './parts.js';
import { type Account, accountOf } from './report.js';

export class Build implements Building {
  readonly core: Core;
  /** What the executors before this one have told of: where an adapter's variables come and go, it is replaced. */
  earlier: Account | null = null;
  readonly #options: Configuration;
  #made: Made | null = null;
  #excluded = new Exclusion();
  /** The count of calls that it will be built with. */
  #first = 0;
  byApply = false;

  constructor(core: Core, options: Configuration) {
    this.core = core;
    this.#options = options;
  }

  get executor(): Executor | null {
    return this.#made?.executor ?? null;
  }

  require(): Executor {
    return this.made().executor;
  }

  /** @throws Error if there is nothing */
  made(): Made {
    return this.#made ?? notBuilt(this.#options);
  }

  get iterations(): number {
    return this.executor?.native.iterations ?? this.#first;
  }
  set iterations(raw: number) {
    if (this.executor) this.executor.native.iterations = raw;
    else this.#first = raw;
  }

  /**
   * Of Variables and arrays; a second call with the same ones does nothing. `given`: what somebody has checked and
   * named already.
   * @throws TypeError, RangeError, Error; then nothing was made
   */
  make(variables: readonly Parameter[], given?: readonly Target[]): void {
    if (this.#made) {
      const { selection, executor } = this.#made;
      checkSame(this.#options.name, variables, executor.targets, (one) =>
        selection.knows(one) ? selection.rowOf(one) : undefined,
      );
      return;
    }
    const { core } = this;
    const targets = (given ?? targetsFor(variables, core)).map((target) => ({
      ...target,
      matrix: this.#options.matrixOf(target),
      stateDtype: this.#options.stateDtypeOf(target),
    }));
    this.#excluded.checkBuilt(variables);
    this.attach((rule, averages, accumulates) => {
      const executor = new EngineExecutor(core, rule, targets, averages, accumulates);
      return { executor, selection: new ParameterSelection(this.#options.name, core, executor, variables) };
    }, variables);
  }

  /**
   * Of what an adapter brings. A second call replaces both, and moves the state of the variables that stay.
   * @param parameters what rows were made of, where that is ours
   */
  attach(
    make: (rule: string, averages: boolean, accumulates: boolean) => Made,
    parameters: readonly Parameter[] = [],
  ): void {
    const { useEma, gradientAccumulationSteps } = this.#options.values;
    const made = make(this.#options.rule, useEma, Boolean(gradientAccumulationSteps));
    try {
      this.#settle(made.executor, parameters);
    } catch (error) {
      made.executor.delete();
      throw error;
    }
    if (this.executor) {
      const last = accountOf(this.core, this.executor, this.earlier);
      this.earlier = last?.told.some(({ away }) => away) ? null : last; // a GPU's sums go with the executor
      this.executor.delete();
    }
    this.#made = made;
    this.#options.bind(true);
  }

  /** What a new executor is told of its rows: what decay leaves alone, the groups, and the state that there was. */
  #settle(executor: Executor, parameters: readonly Parameter[]): void {
    const { native, targets } = executor;
    const { rateGroups, name } = this.#options;
    for (const t of targets) if (this.#excluded.has(t, parameters[t.row])) native.excludeFromDecay(t.row);
    const { groups } = this.#options.values;
    if (groups)
      for (const target of targets)
        if (groupOf(groups, target)?.decays === false) native.excludeFromDecay(target.row);
    if (rateGroups) for (const target of targets) native.setGroup(target.row, rateGroups.groupOf(target));
    const { hypers } = this.#options;
    for (const target of targets) fillSlots(executor, target, (hyper) => hypers.get(hyper) ?? 0);
    const first = ruleFacts(executor.rule).scalars.map((_, k) => native.scalar(k));
    native.iterations = this.iterations;
    if (!this.executor) return;
    this.#move(name, this.executor, executor);
    if (this.#options.values.compat === 'torch') countAnew(executor, first, this.executor.targets);
  }

  #move(name: string, from: Executor, to: Executor): void {
    const entries = new Map(this.#builtEntries(name, to).map((entry) => [entry.key, entry]));
    for (const entry of this.#builtEntries(name, from)) {
      const there = entries.get(entry.key);
      if (there) copyEntry(entry, there);
    }
  }

  /** Back to what it was before. */
  undo(): void {
    this.executor?.delete();
    this.#made = this.earlier = null;
    this.byApply = false;
    this.#options.bind(false);
  }

  /** A call that may build; what it has built is given back if it fails, also later. */
  orUndo<T extends void | Promise<void>>(call: () => T): T {
    return this.#made ? call() : undone(this, call);
  }

  entries(name: string): StateEntry[] {
    const { executor } = this;
    const options = this.#options;
    const iteration = scalarEntry(
      `${name}/iteration`,
      'int32',
      () => this.#saved(),
      (x) => {
        this.iterations = x;
      },
    );
    return [
      iteration,
      ...rateEntries(name, options),
      ...(executor ? this.#builtEntries(name, executor) : []),
    ];
  }

  #builtEntries(name: string, executor: Executor): StateEntry[] {
    const { compat, gradientAccumulationSteps } = this.#options.values;
    const slots = slotEntries(name, executor);
    const scalars = ruleScalars(name, executor);
    if (compat !== 'torch')
      return [...slots, ...scalars.map(asRaw)].map((entry) => this.#scoped(name, entry));
    const entries = [...slots, ...scalars];
    // Updates are calls by these, which the engine is told of with the next step: too late for counts that are read before.
    executor.native.accumulationSteps = gradientAccumulationSteps ?? 0;
    return [...entries, ...ownCounts(name, executor)];
  }

  #scoped(name: string, entry: StateEntry): StateEntry {
    return this.byApply || !entry.isRaw ? entry : { ...entry, path: entry.path.slice(name.length + 1) };
  }

  /** The count in Keras' type: so far out nothing depends on it but when the next accumulation, or overwrite, is due. */
  #saved(): number {
    const { gradientAccumulationSteps, emaOverwriteFrequency } = this.#options.values;
    const period = (gradientAccumulationSteps || 1) * ((emaOverwriteFrequency as number | null) || 1);
    const beyond = Math.max(0, this.iterations - (2 ** 31 - 1));
    return this.iterations - Math.ceil(beyond / period) * period;
  }

  /** Whether weight decay leaves it alone, by `exclude` or by its group. */
  isExcluded(target: Target): boolean {
    const { groups } = this.#options.values;
    const parameter = (target.variable ?? target.array) as Parameter;
    return (
      this.#excluded.has(target, parameter) || (groups !== null && groupOf(groups, target)?.decays === false)
    );
  }

  /** @throws Error if there is something already; TypeError, RangeError */
  exclude(which: Excluded): void {
    this.#excluded = Exclusion.before(this.#made, which);
  }

  /** What is excluded, as it is saved beside a config: null if nothing is. @throws Error for what has no path yet */
  get exclusion(): SavedExclusion | null {
    return this.#excluded.save((parameter) => {
      const { selection, executor } = this.#made ?? {};
      return executor?.targets[selection?.rowOf(parameter) as number].path;
    });
  }
  set exclusion(saved: SavedExclusion) {
    this.#excluded = Exclusion.from(saved);
  }
}

/** @throws Error always */
export function notBuilt({ name }: Configuration): never {
  throw new Error(
    `The optimizer '${name}' is not built: call build(variables) first, or pass the variables to apply().`,
  );
}

/** Whether these are the variables that were built, in their order. @throws TypeError, Error if not */
export function checkSame(
  name: string,
  variables: readonly Parameter[],
  targets: readonly Target[],
  rowOf: (parameter: Parameter) => number | undefined,
): void {
  if (!Array.isArray(variables))
    throw new TypeError(`build takes an array of variables, got ${describe(variables)}.`);
  const refuse = (difference: string) => {
    throw new Error(
      `build: the optimizer '${name}' is built already, with ${targets.length} variables: ${difference}. Make another optimizer for others.`,
    );
  };
  if (variables.length !== targets.length) refuse(`${variables.length} were given now`);
  for (const { row, path } of targets) {
    const given = variables[row];
    if (isParameter(given) && rowOf(given) === row) continue;
    refuse(
      `variables[${row}] was '${path}', and is ${isParameter(given) ? pathOf(given) : describe(given)} now`,
    );
  }
}

/** A call, and what it has built is undone if it fails, also later. */
export function undone<T extends void | Promise<void>>(building: { undo(): void }, call: () => T): T {
  const refuse = (error: unknown): never => {
    building.undo();
    throw error;
  };
  try {
    const waiting = call();
    return (waiting instanceof Promise ? waiting.catch(refuse) : waiting) as typeof waiting;
  } catch (error) {
    return refuse(error);
  }
}

const asRaw = (entry: StateEntry): StateEntry => ({ ...entry, isRaw: true });

/** PyTorch counts from 1 for what comes later, and the rule's scalars are what they were at first. */
function countAnew({ native, targets }: Executor, first: readonly number[], known: readonly Target[]): void {
  const paths = new Set(known.map(({ path }) => path));
  for (const { row } of targets.filter(({ path }) => !paths.has(path))) {
    native.setUpdates(row, 0);
    first.forEach((x, k) => {
      native.setScalarOf(row, k, x);
    });
  }
}

function rateEntries(name: string, options: Configuration): StateEntry[] {
  if (!options.rate.isNumber) return [];
  const label = `${name}/learning_rate`;
  const read = () => options.rate.at(0);
  const check = (x: number) => rateFrom(label, x);
  const write = (x: number) => options.setRate(check(x));
  return [scalarEntry(label, 'float32', read, write, check)];
}
