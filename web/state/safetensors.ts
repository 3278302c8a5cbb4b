// Optimizer state as a safetensors file (https://github.com/huggingface/safetensors): eight bytes of header
// length, a JSON header of names, types, shapes and offsets, then the bytes. Reading checks everything first.
import { bytesOf } from '../basics/bytes.js';
import { describe, isRecord } from '../basics/errors.js';
import { sizeOf } from '../basics/floats.js';
import { block } from '../engine/facts.js';
import { fromBlocks, type NarrowSlot, toBlocks } from '../step/narrow.js';
import { checkValue, type StateEntry, storedOf } from './entries.js';

const types = { F32: 'float32', I32: 'int32' } as const;
const arrays = { F32: Float32Array, I32: Int32Array, BF16: Uint16Array, U8: Uint8Array } as const;
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

const isCounts = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && n >= 0);

const isTensor = (value: unknown): value is Tensor =>
  isRecord(value) &&
  typeof value.dtype === 'string' &&
  isCounts(value.shape) &&
  isCounts(value.data_offsets) &&
  value.data_offsets.length === 2;

/**
 * A tensor as numbers; of bfloat16 as floats. @param accepted which types
 * @throws RangeError for another one, or if its size does not fit its shape
 */
export function values(
  what: string,
  name: string,
  file: SafeTensors,
  accepted: readonly (keyof typeof arrays)[] = ['F32', 'I32'],
): Float32Array | Int32Array | Uint8Array {
  const { dtype, shape, data_offsets: offsets } = file.tensors.get(name) as Tensor;
  const bytes = file.data.slice(...offsets); // a copy is aligned
  const type = accepted.find((known) => known === dtype);
  if (!type || bytes.length !== sizeOf(shape) * arrays[type].BYTES_PER_ELEMENT)
    throw new RangeError(
      `${what}: '${name}' must be ${accepted.join(' or ')} of shape [${shape}], got ${dtype} in ${bytes.length} bytes.`,
    );
  const read = new arrays[type](bytes.buffer);
  return read instanceof Uint16Array ? widened(read) : read;
}

/** bfloat16 are the upper halves of floats. */
const widened = (halves: Uint16Array): Float32Array =>
  new Float32Array(Uint32Array.from(halves, (half) => half << 16).buffer);

/** What is written: numbers of a StateEntry, or those of an array of the file's own type. */
interface Written {
  path: string;
  shape: readonly number[];
  dtype: StateEntry['dtype'] | 'BF16' | 'U8';
  value: number | ArrayLike<number>;
}

export function write(entries: readonly Written[], metadata: Record<string, string>): Uint8Array {
  const header: Record<string, unknown> = { __metadata__: metadata };
  let size = 0;
  const typed = entries.map(({ path, shape, dtype, value }) => {
    const type: keyof typeof arrays = dtype === 'BF16' || dtype === 'U8' ? dtype : typeOf(dtype);
    const bytes = arrays[type].BYTES_PER_ELEMENT * (typeof value === 'number' ? 1 : value.length);
    header[path] = { dtype: type, shape, data_offsets: [size, size + bytes] };
    size += bytes;
    return { type, value, bytes };
  });
  const text = new TextEncoder().encode(JSON.stringify(header));
  const length = Math.ceil(text.length / 8) * 8; // data aligned to 8 bytes, the header padded with spaces
  const out = new Uint8Array(8 + length + size).fill(0x20, 8 + text.length, 8 + length);
  new DataView(out.buffer).setBigUint64(0, BigInt(length), true);
  out.set(text, 8);
  let at = 8 + length;
  for (const { type, value, bytes } of typed) {
    const list = typeof value === 'number' ? [value] : value;
    const isAligned = at % arrays[type].BYTES_PER_ELEMENT === 0; // not behind an odd number of bytes
    const array = isAligned ? new arrays[type](out.buffer, at, list.length) : new arrays[type](list.length);
    array.set(list);
    if (!isAligned) out.set(new Uint8Array(array.buffer), at);
    at += bytes;
  }
  return out;
}

const fileType = { bfloat16: 'BF16', int8: 'U8' } as const;

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

/** Of the scales of a slot of 8 bits, beside its codes. */
const scalesOf = (key: string) => `${key}/absmax`;

/** A slot stored in fewer bits, as it is. */
function narrowTensors(
  path: string,
  shape: readonly number[],
  { dtype, size }: NarrowSlot,
  bytes: Uint8Array,
): Written[] {
  if (dtype === 'bfloat16') {
    const value = new Uint16Array(bytes.slice(0, 2 * size).buffer);
    return [{ path, shape, dtype: 'BF16', value }];
  }
  const { scales, codes } = fromBlocks(bytes, size);
  return [
    { path, shape, dtype: 'U8', value: codes },
    { path: scalesOf(path), shape: [scales.length], dtype: 'float32', value: scales },
  ];
}

/** The same out of a file, checked: how to put it into the slot. */
function readNarrow(what: string, key: string, narrow: NarrowSlot, file: SafeTensors): () => void {
  const codes = values(what, key, file, ['U8']) as Uint8Array;
  const name = scalesOf(key);
  if (!file.tensors.has(name))
    throw new RangeError(`${what}: the file has no '${name}', the scales of the codes '${key}'.`);
  const scales = values(what, name, file, ['F32']) as Float32Array;
  const blocks = Math.ceil(narrow.size / block.size);
  if (scales.length !== blocks)
    throw new RangeError(`${what}: '${name}' has ${scales.length} scales, expected ${blocks}.`);
  const odd = scales.find((scale) => scale < 0);
  if (odd !== undefined)
    throw new RangeError(`${what}: '${name}' has ${odd}, and a scale is never below zero.`);
  return () => narrow.put(toBlocks(scales, codes));
}

export const writeState = (entries: readonly StateEntry[]): Uint8Array =>
  writeEntries(entries, entries.map(storedOf));

export function writeEntries(
  entries: readonly StateEntry[],
  found: readonly (number | Float32Array | Uint8Array)[],
): Uint8Array {
  const keys = names(entries);
  return write(
    entries.flatMap(({ shape, dtype, narrow }, k): Written[] =>
      narrow
        ? narrowTensors(keys[k], shape, narrow, found[k] as Uint8Array)
        : [{ path: keys[k], shape, dtype, value: found[k] }],
    ),
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
  const known = new Set(keys);
  const found = entries.map((entry, k): (() => void) | null => {
    const { shape, dtype, narrow } = entry;
    const name = keys[k];
    const tensor = file.tensors.get(name);
    if (!tensor && entry.apart) return null;
    if (!tensor) throw new RangeError(`${what}: the file has no '${name}', which this optimizer has.`);
    const isSame = String(tensor.shape) === String(shape);
    if (isSame && tensor.dtype === 'U8' && narrow?.dtype === 'int8') {
      known.add(scalesOf(name));
      return readNarrow(what, name, narrow, file);
    }
    const isHalf = tensor.dtype === 'BF16' && entry.slot !== undefined;
    if (!isSame || !(isHalf || types[tensor.dtype as 'F32'] === dtype))
      throw new RangeError(
        `${what}: '${name}' is ${narrow ? fileType[narrow.dtype] : typeOf(dtype)} of shape [${shape}] here, ${tensor.dtype} of shape [${tensor.shape}] in the file.${
          isSame && tensor.dtype === 'U8' ? " It is of an optimizer with stateDtype: 'int8'." : ''
        }`,
      );
    const value = checkValue(what, entry, values(what, name, file, ['F32', 'I32', 'BF16']));
    return () => entry.write(value);
  });
  for (const name of file.tensors.keys())
    if (!known.has(name))
      throw new RangeError(`${what}: the file has '${name}', which this optimizer does not have.`);
  for (const put of found) put?.();
}
