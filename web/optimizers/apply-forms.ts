// What a training loop says in terms of `apply`: in pairs, with the variables' own gradients, from a loss, or on
// values instead of stored ones. A subclass' own apply is called by all of them. What apply does is run.ts.

import { awaited, describe } from '../basics/errors.js';
import { floatsFrom } from '../basics/floats.js';
import { core } from '../engine/core.js';
import { assignAll, inKeras } from '../state/entries.js';
import type { State } from '../state/state.js';
import type { Built } from '../step/executor.js';
import { homeOf } from '../step/home.js';
import type { Parameter } from '../step/parameters.js';
import { checkAlive, heldGradient } from '../step/selection.js';
import type { GradientLike } from '../step/target.js';

export interface Applies {
  apply(grads: readonly GradientLike[], variables?: readonly Parameter[]): void | Promise<void>;
}

/** `apply`, or a promise of that, and then `result`. */
const after = <T>(waiting: void | Promise<void>, result: () => T): T | Promise<T> =>
  waiting ? waiting.then(result) : result();

export function applyPairs(
  optimizer: Applies & { readonly rawIterations: number },
  pairs: Iterable<readonly [GradientLike, Parameter]>,
): number | Promise<number> {
  const isList = typeof (pairs as Partial<Iterable<unknown>> | null)?.[Symbol.iterator] === 'function';
  if (!isList || ArrayBuffer.isView(pairs))
    throw new TypeError(`applyGradients takes a list of [gradient, variable] pairs, got ${describe(pairs)}.`);
  const list = [...pairs];
  if (list.length === 0)
    throw new RangeError('applyGradients: the list of [gradient, variable] pairs is empty.');
  for (const pair of list)
    if (!Array.isArray(pair) || pair.length !== 2)
      throw new TypeError(`applyGradients takes [gradient, variable] pairs, got ${describe(pair)}.`);
  const waiting = optimizer.apply(
    list.map(([g]) => g),
    list.map(([, v]) => v),
  );
  return after(waiting, () => optimizer.rawIterations);
}

export function applyFromLoss(
  optimizer: Applies,
  lossAndGrads: () => { loss: number; grads: readonly GradientLike[] },
  variables?: readonly Parameter[],
): number | Promise<number> {
  if (typeof lossAndGrads !== 'function')
    throw new TypeError(
      `minimize takes a function that returns { loss, grads }, got ${describe(lossAndGrads)}.`,
    );
  const result = lossAndGrads();
  if (typeof result !== 'object' || result === null || !Array.isArray(result.grads))
    throw new TypeError(
      `minimize: the function must return { loss, grads }, got ${describe(result)}.${awaited(result)}`,
    );
  return after(optimizer.apply(result.grads, variables), () => result.loss);
}

export function applyToValues(
  optimizer: Applies,
  executor: Built,
  state: State,
  optimizerVariables: readonly (number | ArrayLike<number>)[],
  grads: readonly GradientLike[],
  trainables: readonly ArrayLike<number>[],
): [trainable: Float32Array[], optimizerVariables: (number | Float32Array)[]] {
  state.present('statelessApply');
  const { targets } = executor;
  targets.forEach(checkAlive);
  if (!Array.isArray(trainables) || trainables.length !== targets.length)
    throw new RangeError(
      `statelessApply: trainableVariables must be the ${targets.length} built variables, 1:1, got ${describe(trainables)}.`,
    );
  // All is read before anything is written: what was given may be views of what is written.
  const values = targets.map(({ path, size }, k) => {
    const given = trainables[k];
    const read = floatsFrom(given);
    if (!read)
      throw new TypeError(
        `statelessApply: the values of '${path}' must be an array of numbers, got ${describe(given)}.`,
      );
    if (read.length !== size)
      throw new RangeError(`statelessApply: '${path}' has ${size} elements, got ${describe(given)}.`);
    return read;
  });
  const held = Array.isArray(grads) ? grads.map(heldGradient) : grads;
  const restore = state.snapshot(executor);
  try {
    assignAll('statelessApply: optimizerVariables', inKeras(state.entries()), optimizerVariables);
    targets.forEach((t, k) => {
      executor.values(t).set(values[k]);
    });
    optimizer.apply(held);
    return [targets.map((t) => executor.values(t).slice()), state.weights];
  } finally {
    restore();
  }
}

/** The variables' own gradients, for `step`: one list, and frozen, for as long as they stay where they are. */
export class OwnGradients {
  #of: Built | null = null;
  #epoch = -1;
  #grads: readonly (Float32Array | null)[] = [];

  /** @throws Error for a plain array, which has none */
  list(executor: Built): readonly (Float32Array | null)[] {
    const { epoch } = core('step()');
    if (this.#of === executor && this.#epoch === epoch) return this.#grads;
    const grads = executor.targets.map(({ variable, path }) => {
      if (!variable)
        throw new Error(
          `step(): '${path}' is a plain array and has no gradient buffer; pass its gradient to apply().`,
        );
      return homeOf(variable).gradientAddress ? variable.gradient : null;
    });
    this.#of = executor;
    this.#epoch = epoch;
    this.#grads = Object.freeze(grads); // frozen: nothing in it need be looked at again
    return this.#grads;
  }
}
