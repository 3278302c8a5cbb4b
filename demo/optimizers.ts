// The two optimizers that the page compares, and what each is called.
import { Adam, Adamax } from 'simdescent';

export const optimizerClasses = { adam: Adam, adamax: Adamax } as const;
export type OptimizerId = keyof typeof optimizerClasses;
export type PerOptimizer<T> = Record<OptimizerId, T>;
export const optimizerIds: readonly OptimizerId[] = ['adam', 'adamax'];
export const optimizerNames: PerOptimizer<string> = { adam: 'Adam', adamax: 'Adamax' };

/** Makes one of something for each optimizer. */
export function perOptimizer<T>(make: (id: OptimizerId) => T): PerOptimizer<T> {
  return { adam: make('adam'), adamax: make('adamax') };
}
