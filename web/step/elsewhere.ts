// What the core asks of whatever holds variables and optimizer state outside the engine's memory: a GPU (gpu/).
// Interfaces only; nothing here runs, and the core works without any of it.
import type { Gradient, StepOptions, Stepper, Target } from './stepper.js';

/** A GPUBuffer, as far as its kind and size are looked at here. Structural: no @webgpu/types are needed. */
export interface DeviceBuffer {
  readonly size: number;
  readonly usage: number;
  readonly mapState: string;
}

/** A part of a GPUBuffer, from byte `offset` on. */
export interface DeviceRange {
  readonly buffer: DeviceBuffer;
  readonly offset?: number;
}

/** An array that cannot be read without waiting. */
export interface Remote {
  read(): Promise<Float32Array>;
  write(values: ArrayLike<number>): void;
}

/** Where a Variable lives, if not in the engine. */
export interface Residence extends Remote {
  readonly place: Place;
  /** The bytes it takes, to find overlaps. */
  range(): { buffer: object; start: number; end: number };
  /** @throws TypeError, RangeError for what is no gradient of it, or none that can be used there. */
  checkGradient(g: unknown, target: Target): void;
  free(): void;
}

/** What can hold variables: the object that `initWebGPU` gives. */
export interface Place {
  /** Variables of at least so many elements are worth moving there. */
  readonly minSize: number;
  /** @internal The rows of an optimizer that live here; makes the state of those that are built here. */
  host(stepper: Stepper): Elsewhere;
  /** @internal Moves variables here, with their state. */
  move(stepper: Stepper, minSize?: number): Promise<void>;
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
  updateOnly(target: Target, g: Gradient, rate: number): void;
  /** The variable becomes its average. */
  overwrite(row: number): void;
  average(row: number): Remote | null;
  accumulator(row: number): Remote | null;
  slot(row: number, k: number): Remote;
  /** Slot k becomes a copy of the variable. */
  copyToSlot(row: number, k: number): void;
  /** Everything back into the engine. */
  onload(): Promise<void>;
  delete(): void;
}
