// What building makes: the stepper, which has a row of the engine for each variable, and the selection, which checks a
// call against them. build() and the first apply make them of Variables and arrays, adapters bring their own; they
// are given back if the call that needed them fails. What is done with them is run.ts.

import type { Engine } from '../engine/engine.js';
import { rateFrom } from '../schedules/rate.js';
import { ruleScalars, type StateEntry, scalarEntry, slotEntries } from '../state/entries.js';
import { type Parameter, targetsFor } from '../step/parameters.js';
import { Selection } from '../step/selection.js';
import { fillSlots } from '../step/slots.js';
import { Stepper } from '../step/stepper.js';
import type { Stepping } from '../step/stepping.js';
import type { Target } from '../step/target.js';
import type { Configuration } from './configuration.js';
import { type Excluded, Exclusion } from './exclusion.js';
import type { Building, Made } from './parts.js';

export class Build implements Building {
  readonly engine: Engine;
  readonly #options: Configuration;
  #made: Made | null = null;
  #excluded = new Exclusion();

  constructor(engine: Engine, options: Configuration) {
    this.engine = engine;
    this.#options = options;
  }

  get stepper(): Stepping | null {
    return this.#made?.stepper ?? null;
  }

  get iterations(): number {
    return this.stepper?.native.iterations ?? 0;
  }

  require(): Stepping {
    return this.made().stepper;
  }

  /** @throws Error if there is nothing */
  made(): Made {
    if (!this.#made)
      throw new Error(
        `The optimizer '${this.#options.name}' is not built: call build(variables) first, or pass the variables to apply().`,
      );
    return this.#made;
  }

  /**
   * Of Variables and arrays; a second call does nothing. `given`: what somebody has checked and named already.
   * @throws TypeError, RangeError, Error; then nothing was made
   */
  make(variables: readonly Parameter[], given?: readonly Target[]): void {
    if (this.#made) return;
    const { engine } = this;
    const targets = given ?? targetsFor(variables, engine);
    this.attach((rule, averages, accumulates) => ({
      stepper: new Stepper(engine, rule, targets, averages, accumulates),
      selection: new Selection(this.#options.name, engine, targets, variables),
    }));
    for (const { row } of targets)
      if (this.#excluded.lists(variables[row])) this.require().native.excludeFromDecay(row);
  }

  /** Of what an adapter brings. A second call replaces both, and moves the state of the variables that stay. */
  attach(make: (rule: string, averages: boolean, accumulates: boolean) => Made): void {
    const { useEma, gradientAccumulationSteps } = this.#options.values;
    const made = make(this.#options.rule, useEma, Boolean(gradientAccumulationSteps));
    try {
      this.#settle(made.stepper);
    } catch (error) {
      made.stepper.delete();
      throw error;
    }
    this.stepper?.delete();
    this.#made = made;
    this.#options.bind(true);
  }

  /** What a new stepper is told of its rows: what decay leaves alone, the groups, and the state that there was. */
  #settle(stepper: Stepping): void {
    const { native, targets } = stepper;
    const { rateGroups, name } = this.#options;
    for (const { row, name } of targets) if (this.#excluded.matches(name)) native.excludeFromDecay(row);
    if (rateGroups) for (const target of targets) native.setGroup(target.row, rateGroups.groupOf(target));
    const { hypers } = this.#options;
    for (const target of targets) fillSlots(stepper, target, (hyper) => hypers.get(hyper) ?? 0);
    const before = this.stepper;
    if (!before) return;
    native.iterations = before.native.iterations;
    const entries = new Map(builtEntries(name, stepper).map((entry) => [entry.key, entry]));
    for (const { key, read } of builtEntries(name, before)) entries.get(key)?.write(read());
  }

  /** Back to what it was before. */
  undo(): void {
    this.stepper?.delete();
    this.#made = null;
    this.#options.bind(false);
  }

  /** A call that may build; what it has built is given back if it fails, also later. */
  orUndo<T extends void | Promise<void>>(call: () => T): T {
    return this.#made ? call() : undone(this, call);
  }

  entries(name: string): StateEntry[] {
    const { stepper } = this;
    const options = this.#options;
    const iteration = scalarEntry(
      `${name}/iteration`,
      'int32',
      () => stepper?.native.iterations ?? 0,
      (x) => {
        if (stepper) stepper.native.iterations = x;
      },
    );
    return [iteration, ...rateEntries(name, options), ...(stepper ? builtEntries(name, stepper) : [])];
  }

  /** @throws Error if there is something already; TypeError, RangeError */
  exclude(which: Excluded): void {
    if (this.#made)
      throw new Error('excludeFromWeightDecay must be called before build, and before the first apply.');
    this.#excluded = new Exclusion(which);
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

const builtEntries = (name: string, stepper: Stepping): StateEntry[] => [
  ...slotEntries(name, stepper),
  ...ruleScalars(name, stepper),
];

function rateEntries(name: string, options: Configuration): StateEntry[] {
  if (!options.rate.isNumber) return [];
  const label = `${name}/learning_rate`;
  const read = () => options.rate.at(0);
  const check = (x: number) => rateFrom(label, x);
  const write = (x: number) => options.setRate(check(x));
  return [scalarEntry(label, 'float32', read, write, check)];
}
