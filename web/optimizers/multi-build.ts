// What building a MultiOptimizer makes: its optimizers, each with the variables that the map gives it, or none of them;
// and its own counter. The optimizers' own state is built by build.ts.

import type { Core } from '../engine/core.js';
import { type StateEntry, scalarEntry } from '../state/entries.js';
import { type Parameter, targetsFor } from '../step/parameters.js';
import type { Target } from '../step/target.js';
import { checkSame, notBuilt, undone } from './build.js';
import type { Configuration } from './configuration.js';
import { type Excluded, Exclusion, type SavedExclusion } from './exclusion.js';
import { chosen, type OptimizerChoice, OptimizerMap } from './multi-map.js';
import { Part, Several, type Share } from './multi-parts.js';
import type { Optimizer } from './optimizer.js';
import { type Building, partsOf } from './parts.js';

export class MultiBuild implements Building {
  readonly core: Core;
  readonly choice: OptimizerChoice;
  /** Those of the map in its order, the default one, then those that a function gave. */
  optimizers: readonly Optimizer[];
  /** Keras does not ask here. */
  byApply = false;
  /** Calls, and those that it will be built with. */
  #calls = 0;
  #first = 0;
  readonly #options: Configuration;
  #made: Several | null = null;
  #excluded = new Exclusion();
  /** How to take back what building has changed in optimizers that were not known before. */
  #restore: () => void = () => {};

  constructor(core: Core, choice: OptimizerChoice, options: Configuration) {
    this.core = core;
    this.choice = choice;
    this.#options = options;
    this.optimizers = known(choice);
  }

  get iterations(): number {
    return this.#made ? this.#calls : this.#first;
  }
  set iterations(calls: number) {
    if (this.#made) this.#calls = calls;
    else this.#first = calls;
  }

  /** null also when one of the optimizers was disposed by itself. */
  get executor(): Several | null {
    return this.#made?.parts.every(({ parts }) => parts.lifetime.executor) ? this.#made : null;
  }

  /** @throws Error if there is nothing, or if one of the optimizers was disposed by itself */
  require(): Several {
    const made = this.#made ?? notBuilt(this.#options);
    for (const { parts } of made.parts) parts.lifetime.require();
    return made;
  }

  make(variables: readonly Parameter[], given?: readonly Target[]): void {
    if (this.#made) {
      const { targets, rowOf } = this.require();
      checkSame(this.#options.name, variables, targets, (one) => rowOf.get(one));
      return;
    }
    const targets = given ?? targetsFor(variables, this.core);
    const choices = targets.map(({ row, path }) => chosen(this.choice, variables[row], path));
    this.#excluded.checkBuilt(variables);
    const optimizers = [...new Set([...known(this.choice), ...choices])];
    for (const optimizer of optimizers) {
      partsOf(optimizer).lifetime.idle('build');
      if (optimizer.built)
        throw new Error(
          `MultiOptimizer: the optimizer '${optimizer.name}' is built with variables already; give it a fresh one.`,
        );
    }
    this.#made = this.#build(variables, targets, choices);
    this.#calls = this.#first;
    this.#take(optimizers);
  }

  /** All of them, or none. */
  #build(
    variables: readonly Parameter[],
    targets: readonly Target[],
    choices: readonly Optimizer[],
  ): Several {
    const partOf = new Map(choices.map((optimizer) => [optimizer, new Part(optimizer)]));
    const shares = targets.map((target, k): Share => {
      const part = partOf.get(choices[k]) as Part;
      part.add(variables[k], target);
      return { part, row: part.targets.length - 1 };
    });
    try {
      for (const part of partOf.values()) {
        part.optimizer.build(part.variables, part.targets);
        for (const target of part.targets)
          if (this.#excluded.has(target, part.variables[target.row]))
            part.executor.native.excludeFromDecay(target.row);
      }
      return new Several(this.core, variables, targets, shares);
    } catch (error) {
      for (const { parts } of partOf.values()) parts.build.undo();
      throw error;
    }
  }

  /** The optimizers are ours from now on. As in Keras, the loss scale factor is that of the whole. */
  #take(optimizers: readonly Optimizer[]): void {
    const before = this.optimizers;
    const fresh = optimizers.filter((optimizer) => !before.includes(optimizer));
    const factors = fresh.map(({ lossScaleFactor }) => lossScaleFactor);
    this.#restore = () => {
      this.optimizers = before;
      fresh.forEach((optimizer, k) => {
        partsOf(optimizer).options.write('lossScaleFactor', factors[k]); // it may have been disposed
      });
    };
    this.optimizers = optimizers;
    for (const optimizer of fresh) {
      optimizer.lossScaleFactor = this.#options.values.lossScaleFactor;
      if (this.#first > 0) partsOf(optimizer).build.iterations = this.#first;
    }
  }

  attach(): never {
    throw new Error(
      'MultiOptimizer steps Variables and arrays of its own; give an adapter an optimizer for all variables.',
    );
  }

  undo(): void {
    if (!this.#made) return;
    for (const { parts } of this.#made.parts) parts.build.undo();
    this.#made = null;
    this.#restore();
  }

  orUndo<T extends void | Promise<void>>(call: () => T): T {
    return this.#made ? call() : undone(this, call);
  }

  entries(name: string): StateEntry[] {
    const read = () => this.iterations;
    const write = (x: number) => {
      this.iterations = x;
    };
    // All list their variables' own counts, or none does: the length of a list of weights tells which it is.
    const apart = () => this.executor?.executors.some(({ native }) => native.apart()) ?? false;
    return [
      scalarEntry(`${name}/iteration`, 'int32', read, write),
      scalarEntry(
        `${name}/learning_rate`,
        'float32',
        () => 0,
        () => {},
      ), // Keras has one, and never uses it
      ...this.optimizers.flatMap((optimizer, k) =>
        partsOf(optimizer)
          .state.entries()
          .map((entry) => ({ ...entry, ...(entry.apart && { apart }), key: `${k}/${entry.key}` })),
      ),
    ];
  }

  /** Whether weight decay leaves it alone, whatever its own optimizer says. */
  isExcluded(target: Target): boolean {
    return this.#excluded.has(target, (target.variable ?? target.array) as Parameter);
  }

  /** Besides what each of them excludes. @throws Error if there is something already; TypeError, RangeError */
  exclude(which: Excluded): void {
    this.#excluded = Exclusion.before(this.#made, which);
  }

  get exclusion(): SavedExclusion | null {
    return this.#excluded.save((parameter) => {
      const row = this.#made?.rowOf.get(parameter);
      return row === undefined ? undefined : this.#made?.targets[row].path;
    });
  }
  set exclusion(saved: SavedExclusion) {
    this.#excluded = Exclusion.from(saved);
  }
}

/** Those that are known before a variable is seen. */
const known = (choice: OptimizerChoice): Optimizer[] =>
  choice instanceof OptimizerMap ? [...new Set([...choice.values(), choice.defaultOptimizer])] : [];
