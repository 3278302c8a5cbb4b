// A slot that is stored in fewer bits than float32: as floats, which are copies, and as the bytes that it is. The
// conversion is the engine's.
import type { Core, EngineOptimizer } from '../engine/core.js';
import { block, storages, tileSize } from '../engine/facts.js';
import type { Remote } from './remote.js';

/** How the slots of a variable are kept. */
export type StateDtype = 'float32' | 'bfloat16' | 'int8';

export type NarrowDtype = Exclude<StateDtype, 'float32'>;

/** What so many elements take; where an element is, if whole blocks lie before it. */
export function storedBytes(dtype: NarrowDtype | null, elements: number): number {
  if (dtype === 'int8') return Math.ceil(elements / block.size) * 4 * block.words;
  return 4 * (dtype === 'bfloat16' ? Math.ceil(elements / 2) : elements);
}

/** How a slot of a row is stored, if not as float32. */
export function storedAs(native: EngineOptimizer, row: number, k: number): NarrowDtype | null {
  const storage = native.storageOf(row, k);
  if (storage === storages.float32) return null;
  return storage === storages.int8 ? 'int8' : 'bfloat16';
}

/** Where its words are, if that is no memory of the engine's: on a GPU, or in a memory of which this is a view. */
interface Place {
  readonly remote?: Remote | null;
  readonly elsewhere?: (() => Uint8Array) | null;
}

export class NarrowSlot {
  readonly dtype: NarrowDtype;
  readonly size: number;
  readonly #core: Core;
  readonly #native: EngineOptimizer;
  readonly #row: number;
  readonly #k: number;
  /** Its words, if they live on a GPU: then it can be fetched and written, and the rest is for the engine's own. */
  readonly remote: Remote | null;
  readonly #elsewhere: (() => Uint8Array) | null;

  constructor(
    core: Core,
    native: EngineOptimizer,
    row: number,
    k: number,
    size: number,
    dtype: NarrowDtype,
    { remote = null, elsewhere = null }: Place,
  ) {
    this.remote = remote;
    this.#elsewhere = elsewhere;
    this.#core = core;
    this.#native = native;
    this.#row = row;
    this.#k = k;
    this.size = size;
    this.dtype = dtype;
  }

  /** A copy. */
  read(): Float32Array<ArrayBuffer> {
    const out = new Float32Array(this.size);
    for (let from = 0; from < this.size; from += tileSize) {
      const count = Math.min(tileSize, this.size - from);
      if (this.#elsewhere) this.#tile(count).set(this.#part(this.bytes, from, count));
      this.#native.readSlot(this.#row, this.#k, from, count);
      out.set(this.#core.gradientTile.subarray(0, count), from);
    }
    return out;
  }

  /** To the nearest that can be kept. */
  write(values: ArrayLike<number>): void {
    const all = values instanceof Float32Array ? values : Float32Array.from(values);
    const { remote } = this;
    const copied = remote ? new Uint8Array(storedBytes(this.dtype, this.size)) : this.#elsewhere?.();
    for (let from = 0; from < this.size; from += tileSize) {
      const part = all.subarray(from, from + tileSize);
      this.#core.gradientTile.set(part);
      this.#native.writeSlot(this.#row, this.#k, from, part.length);
      if (copied) this.#part(copied, from, part.length).set(this.#tile(part.length));
    }
    if (copied) remote?.write(new Float32Array(copied.buffer));
  }

  /** As it is: what `bytes` of another one were. */
  put(bytes: Uint8Array): void {
    if (this.remote) this.remote.write(new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4));
    else this.bytes.set(bytes);
  }

  /** A copy of what it is, wherever it lives. */
  async fetch(): Promise<Uint8Array<ArrayBuffer>> {
    if (!this.remote) return this.bytes.slice();
    const { buffer, byteOffset, byteLength } = await this.remote.read();
    return new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength);
  }

  /** A view of what it is: the upper halves of floats; or blocks of a scale and its codes. */
  get bytes(): Uint8Array {
    if (this.#elsewhere) return this.#elsewhere();
    const { buffer } = this.#core.memory;
    const length = 4 * this.#native.slotFloats(this.#row, this.#k);
    return new Uint8Array(buffer, this.#native.slot(this.#row, this.#k), length);
  }

  /** What elements from a multiple of the tile on are, and where in the engine that passes. */
  #part(bytes: Uint8Array, from: number, count: number): Uint8Array {
    const start = storedBytes(this.dtype, from);
    return bytes.subarray(start, start + storedBytes(this.dtype, count));
  }
  #tile(count: number): Uint8Array {
    const { buffer, byteOffset } = this.#core.weightsTile;
    return new Uint8Array(buffer, byteOffset, storedBytes(this.dtype, count));
  }
}

/** The slot, if it is not float32. */
export function narrowSlot(
  core: Core,
  native: EngineOptimizer,
  row: number,
  k: number,
  size: number,
  place: Place,
): NarrowSlot | null {
  const dtype = storedAs(native, row, k);
  return dtype && new NarrowSlot(core, native, row, k, size, dtype, place);
}

/** The scales and the codes of blocks, one behind another, for a file; and the blocks again. */
export function fromBlocks(bytes: Uint8Array, size: number): { scales: Float32Array; codes: Uint8Array } {
  const scales = new Float32Array(Math.ceil(size / block.size));
  const codes = new Uint8Array(size);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let b = 0, at = 0; b < scales.length; b++, at += 4 * block.words) {
    scales[b] = view.getFloat32(at, true);
    const from = b * block.size;
    codes.set(bytes.subarray(at + 4, at + 4 + Math.min(block.size, size - from)), from);
  }
  return { scales, codes };
}

export function toBlocks(scales: Float32Array, codes: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(storedBytes('int8', codes.length));
  const view = new DataView(bytes.buffer);
  for (let b = 0, at = 0; b < scales.length; b++, at += 4 * block.words) {
    view.setFloat32(at, scales[b], true);
    bytes.set(codes.subarray(b * block.size, (b + 1) * block.size), at + 4);
  }
  return bytes;
}
