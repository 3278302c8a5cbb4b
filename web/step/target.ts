// What a step is about: the variables that were built, and what may come as their gradients. Types only.

import type { Constraint } from '../constraints/constraints.js';
import type { NarrowDtype } from './narrow.js';
import type { DeviceBuffer, DeviceRange } from './remote.js';
import type { SparseGradient } from './sparse.js';

/** A Variable, as far as a step looks at it; its memory is in home.ts. */
export interface Resident {
  readonly path: string;
  readonly shape: readonly number[];
  readonly size: number;
  readonly value: Float32Array;
  readonly gradient: Float32Array;
}

/** One built variable: engine-resident, or a plain array that passes through the tiles. */
export interface Target {
  readonly row: number;
  readonly name: string;
  readonly path: string;
  readonly shape: readonly number[];
  readonly size: number;
  readonly variable: Resident | null;
  readonly array: Float32Array | null;
  readonly constraint: Constraint | null;
  /** For rules that read whole variables: rows and columns of its last two axes, where it is a matrix to them. */
  readonly matrix?: readonly [rows: number, columns: number] | null;
  /** How its slots are stored, if not as float32. */
  readonly stateDtype?: NarrowDtype | null;
}

export type Gradient = Float32Array | SparseGradient | DeviceBuffer | DeviceRange;

/** null: this variable has no gradient in this step, and is left alone (not the same as zeros). */
export type HostGradient = Float32Array | SparseGradient | null | undefined;
/** A GPUBuffer, or a part of one, is for a variable that lives on the GPU. */
export type GradientLike = HostGradient | DeviceBuffer | DeviceRange;

/** What a step needs to know beyond the engine's own options. */
export interface StepOptions {
  clipnorm: number | null;
  clipvalue: number | null;
  globalClipnorm: number | null;
  /** Sparse gradients touch only the rows given (optimizer_v2's Adamax). */
  legacySparse?: boolean;
}
