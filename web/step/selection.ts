// The validated part of one call of apply: which rows have a gradient, and which. Checking it changes nothing, and
// its lists are kept from call to call: most loops come with the same arrays again, and then a step makes no garbage
// and looks only at what can have changed in between.

import { describe, detached } from '../basics/errors.js';
import { copyOfFloats, isFloats, plainFloats } from '../basics/floats.js';
import type { Core } from '../engine/core.js';
import { Aliases } from './aliases.js';
import type { Executor, Selection } from './executor.js';
import { type Home, homeOf } from './home.js';
import { isParameter, type Parameter, pathOf } from './parameters.js';
import { checkRows, SparseGradient } from './sparse.js';
import type { Gradient, GradientLike, Target } from './target.js';

export function checkGradient(g: unknown, target: Target): asserts g is Gradient {
  if (g instanceof SparseGradient) {
    checkRows(g, target);
    return;
  }
  const residence = g instanceof Float32Array || !target.variable ? null : homeOf(target.variable).residence;
  if (residence) {
    residence.checkGradient(g, target);
    return;
  }
  if (!(g instanceof Float32Array))
    throw new TypeError(
      `The gradient of '${target.path}' must be a Float32Array, a SparseGradient or null, got ${describe(g)}.`,
    );
  if (g.length !== target.size)
    throw new RangeError(
      `The gradient of '${target.path}' must have ${target.size} elements (shape [${target.shape}]), got ${g.length}` +
        `${g.buffer.byteLength === 0 && target.size > 0 ? ' (its buffer is detached; if it was the gradient of a Variable, the memory has grown: read it anew)' : ''}.`,
    );
}

/** So many variables without a gradient are named in the warning, and the others counted. */
const named = 8;

export class ParameterSelection implements Selection {
  readonly targets: readonly Target[];
  readonly rows: number[] = [];
  readonly gradients: Gradient[] = [];
  readonly addresses: number[] = [];
  count = 0;
  missing = '';
  version = 0;
  readonly #owner: string;
  readonly #core: Core;
  readonly #rowOf = new Map<Parameter, number>();
  readonly #stamps: number[];
  /** By row; null for arrays. Kept, because looking them up costs more than looking at them. */
  readonly #homes: readonly (Home | null)[];
  #stamp = 0;
  /** The epoch of the last selection, if that was of a dense gradient for every variable. */
  #full = -1;
  /** The list of the last selection, if it is frozen: then its gradients are the same ones again. */
  #frozen: readonly GradientLike[] | null = null;
  /** Where arrays of the JavaScript heap take part: their buffers may be transferred away at any time. */
  readonly #loose: number[] = [];
  readonly #aliases: Aliases;

  constructor(owner: string, core: Core, executor: Executor, parameters: readonly Parameter[]) {
    const { targets } = executor;
    this.#owner = owner;
    this.#core = core;
    this.#aliases = new Aliases(core, executor);
    this.targets = targets;
    this.#stamps = targets.map(() => 0);
    this.#homes = targets.map(({ variable }) => variable && homeOf(variable));
    for (const { row } of targets) this.#rowOf.set(parameters[row], row);
  }

  knows(parameter: Parameter): boolean {
    return this.#rowOf.has(parameter);
  }

  rowOf(parameter: Parameter): number {
    const row = this.#rowOf.get(parameter);
    if (row !== undefined) return row;
    if (!isParameter(parameter))
      throw new TypeError(`A variable must be a Variable or a Float32Array, got ${describe(parameter)}.`);
    throw new Error(
      `Unknown variable ${pathOf(parameter)}: the optimizer '${this.#owner}' was built with ${this.#rowOf.size} others.`,
    );
  }

  /** @throws TypeError, RangeError, Error for whatever does not fit. */
  select(grads: readonly GradientLike[], variables: readonly Parameter[] | undefined): void {
    if (variables === undefined && this.#isRepeated(grads)) return;
    const { targets, rows, gradients, addresses } = this;
    this.#full = -1;
    this.version++;
    const expected = variables ? variables.length : targets.length;
    if (grads.length !== expected)
      throw new RangeError(
        `apply: ${grads.length} gradients for ${expected} variables; there must be one for each (null where there is none).`,
      );
    const stamp = ++this.#stamp;
    this.#loose.length = 0;
    let count = 0;
    let missing = '';
    let absent = 0;
    let dense = variables === undefined;
    for (let i = 0; i < expected; i++) {
      const row = variables ? this.rowOf(variables[i]) : i;
      const target = targets[row];
      if (this.#stamps[row] === stamp)
        throw new RangeError(`apply: the variable '${target.path}' is given twice.`);
      this.#stamps[row] = stamp;
      if (this.#homes[row]?.isDisposed ?? true) checkAlive(target);
      let g = grads[i];
      if (g === null || g === undefined) {
        if (++absent <= named) missing += `${missing && ', '}'${target.path}'`;
        dense = false;
        continue;
      }
      if (isFloats(g)) g = plainFloats(g);
      let address = 0;
      if (g instanceof Float32Array) {
        if (g.length !== target.size) checkGradient(g, target);
        if (this.#core.owns(g)) address = g.byteOffset;
        if (this.#aliases.has(g, address, target)) {
          g = new Float32Array(g); // as it was before the step
          address = 0;
          dense = false; // and at the next step once more
        }
      } else {
        checkGradient(g, target);
        dense = false;
      }
      if (address === 0 || target.array) this.#loose.push(count);
      rows[count] = row;
      gradients[count] = g;
      addresses[count++] = address;
    }
    if (count === 0 && expected > 0)
      throw new RangeError(
        'No gradients provided for any variable: step() takes those that were written into Variable.gradient, apply() its own.',
      );
    this.count = count;
    this.missing = absent > named ? `${missing} and ${absent - named} more` : missing;
    if (!dense) return;
    this.#full = this.#core.epoch;
    this.#frozen = Object.isFrozen(grads) ? grads : null;
  }

  #isRepeated(grads: readonly GradientLike[]): boolean {
    const { targets, gradients } = this;
    if (this.#full !== this.#core.epoch || grads.length !== targets.length) return false;
    if (grads !== this.#frozen && !areSame(grads, gradients)) return false;
    for (const i of this.#loose) {
      const { size, array } = targets[i];
      if ((gradients[i] as Float32Array).length !== size || (array && array.length !== size)) return false;
    }
    return true;
  }
}

/** By identity. */
function areSame(list: readonly unknown[], others: readonly unknown[]): boolean {
  for (let i = 0; i < list.length; i++) if (list[i] !== others[i]) return false;
  return true;
}

/** A copy of a gradient as it is now, for a call that must wait: arrays may be refilled meanwhile. */
export function heldGradient<G extends GradientLike>(g: G): G {
  if (isFloats(g)) return copyOfFloats(g) as unknown as G;
  if (!(g instanceof SparseGradient)) return g;
  const { indices, values, clip } = g;
  return new SparseGradient({
    indices: new Int32Array(indices),
    values: new Float32Array(values),
    clip,
  }) as G;
}

/** A call that must wait. */
export function heldCall({ rows, gradients, count, missing, knows, rowOf, select }: Selection): Selection {
  const copies = gradients.slice(0, count).map(heldGradient);
  return {
    rows: rows.slice(0, count),
    gradients: copies,
    addresses: copies.map(() => 0),
    count,
    missing,
    version: Number.NaN, // no other is the same
    knows,
    rowOf,
    select,
  };
}

export function isDisposed({ variable }: Target): boolean {
  return variable !== null && homeOf(variable).isDisposed;
}

/** Whether the buffer of a plain array was taken from it, or resized. */
export const isGone = ({ array, size }: Target): boolean => array !== null && array.length !== size;

/** Nobody has taken the memory of a built variable away. */
export function checkAlive(target: Target): void {
  const { array, path, size } = target;
  if (isDisposed(target))
    throw new Error(
      `The variable '${path}' has been disposed, and its state with it; apply(grads, variables) goes on with the others.`,
    );
  if (!isGone(target)) return;
  if (!array?.length) throw detached(`The array '${path}'`);
  throw new Error(
    `The array '${path}' has ${array.length} elements now, and was built with ${size}: its buffer was resized.`,
  );
}
