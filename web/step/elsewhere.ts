// What the core asks of whatever holds variables and optimizer state outside the engine's memory: a GPU (gpu/).
// Interfaces only; nothing here runs, and the core works without any of it.
import type { EngineOptimizer } from '../engine/core.js';
import type { Remote } from './remote.js';
import type { Gradient, StepOptions, Target } from './target.js';

/** An optimizer's executor, as far as whoever holds some of its rows asks for it. */
export interface Guest {
  readonly native: EngineOptimizer;
  readonly rule: string;
  readonly targets: readonly Target[];
  /** Whether rows have averages and accumulators. */
  readonly averages: boolean;
  readonly accumulates: boolean;
  elsewhere: Elsewhere | null;
  /** A row's gradients came from one memory and now come from another. */
  forget(): void;
  /** Plans rows that live elsewhere by themselves, so that their norms can be taken before the step. */
  planAhead(rows: readonly number[]): void;
  /** Live views of what is in the engine. */
  values(target: Target): Float32Array;
  averageOf(target: Target): Float32Array | null;
  accumulatorOf(target: Target): Float32Array | null;
  slotOf(target: Target, k: number): Float32Array;
}

/** Where a Variable lives, if not in the engine. */
export interface Residence extends Remote {
  readonly accelerator: Accelerator;
  /** The bytes it takes, to find overlaps. */
  range(): { buffer: object; start: number; end: number };
  /** @throws TypeError, RangeError for what is no gradient of it, or none that can be used there. */
  checkGradient(g: unknown, target: Target): void;
  free(): void;
}

/** What can hold variables: the object that `initWebGPU` gives. */
export interface Accelerator {
  /** Variables of at least so many elements are worth moving there. */
  readonly minSize: number;
  /** @internal The rows of an optimizer that live here; makes the state of those that are built here. */
  host(executor: Guest): Elsewhere;
  /** @internal Moves variables here, with their state. */
  move(executor: Guest, minSize?: number): Promise<void>;
}

/** The rows of one optimizer that live elsewhere, and their part in a step. */
export interface Elsewhere {
  /** @throws Error if the device is lost */
  check(what: string): void;
  /** A disposed variable's row: its state is freed, and nothing touches it any more. */
  retire(row: number): void;
  has(row: number): boolean;
  /** Before a step: a promise if the engine needs sums of squares from there. @throws Error if that cannot be recorded */
  prepare(
    rows: readonly number[],
    gradients: readonly Gradient[],
    count: number,
    options: StepOptions,
    encoder?: object,
  ): Promise<void> | null;
  /** The sum of squares that was waited for; NaN if the norm is taken there. */
  sumOf(row: number): number;
  /** Between `plan` and `end`: makes the commands of its part in the step. */
  step(rows: readonly number[], gradients: readonly Gradient[], count: number, options: StepOptions): void;
  /** Sends the commands, to the caller's encoder if one was given; or forgets them. */
  commit(encoder?: object): void;
  discard(): void;
  /** Whether all gradients that lie there are finite; null if none does. */
  finite(rows: readonly number[], gradients: readonly Gradient[], count: number): Promise<boolean> | null;
  /** What the last monitored update was like, of each of its rows here: the numbers of a Tally (cpp/kernels/sweep.h). */
  told(): Promise<ReadonlyMap<number, Float32Array>> | null;
  updateOnly(target: Target, g: Gradient, rate: number): void;
  /** The variable becomes its average. */
  overwrite(row: number): void;
  average(row: number): Remote | null;
  accumulator(row: number): Remote | null;
  /** As it is stored: of one in fewer bits than float32, its words. */
  slot(row: number, k: number): Remote;
  /** Slot k becomes a copy of the variable. */
  copyToSlot(row: number, k: number): void;
  /** Everything back into the engine. */
  onload(): Promise<void>;
  delete(): void;
}
