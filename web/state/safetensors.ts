// Optimizer state as a safetensors file (https://github.com/huggingface/safetensors): eight bytes of header
// length, a JSON header of names, types, shapes and offsets, then the bytes. Reading checks everything first.
import { bytesOf } from '../basics/bytes.js';
import { describe } from '../basics/errors.js';
import { checkValue, type StateEntry } from './entries.js';

const types = { F32: 'float32', I32: 'int32' } as const;
const typeOf = (dtype: StateEntry['dtype']) => (dtype === 'int32' ? 'I32' : 'F32');

interface Tensor {
  dtype: string;
  shape: number[];
  data_offsets: [number, number];
}

/** A parsed file: its tensors by name, its metadata, and the bytes behind the header. */
export interface SafeTensors {
  readonly tensors: ReadonlyMap<string, Tensor>;
  readonly metadata: Readonly<Record<string, string>>;
  readonly data: Uint8Array;
}

/** @throws TypeError for anything but bytes; RangeError for bytes that are no safetensors file. */
export function parse(what: string, bytes: unknown): SafeTensors {
  const given = bytesOf(what, bytes);
  const broken = (why: string) =>
    new RangeError(`${what}: these ${given.length} bytes are no safetensors file: ${why}.`);
  if (given.length < 8) throw broken('shorter than the length of the header');
  const length = Number(new DataView(given.buffer, given.byteOffset, 8).getBigUint64(0, true));
  if (length > given.length - 8) throw broken(`the header is said to have ${length} bytes`);
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder().decode(given.slice(8, 8 + length)));
  } catch {
    throw broken('the header is no JSON');
  }
  if (!isRecord(header)) throw broken('the header is no JSON object');
  const { __metadata__: metadata = {}, ...rest } = header;
  if (!isRecord(metadata) || !Object.values(metadata).every((text) => typeof text === 'string'))
    throw broken('its __metadata__ is no record of texts');
  const data = given.subarray(8 + length);
  const tensors = new Map<string, Tensor>();
  for (const [name, tensor] of Object.entries(rest)) {
    if (!isTensor(tensor)) throw broken(`the entry of '${name}' is no { dtype, shape, data_offsets }`);
    const [from, to] = tensor.data_offsets;
    if (from > to || to > data.length) throw broken(`the entry of '${name}' does not lie within it`);
    tensors.set(name, tensor);
  }
  // No byte belongs to two. (That some belong to none is against the format too, and does no harm.)
  let end = 0;
  for (const [name, { data_offsets: offsets }] of [...tensors].sort(byPlace)) {
    if (offsets[0] < end) throw broken(`'${name}' begins at ${offsets[0]}, within what ends at ${end}`);
    end = offsets[1];
  }
  return { tensors, metadata: metadata as Record<string, string>, data };
}

const byPlace = (a: [string, Tensor], b: [string, Tensor]) =>
  a[1].data_offsets[0] - b[1].data_offsets[0] || a[1].data_offsets[1] - b[1].data_offsets[1];

const sizeOf = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isCounts = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && n >= 0);

const isTensor = (value: unknown): value is Tensor =>
  isRecord(value) &&
  typeof value.dtype === 'string' &&
  isCounts(value.shape) &&
  isCounts(value.data_offsets) &&
  value.data_offsets.length === 2;

/** A tensor of 4-byte elements as numbers. @throws RangeError if its size does not fit its shape. */
export function values(what: string, name: string, file: SafeTensors): Float32Array | Int32Array {
  const { dtype, shape, data_offsets: offsets } = file.tensors.get(name) as Tensor;
  const bytes = file.data.slice(...offsets); // a copy is aligned
  if (!Object.hasOwn(types, dtype) || bytes.length !== sizeOf(shape) * 4)
    throw new RangeError(
      `${what}: '${name}' must be F32 or I32 of shape [${shape}], got ${dtype} in ${bytes.length} bytes.`,
    );
  return dtype === 'I32' ? new Int32Array(bytes.buffer) : new Float32Array(bytes.buffer);
}

export function write(
  entries: readonly {
    path: string;
    shape: readonly number[];
    dtype: StateEntry['dtype'];
    value: number | ArrayLike<number>;
  }[],
  metadata: Record<string, string>,
): Uint8Array {
  const header: Record<string, unknown> = { __metadata__: metadata };
  let size = 0;
  for (const { path, shape, dtype, value } of entries) {
    const bytes = 4 * (typeof value === 'number' ? 1 : value.length);
    header[path] = { dtype: typeOf(dtype), shape, data_offsets: [size, size + bytes] };
    size += bytes;
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  const length = Math.ceil(text.length / 8) * 8; // data aligned to 8 bytes, the header padded with spaces
  const out = new Uint8Array(8 + length + size).fill(0x20, 8 + text.length, 8 + length);
  new DataView(out.buffer).setBigUint64(0, BigInt(length), true);
  out.set(text, 8);
  let at = 8 + length;
  for (const { dtype, value } of entries) {
    const list = typeof value === 'number' ? [value] : value;
    const typed =
      dtype === 'int32'
        ? new Int32Array(out.buffer, at, list.length)
        : new Float32Array(out.buffer, at, list.length);
    typed.set(list);
    at += typed.byteLength;
  }
  return out;
}

const format = 'simdescent-state-1';

/** Names in the file: keys. Only state variables of the user's own can share one; the second is numbered. */
function names(entries: readonly StateEntry[]): string[] {
  const seen = new Map<string, number>();
  return entries.map(({ key }) => {
    const n = seen.get(key) ?? 0;
    seen.set(key, n + 1);
    return n === 0 ? key : `${key}#${n}`;
  });
}

export const writeState = (entries: readonly StateEntry[]): Uint8Array =>
  writeEntries(
    entries,
    entries.map(({ read }) => read()),
  );

export function writeEntries(
  entries: readonly StateEntry[],
  found: readonly (number | ArrayLike<number>)[],
): Uint8Array {
  const keys = names(entries);
  return write(
    entries.map(({ shape, dtype }, k) => ({ path: keys[k], shape, dtype, value: found[k] })),
    { format },
  );
}

/** Every entry from the file, or an error that names the first mismatch, and then none. */
export function readState(entries: readonly StateEntry[], bytes: unknown): void {
  const what = 'loadState';
  const file = parse(what, bytes);
  if (file.metadata.format !== format)
    throw new RangeError(
      `${what}: the file's format is ${describe(file.metadata.format)}, expected "${format}".`,
    );
  const keys = names(entries);
  const found = entries.map((entry, k) => {
    const { shape, dtype } = entry;
    const name = keys[k];
    const tensor = file.tensors.get(name);
    if (!tensor && entry.apart) return null;
    if (!tensor) throw new RangeError(`${what}: the file has no '${name}', which this optimizer has.`);
    if (types[tensor.dtype as 'F32'] !== dtype || String(tensor.shape) !== String(shape))
      throw new RangeError(
        `${what}: '${name}' is ${typeOf(dtype)} of shape [${shape}] here, ${tensor.dtype} of shape [${tensor.shape}] in the file.`,
      );
    return checkValue(what, entry, values(what, name, file));
  });
  const known = new Set(keys);
  for (const name of file.tensors.keys())
    if (!known.has(name))
      throw new RangeError(`${what}: the file has '${name}', which this optimizer does not have.`);
  entries.forEach((entry, k) => {
    const value = found[k];
    if (value !== null) entry.write(value);
  });
}
