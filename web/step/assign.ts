// `variable = value`, `+=` and `-=`, element by element in float32, as Keras' optimizers offer it to their subclasses.
// Plain arithmetic of JavaScript on values in reach: no update rule, and nothing that is fast.

import { describe } from '../basics/errors.js';
import { isParameter, type Parameter, pathOf } from './parameters.js';
import { Variable } from './variable.js';

/** @param f what becomes of an element. @throws TypeError, RangeError that begin with `what` */
export function assignEach(
  what: string,
  variable: Parameter,
  value: ArrayLike<number> | number,
  f: (v: number, x: number) => number,
): void {
  if (!isParameter(variable)) throw new TypeError(`${what} takes a variable, got ${describe(variable)}.`);
  const array = variable instanceof Variable ? variable.value : variable;
  const single = typeof value === 'number';
  if (!single && (typeof value !== 'object' || value?.length !== array.length))
    throw new RangeError(
      `${what}: ${pathOf(variable)} has ${array.length} elements, got ${describe(value)}.`,
    );
  for (let i = 0; i < array.length; i++) array[i] = f(array[i], Math.fround(single ? value : value[i]));
}
