// A slot that is stored in fewer bits than float32: as floats, which are copies, and as the bytes that it is. The
// conversion is the engine's.
import type { Core, EngineOptimizer } from '../engine/core.js';
import { block, storages, tileSize } from '../engine/facts.js';

/** How the slots of a variable are kept. */
export type StateDtype = 'float32' | 'bfloat16' | 'int8';

export type NarrowDtype = Exclude<StateDtype, 'float32'>;

export class NarrowSlot {
  readonly dtype: NarrowDtype;
  readonly size: number;
  readonly #core: Core;
  readonly #native: EngineOptimizer;
  readonly #row: number;
  readonly #k: number;
  readonly #elsewhere: (() => Uint8Array) | null;

  constructor(
    core: Core,
    native: EngineOptimizer,
    row: number,
    k: number,
    size: number,
    dtype: NarrowDtype,
    elsewhere: (() => Uint8Array) | null,
  ) {
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
      if (this.#elsewhere) this.#tile(count).set(this.#part(from, count));
      this.#native.readSlot(this.#row, this.#k, from, count);
      out.set(this.#core.gradientTile.subarray(0, count), from);
    }
    return out;
  }

  /** To the nearest that can be kept. */
  write(values: ArrayLike<number>): void {
    const all = values instanceof Float32Array ? values : Float32Array.from(values);
    for (let from = 0; from < this.size; from += tileSize) {
      const part = all.subarray(from, from + tileSize);
      this.#core.gradientTile.set(part);
      this.#native.writeSlot(this.#row, this.#k, from, part.length);
      if (this.#elsewhere) this.#part(from, part.length).set(this.#tile(part.length));
    }
  }

  /** A view of what it is: the upper halves of floats; or blocks of a scale and its codes. */
  get bytes(): Uint8Array {
    if (this.#elsewhere) return this.#elsewhere();
    const { buffer } = this.#core.memory;
    const length = 4 * this.#native.slotFloats(this.#row, this.#k);
    return new Uint8Array(buffer, this.#native.slot(this.#row, this.#k), length);
  }

  /** What elements from a multiple of the tile on are, and where in the engine that passes. */
  #part(from: number, count: number): Uint8Array {
    const start = storedBytes(this.dtype, from);
    return this.bytes.subarray(start, start + storedBytes(this.dtype, count));
  }
  #tile(count: number): Uint8Array {
    const { buffer, byteOffset } = this.#core.weightsTile;
    return new Uint8Array(buffer, byteOffset, storedBytes(this.dtype, count));
  }
}

const storedBytes = (dtype: NarrowDtype, n: number) =>
  dtype === 'bfloat16' ? 2 * n : 4 * block.words * Math.ceil(n / block.size);

/** The slot, if it is not float32. @param elsewhere a view of what it is, if that is no memory of the engine's */
export function narrowSlot(
  core: Core,
  native: EngineOptimizer,
  row: number,
  k: number,
  size: number,
  elsewhere: (() => Uint8Array) | null = null,
): NarrowSlot | null {
  const storage = native.storageOf(row, k);
  if (storage === storages.float32) return null;
  const dtype = storage === storages.int8 ? 'int8' : 'bfloat16';
  return new NarrowSlot(core, native, row, k, size, dtype, elsewhere);
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

export function toBlocks(bytes: Uint8Array, scales: Float32Array, codes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let b = 0, at = 0; b < scales.length; b++, at += 4 * block.words) {
    view.setFloat32(at, scales[b], true);
    bytes.set(codes.subarray(b * block.size, (b + 1) * block.size), at + 4);
  }
}
