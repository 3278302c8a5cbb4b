// The parts of an optimizer, and how the rest of the package gets at those of one that it was given: wrappers such as
// LossScaleOptimizer, adapters, files. Users have the public class alone.

import type { Core } from '../engine/core.js';
import type { State } from '../state/state.js';
import type { Executor, Selection } from '../step/executor.js';
import type { Parameter } from '../step/parameters.js';
import type { DeviceBuffer, DeviceRange } from '../step/remote.js';
import type { GradientLike, Target } from '../step/target.js';
import type { Configuration } from './configuration.js';
import type { Excluded, SavedExclusion } from './exclusion.js';
import type { Holder, Lifetime } from './lifetime.js';
import type { Account } from './report.js';

/** An executor, and what checks a call against its rows. */
export interface Made {
  readonly executor: Executor;
  readonly selection: Selection;
}

/** What building makes: build.ts, or multi-build.ts. */
export interface Building extends Holder {
  readonly core: Core;
  /** Settable also before anything is built. */
  iterations: number;
  /** What is excluded from weight decay, as it is saved beside a config: null if nothing is. */
  get exclusion(): SavedExclusion | null;
  set exclusion(saved: SavedExclusion);
  make(variables: readonly Parameter[], given?: readonly Target[]): void;
  /** Whether `apply` has made it: then Keras has the optimizer's name before all names. */
  byApply: boolean;
  /** Of what an adapter brings. */
  attach(
    make: (rule: string, averages: boolean, accumulates: boolean) => Made,
    parameters?: readonly Parameter[],
  ): void;
  undo(): void;
  orUndo<T extends void | Promise<void>>(call: () => T): T;
  exclude(which: Excluded): void;
}

/** What is done with it: run.ts, or multi-run.ts. */
export interface Running {
  apply(grads: readonly GradientLike[], variables: readonly Parameter[] | undefined): void | Promise<void>;
  /** A step whose gradients are divided by `lossScale` first. */
  applyScaled(
    grads: readonly GradientLike[],
    variables: readonly Parameter[] | undefined,
    lossScale: number,
    encoder?: object,
  ): void | Promise<void>;
  record(encoder: object, grads: readonly GradientLike[], variables: readonly Parameter[] | undefined): void;
  /** Whether all gradients are finite. Builds, if variables are given. */
  allFinite(
    grads: readonly GradientLike[],
    variables: readonly Parameter[] | undefined,
  ): boolean | Promise<boolean>;
  /** Calls `step` with whether they are; where a GPU must be waited for, later, with copies of them. */
  ifFinite(
    grads: readonly GradientLike[],
    variables: readonly Parameter[] | undefined,
    step: (finite: boolean, grads: readonly GradientLike[]) => void | Promise<void>,
    encoder?: object,
  ): void | Promise<void>;
  /** Steps left out because of a gradient that was not finite. */
  skipped: number;
  updateOnly(
    gradient: Float32Array | DeviceBuffer | DeviceRange,
    variable: Parameter,
    learningRate: number,
  ): void;
  finalize(variables: readonly Parameter[]): void;
  /** What the last monitored update was like. */
  account(): Account | null;
  readAccount(): Promise<Account | null>;
}

export interface Parts<B extends Building = Building, R extends Running = Running> {
  readonly options: Configuration;
  readonly build: B;
  readonly lifetime: Lifetime;
  readonly state: State;
  readonly run: R;
  /** It has no rule of its own, but other optimizers within it. */
  readonly wraps: boolean;
}

/** The optimizer itself: a subclass may have a `build` of its own. */
export interface Face {
  build(variables: readonly Parameter[]): void;
}

/** What an optimizer round others has in place of parts of its own. */
export interface Wrapping {
  readonly holder?: Holder;
  build?(options: Configuration): Building;
  run?(options: Configuration, build: Building, lifetime: Lifetime, face: Face): Running;
}

const parts = new WeakMap<object, Parts>();

/** Of an optimizer; there is nothing for anything else. */
export const partsOf = (optimizer: object): Parts => parts.get(optimizer) as Parts;

/** Whether an optimizer is of a class of ours, and of no subclass of it. */
export function isBuiltIn(optimizer: object): boolean {
  const type = optimizer.constructor as { className?: string };
  return Object.hasOwn(type, 'className') && type.className === partsOf(optimizer).options.kind.className;
}

/** To be called once, by the constructor. */
export function keepParts(optimizer: object, own: Parts): void {
  parts.set(optimizer, own);
}
