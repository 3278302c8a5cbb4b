// The parts of an optimizer, and how the rest of the package gets at those of one that it was given: LossScaleOptimizer,
// adapters, files. Users have the public class alone.

import type { State } from '../state/state.js';
import type { Build } from './build.js';
import type { Configuration } from './configuration.js';
import type { Lifetime } from './lifetime.js';
import type { Run } from './run.js';

export interface Parts {
  readonly options: Configuration;
  readonly build: Build;
  readonly lifetime: Lifetime;
  readonly state: State;
  readonly run: Run;
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
