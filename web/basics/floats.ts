// Arrays of numbers that users hand over. Typed arrays may be of another realm, such as an iframe's, and of a class of
// the user's own, whose constructor and methods must never be called: `subarray`, `slice` and `set` may be theirs.
type Typed = Float32Array | Int32Array;

const prototype = Object.getPrototypeOf(Float32Array.prototype);
const getter = <T>(name: string | symbol): ((this: unknown) => T) =>
  Object.getOwnPropertyDescriptor(prototype, name)?.get as (this: unknown) => T;
const tagOf = getter<string | undefined>(Symbol.toStringTag);
const bufferOf = getter<ArrayBuffer>('buffer');
const offsetOf = getter<number>('byteOffset');
const lengthOf = getter<number>('length');

export const isFloats = (value: unknown): value is Float32Array =>
  value instanceof Float32Array || tagOf.call(value) === 'Float32Array';
export const isInts = (value: unknown): value is Int32Array => tagOf.call(value) === 'Int32Array';

/** A view of the same bytes, for an array of another class or realm. */
function plainView<T extends Typed>(type: new (...of: never[]) => T, value: T): T {
  const length = lengthOf.call(value); // 0 also of a detached one, of which there can be no view
  const view = type as unknown as new (buffer: ArrayBuffer | number, offset?: number, length?: number) => T;
  return length ? new view(bufferOf.call(value), offsetOf.call(value), length) : new view(0);
}

/** The array itself, if it is nothing but a Float32Array; else a view of its bytes that is. */
export const plainFloats = (value: Float32Array): Float32Array =>
  Object.getPrototypeOf(value) === Float32Array.prototype ? value : plainView(Float32Array, value);
export const plainInts = (value: Int32Array): Int32Array =>
  Object.getPrototypeOf(value) === Int32Array.prototype ? value : plainView(Int32Array, value);

/** How many elements an array of a shape has. */
export const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/** A copy. One of no elements may be detached, and of such a one there is no copy. */
export const copyOfFloats = (values: Float32Array): Float32Array<ArrayBuffer> =>
  lengthOf.call(values) ? new Float32Array(values) : new Float32Array(0);

/** A copy of a list, each element read once; null for no list, or if one is no number: a string, or a hole. */
export function floatsFrom(values: unknown): Float32Array<ArrayBuffer> | null {
  if (isFloats(values)) return copyOfFloats(values);
  return isList(values) ? copyOfList(values) : null;
}

const isList = (value: unknown): value is ArrayLike<unknown> =>
  Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView));

function copyOfList(values: ArrayLike<unknown>): Float32Array<ArrayBuffer> | null {
  const copy = new Float32Array(values.length);
  for (let i = 0; i < copy.length; i++) {
    const x = values[i];
    if (typeof x !== 'number') return null;
    copy[i] = x;
  }
  return copy;
}

/** Whether the buffer was transferred away. An array of no elements may have a buffer of no bytes. */
export function isDetached(array: Typed): boolean {
  if (lengthOf.call(array) > 0) return false;
  try {
    return !new Uint8Array(bufferOf.call(array));
  } catch {
    return true;
  }
}
