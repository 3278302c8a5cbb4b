// What an optimizer asks of whatever moves its data: rows, one step over them, views of the state. stepper.ts is
// the engine's own; adapters for memory of other libraries bring theirs.
import type { Elsewhere } from './elsewhere.js';
import type { EngineOptimizer } from './engine.js';
import type { Selection } from './selection.js';
import type { Gradient, StepOptions, Target } from './stepper.js';

export interface Stepping {
  readonly native: EngineOptimizer;
  readonly rule: string;
  readonly targets: readonly Target[];
  /** The rows that live on a GPU, if there are any. */
  readonly elsewhere?: Elsewhere | null;
  /** A constraint of the user's own may throw after the update. */
  readonly canThrow: boolean;
  /** What gradients are divided by. */
  lossScale: number;
  /** Steps the first `count` of `rows` with the gradients beside them, which are known to fit. Cannot throw. */
  step(rows: readonly number[], gradients: readonly Gradient[], count: number, options: StepOptions): void;
  constrain(rows: readonly number[], count: number): void;
  /** The rule alone, on one variable. */
  updateOnly(target: Target, g: Float32Array, rate: number): void;
  isFinite(gradient: Gradient): boolean;
  /** Live views: the values of a built variable, and its state arrays, null where there is none. */
  values(target: Target): Float32Array;
  averageOf(target: Target): Float32Array | null;
  accumulatorOf(target: Target): Float32Array | null;
  slotOf(target: Target, k: number): Float32Array;
  delete(): void;
}

/** The validated part of a call: selection.ts, or an adapter's. */
export type Selecting = Pick<Selection, 'rows' | 'gradients' | 'count' | 'missing' | 'rowOf' | 'select'>;
