// `variable = value`, `+=` and `-=`, element by element in float32, as Keras' optimizers offer it to their subclasses.
// Plain arithmetic of JavaScript on values in reach: no update rule, and nothing that is fast.

import { describe } from '../basics/errors.js';
import { floatsFrom } from '../basics/floats.js';
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
  const read = typeof value === 'number' ? null : floatsFrom(value);
  if (typeof value !== 'number' && read?.length !== array.length)
    throw new RangeError(
      `${what}: ${pathOf(variable)} has ${array.length} elements, got ${describe(value)}${read ? '' : ', which is no list of numbers'}.`,
    );
  const single = Math.fround(value as number);
  for (let i = 0; i < array.length; i++) array[i] = f(array[i], read ? read[i] : single);
}
