// Where one variable's values are on the GPU: a region that we made, or a buffer of the caller's. It reads, writes
// and frees them, and says which gradients can be used for them.

import { describe } from '../basics/errors.js';
import type { Accelerator, Residence } from '../step/elsewhere.js';
import type { DeviceBuffer, DeviceRange } from '../step/remote.js';
import type { Target } from '../step/target.js';
import { type Context, type Range, usage } from './context.js';
import type { Region } from './pages.js';

/** Structural: a buffer of any WebGPU implementation. */
function isBuffer(value: unknown): value is DeviceBuffer {
  const buffer = value as Partial<DeviceBuffer> | null;
  return (
    typeof buffer === 'object' &&
    buffer !== null &&
    typeof buffer.size === 'number' &&
    typeof buffer.usage === 'number' &&
    typeof buffer.mapState === 'string'
  );
}

/** A buffer or { buffer, offset } as a range of so many bytes. @throws TypeError, RangeError that begin with `what` */
export function checkRange(what: string, value: unknown, size: number, alignment: number): Range {
  const { buffer, offset } = isBuffer(value)
    ? { buffer: value, offset: undefined }
    : ((value ?? {}) as Partial<DeviceRange>);
  if (!isBuffer(buffer))
    throw new TypeError(`${what} must be a GPUBuffer or { buffer, offset }, got ${describe(value)}.`);
  if (buffer.mapState !== 'unmapped') throw new Error(`${what}: the buffer is mapped; unmap it first.`);
  const start = offset ?? 0;
  if (!Number.isInteger(start) || start < 0 || start % alignment !== 0)
    throw new RangeError(
      `${what}: the offset must be a multiple of ${alignment} bytes, got ${describe(offset)}.`,
    );
  // A whole buffer must fit exactly; with an offset it is the caller who says which part is meant.
  const room = buffer.size - start;
  const padded = Math.max(16, Math.ceil(size / 16) * 16);
  if (room < size || (offset === undefined && room !== size && room !== padded))
    throw new RangeError(
      `${what} must have ${size} bytes (${size / 4} float32), got a buffer of ${buffer.size}${offset ? ` from ${start} on` : ''}.`,
    );
  return { buffer: buffer as unknown as GPUBuffer, offset: start, size };
}

export class GpuResidence implements Residence {
  readonly accelerator: Accelerator;
  readonly weights: Region;
  readonly #context: Context;
  readonly #path: string;
  readonly #free: () => void;

  constructor(accelerator: Accelerator, context: Context, path: string, weights: Region, free: () => void) {
    this.accelerator = accelerator;
    this.weights = weights;
    this.#context = context;
    this.#path = path;
    this.#free = free;
  }

  range(): { buffer: object; start: number; end: number } {
    const { buffer, offset, size } = this.weights;
    return { buffer, start: offset, end: offset + size };
  }

  read(): Promise<Float32Array> {
    return this.#context.read(`Variable '${this.#path}': read`, this.weights);
  }

  write(values: ArrayLike<number>): void {
    this.#context.write(`Variable '${this.#path}': assign`, this.weights, values);
  }

  checkGradient(g: unknown, { path, size }: Target): void {
    const isRange = typeof g === 'object' && g !== null && 'buffer' in g && isBuffer(g.buffer);
    if (!isBuffer(g) && !isRange)
      throw new TypeError(
        `The gradient of '${path}' must be a Float32Array, a SparseGradient, a GPUBuffer, { buffer, offset } or null, got ${describe(g)}.`,
      );
    const what = `The gradient of '${path}'`;
    const { buffer, offset } = checkRange(what, g, size * 4, 4);
    const inPlace =
      buffer.usage & usage.storage &&
      !this.weights.shared &&
      offset % this.#context.alignment === 0 &&
      (size % 4 === 0 || !this.weights.padded);
    if (!inPlace && !(buffer.usage & usage.copySrc))
      throw new RangeError(
        `${what}: the buffer must have the usage STORAGE and COPY_SRC, got ${buffer.usage} (GPUBufferUsage flags).`,
      );
  }

  free(): void {
    this.#free();
  }
}
