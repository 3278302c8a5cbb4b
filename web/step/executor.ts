// What an optimizer asks of whatever moves its data: rows, one step over them, views of the state. engine-executor.ts is
// the engine's own; adapters for memory of other libraries bring theirs.

import type { EngineOptimizer } from '../engine/core.js';
import type { Elsewhere } from './elsewhere.js';
import type { NarrowSlot } from './narrow.js';
import type { Pending } from './pending.js';
import type { Gradient, GradientLike, StepOptions, Target } from './target.js';

/** What an optimizer has built, as far as it is asked for outside a step: its executor, or those of several within it. */
export interface Built {
  readonly targets: readonly Target[];
  /** The rows that live on a GPU, if there are any. */
  readonly elsewhere?: Pick<Elsewhere, 'check' | 'has'> | null;
  /** What has begun and not settled. */
  readonly pending: Pick<Pending, 'check' | 'during' | 'within' | 'afterwards'>;
  /** Those within, if there are several. */
  readonly executors?: readonly Executor[];
  /** Which of their reports belong together, if there are several. */
  joint?: object | null;
  /** A live view of the values of a built variable. */
  values(target: Target): Float32Array;
}

export interface Executor extends Built {
  readonly native: EngineOptimizer;
  readonly rule: string;
  readonly elsewhere?: Elsewhere | null;
  readonly pending: Pending;
  /** A constraint of the user's own may throw after the update. */
  readonly canThrow: boolean;
  /** What gradients are divided by. */
  lossScale: number;
  /** Steps what was selected. Cannot throw. */
  step(selection: Selection, options: StepOptions): void;
  constrain(rows: readonly number[], count: number): void;
  /** The rule alone, on one variable. */
  updateOnly(target: Target, g: Float32Array, rate: number): void;
  isFinite(gradient: Gradient): boolean;
  /** Live views of its state arrays, null where there is none. */
  averageOf(target: Target): Float32Array | null;
  accumulatorOf(target: Target): Float32Array | null;
  slotOf(target: Target, k: number): Float32Array;
  /** A slot that is stored in fewer bits: then `slotOf` is its words. */
  narrowOf?(target: Target, k: number): NarrowSlot | null;
  delete(): void;
}

/** The validated part of a call: selection.ts, or an adapter's. */
export interface Selection {
  /** The rows that have a gradient, the gradients, and their addresses in the engine's memory, 0 for those elsewhere. */
  readonly rows: readonly number[];
  readonly gradients: readonly Gradient[];
  readonly addresses: readonly number[];
  /** How many of these count. */
  readonly count: number;
  /** Changes whenever they do. */
  readonly version: number;
  /** Paths of variables without a gradient, for the warning. */
  readonly missing: string;
  knows(variable: unknown): boolean;
  rowOf(variable: unknown): number;
  select(grads: readonly GradientLike[], variables?: readonly unknown[]): void;
}
