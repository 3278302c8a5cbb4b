// Pytrees of jax-js: the paths of their leaves, and what a leaf must be.
import type { numpy as np, tree } from '@jax-js/jax';
import { describe } from '../basics/errors.js';

export type JaxArray = np.Array;
export type Tree = Parameters<typeof tree.flatten<JaxArray>>[0];

/** Where each leaf hangs: `layers/0/w`. A tree that is one array is called `params`. */
export function pathsOf(params: Tree): string[] {
  const visit = (value: Tree, path: string): string[] => {
    if (Array.isArray(value)) return value.flatMap((part, k) => visit(part, `${path}/${k}`));
    if (typeof value !== 'object' || value === null || value.constructor !== Object) return [path];
    return Object.entries(value).flatMap(([key, part]) => visit(part as Tree, `${path}/${key}`));
  };
  return visit(params, '').map((path) => path.slice(1) || 'params');
}

/** @throws ReferenceError for an array that was consumed already: found out in the middle of a step it would be too late */
export function checkAlive(what: string, { refCount }: JaxArray, path: string): void {
  if (refCount < 1)
    throw new ReferenceError(`${what}: '${path}' was consumed or disposed already; .ref keeps an array.`);
}

/** @throws TypeError, RangeError, ReferenceError that begin with `what` */
export function checkLeaf(
  what: string,
  leaf: JaxArray,
  { path, shape }: { path: string; shape: readonly number[] },
): void {
  if (typeof leaf?.dataSync !== 'function')
    throw new TypeError(
      `${what}: '${path}' must be an array with values, got ${describe(leaf)}; within jit and grad there are none.`,
    );
  checkAlive(what, leaf, path);
  if (leaf.dtype !== 'float32') throw new TypeError(`${what}: '${path}' must be float32, not ${leaf.dtype}.`);
  if (String(leaf.shape) !== String(shape))
    throw new RangeError(`${what}: '${path}' has shape [${shape}], got [${leaf.shape}].`);
}
