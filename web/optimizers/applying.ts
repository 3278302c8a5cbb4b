// What an optimizer's user says in terms of `apply`: in pairs, with the variables' own gradients, from a loss, or on
// values instead of stored ones; and how a step is taken back. What apply does is optimizer.ts.

import { awaited, describe } from '../basics/errors.js';
import { floatsFrom } from '../basics/floats.js';
import { engine } from '../engine/engine.js';
import { assignAll } from '../state/entries.js';
import type { Parameter } from '../step/parameters.js';
import { type GradientLike, type HostGradient, heldGradient, isDisposed } from '../step/selection.js';
import type { Stepping } from '../step/stepping.js';
import { gradientAddressOf } from '../step/variable.js';
import { Placed } from './placed.js';

type Numbers = ArrayLike<number>;
export type Variables = readonly Parameter[] | undefined;

export abstract class Applying extends Placed {
  /** The variables' own gradients, for `step`, and of which stepper and epoch they are. */
  #own: {
    readonly of: Stepping;
    readonly epoch: number;
    readonly grads: readonly (Float32Array | null)[];
  } | null = null;

  abstract apply(grads: readonly GradientLike[], variables?: readonly Parameter[]): void | Promise<void>;

  /** As `apply`, in pairs. Returns the number of calls so far, `rawIterations`; a Promise of it where `apply` returns one. */
  applyGradients(pairs: Iterable<readonly [HostGradient, Parameter]>): number;
  applyGradients(pairs: Iterable<readonly [GradientLike, Parameter]>): number | Promise<number>;
  applyGradients(pairs: Iterable<readonly [GradientLike, Parameter]>): number | Promise<number> {
    this.idle('applyGradients');
    if (typeof (pairs as Partial<Iterable<unknown>> | null)?.[Symbol.iterator] !== 'function')
      throw new TypeError(
        `applyGradients takes a list of [gradient, variable] pairs, got ${describe(pairs)}.`,
      );
    const list = [...pairs];
    if (list.length === 0)
      throw new RangeError('applyGradients: the list of [gradient, variable] pairs is empty.');
    for (const pair of list)
      if (!Array.isArray(pair) || pair.length !== 2)
        throw new TypeError(`applyGradients takes [gradient, variable] pairs, got ${describe(pair)}.`);
    const waiting = this.apply(
      list.map(([g]) => g),
      list.map(([, v]) => v),
    );
    return waiting ? waiting.then(() => this.rawIterations) : this.rawIterations;
  }

  /** `apply` with the variables' own `gradient` buffers; one that was never touched counts as null. */
  step(): void | Promise<void> {
    const stepper = this.stepper();
    const { epoch } = engine('step()');
    if (this.#own?.of !== stepper || this.#own.epoch !== epoch) {
      const grads = stepper.targets.map(({ variable, path }) => {
        if (!variable)
          throw new Error(
            `step(): '${path}' is a plain array and has no gradient buffer; pass its gradient to apply().`,
          );
        return gradientAddressOf(variable) ? variable.gradient : null;
      });
      this.#own = { of: stepper, epoch, grads: Object.freeze(grads) }; // frozen: nothing in it need be looked at again
    }
    return this.apply(this.#own.grads);
  }

  /**
   * Calls `lossAndGrads`, applies the gradients and returns the loss.
   * @param lossAndGrads returns `{ loss, grads }`, the gradients in the order of `variables`.
   */
  minimize(
    lossAndGrads: () => { loss: number; grads: readonly HostGradient[] },
    variables?: readonly Parameter[],
  ): number;
  minimize(
    lossAndGrads: () => { loss: number; grads: readonly GradientLike[] },
    variables?: readonly Parameter[],
  ): number | Promise<number>;
  minimize(
    lossAndGrads: () => { loss: number; grads: readonly GradientLike[] },
    variables?: readonly Parameter[],
  ): number | Promise<number> {
    this.alive();
    if (typeof lossAndGrads !== 'function')
      throw new TypeError(
        `minimize takes a function that returns { loss, grads }, got ${describe(lossAndGrads)}.`,
      );
    const result = lossAndGrads();
    if (typeof result !== 'object' || result === null || !Array.isArray(result.grads))
      throw new TypeError(
        `minimize: the function must return { loss, grads }, got ${describe(result)}.${awaited(result)}`,
      );
    const waiting = this.apply(result.grads, variables);
    return waiting ? waiting.then(() => result.loss) : result.loss;
  }

  /** `loss` times `lossScaleFactor`, if that is set. */
  scaleLoss(loss: number): number {
    return loss * (this.lossScaleFactor ?? 1);
  }

  /**
   * `apply` on values instead of stored ones: returns the new ones and leaves this optimizer and its variables
   * as they are. The lists are in the order of `variables` and of `build`.
   */
  statelessApply(
    optimizerVariables: readonly (number | Numbers)[],
    grads: readonly GradientLike[],
    trainableVariables: readonly Numbers[],
  ): [trainable: Float32Array[], optimizerVariables: (number | Float32Array)[]] {
    const stepper = this.stepper();
    this.idle('statelessApply');
    this.present('statelessApply');
    const { targets } = stepper;
    if (!Array.isArray(trainableVariables) || trainableVariables.length !== targets.length)
      throw new RangeError(
        `statelessApply: trainableVariables must be the ${targets.length} built variables, 1:1, got ${describe(trainableVariables)}.`,
      );
    // All is read before anything is written: what was given may be views of what is written.
    const values = targets.map(({ path, size }, k) => {
      const given = trainableVariables[k];
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
    const restore = this.snapshot(stepper);
    try {
      assignAll('statelessApply: optimizerVariables', this.entries(), optimizerVariables);
      targets.forEach((t, k) => {
        stepper.values(t).set(values[k]);
      });
      this.apply(held);
      return [targets.map((t) => stepper.values(t).slice()), this.getWeights()];
    } finally {
      restore();
    }
  }

  /** How to put state and variables back to what they are now; what lives on a GPU is not concerned. */
  protected snapshot(stepper: Stepping): () => void {
    const entries = this.entries().filter(({ remote }) => !remote);
    const targets = stepper.targets.filter((t) => !stepper.elsewhere?.has(t.row) && !isDisposed(t));
    const copyOf = (x: number | Float32Array) => (typeof x === 'number' ? x : x.slice());
    const state = entries.map((entry) => copyOf(entry.read()));
    const values = targets.map((t) => stepper.values(t).slice());
    return () => {
      entries.forEach((entry, k) => {
        entry.write(state[k]); // as it was, without a check: that cannot fail
      });
      targets.forEach((t, k) => {
        stepper.values(t).set(values[k]);
      });
    };
  }
}
