// One GPUDevice and what everything on it shares: limits, buffers, reading back, and errors. Errors of a device
// come late: they are kept here for `sync()`; the loss of the device is remembered for good.

/** GPUBufferUsage, which Node does not have. */
export const usage = { mapRead: 1, mapWrite: 2, copySrc: 4, copyDst: 8, uniform: 64, storage: 128 } as const;

const mapRead = 1; // GPUMapMode.READ
const sliceBytes = 4 * 4096;

/** A part of a buffer, in bytes. */
export interface Range {
  readonly buffer: GPUBuffer;
  readonly offset: number;
  readonly size: number;
}

export class Context {
  readonly device: GPUDevice;
  /** Bytes of one buffer, and of what a shader sees of it at once. */
  readonly maxBufferSize: number;
  readonly maxBindingSize: number;
  /** What the start of a binding must be a multiple of. */
  readonly alignment: number;
  readonly maxGroups: number;
  #lost: string | null = null;
  #error: Error | null = null;
  readonly #scopes = new Set<Promise<void>>();

  constructor(device: GPUDevice) {
    this.device = device;
    const { limits } = device;
    this.maxBufferSize = limits.maxBufferSize;
    // Slices are whole workgroups of the largest kind, so that sums do not depend on where they end.
    this.maxBindingSize = Math.floor(limits.maxStorageBufferBindingSize / sliceBytes) * sliceBytes;
    this.alignment = Math.max(limits.minStorageBufferOffsetAlignment, 16);
    this.maxGroups = limits.maxComputeWorkgroupsPerDimension;
    device.lost.then(({ reason, message }) => {
      this.#lost = `${reason}: ${message}`;
    });
  }

  get isLost(): boolean {
    return this.#lost !== null;
  }

  /** @throws Error if the device is lost */
  alive(what: string): void {
    if (this.#lost !== null)
      throw new Error(
        `${what}: the GPU device was lost (${this.#lost}). What lived on it is gone; onload() brings the optimizer ` +
          'back into the engine and says what is missing. What was read before is valid.',
      );
  }

  /** @throws RangeError for more than the device allows */
  buffer(what: string, bytes: number, flags: number): GPUBuffer {
    const size = Math.max(16, Math.ceil(bytes / 16) * 16);
    if (size > this.maxBufferSize)
      throw new RangeError(
        `${what} needs ${size} bytes in one buffer, and this GPU allows ${this.maxBufferSize} (gpu.limits.maxBufferSize).`,
      );
    return this.device.createBuffer({ label: `simdescent: ${what}`, size, usage: flags });
  }

  /** Runs `work`; what the device finds wrong with it comes out of `settle`. */
  watched<T>(work: () => T): T {
    this.device.pushErrorScope('out-of-memory');
    this.device.pushErrorScope('validation');
    try {
      return work();
    } finally {
      this.#keep(this.device.popErrorScope());
      this.#keep(this.device.popErrorScope());
    }
  }

  #keep(scope: Promise<GPUError | null>): void {
    const kept = scope
      .then(
        (error) => {
          if (error) this.#error ??= new Error(`The GPU refused a command: ${error.message}`);
        },
        () => {}, // a lost device; `alive` tells
      )
      .finally(() => this.#scopes.delete(kept));
    this.#scopes.add(kept);
  }

  /** Whether the device has room for what `work` makes. Whatever `work` throws is thrown. */
  async fits(work: () => void): Promise<boolean> {
    this.device.pushErrorScope('out-of-memory');
    let failure: unknown;
    try {
      work();
    } catch (error) {
      failure = error ?? new Error('unknown');
    }
    const refused = await this.device.popErrorScope().catch(() => null);
    if (failure) throw failure;
    return refused === null;
  }

  /** Waits for all commands sent. @throws Error for what was refused or if the device is lost */
  async settle(what: string): Promise<void> {
    this.alive(what);
    try {
      await this.device.queue.onSubmittedWorkDone();
      await Promise.all(this.#scopes);
    } catch (cause) {
      await this.#failed(what, cause);
    }
    this.alive(what);
    const error = this.#error;
    this.#error = null;
    if (error) throw error;
  }

  /** Values into a range, also a view of the engine's memory. @throws Error if the device is lost */
  write(what: string, { buffer, offset, size }: Range, values: ArrayLike<number>): void {
    this.alive(what);
    if (size === 0) return;
    const floats = values instanceof Float32Array ? values : Float32Array.from(values);
    this.watched(() => this.device.queue.writeBuffer(buffer, offset, unshared(floats)));
  }

  /** A copy of a range. @throws Error if the device is lost */
  async read(what: string, { buffer, offset, size }: Range): Promise<Float32Array> {
    this.alive(what);
    if (size === 0) return new Float32Array(0);
    let values: Float32Array | undefined;
    try {
      const staging = this.buffer(what, size, usage.mapRead | usage.copyDst);
      const encoder = this.device.createCommandEncoder();
      encoder.copyBufferToBuffer(buffer, offset, staging, 0, size);
      this.device.queue.submit([encoder.finish()]);
      await staging.mapAsync(mapRead, 0, size);
      values = new Float32Array(staging.getMappedRange(0, size).slice(0));
      staging.destroy();
    } catch (cause) {
      await this.#failed(what, cause);
    }
    return values as Float32Array;
  }

  /** The loss of a device is often told after what failed because of it. */
  async #failed(what: string, cause: unknown): Promise<never> {
    const soon = new Promise((resolve) => setTimeout(resolve, 200));
    await Promise.race([this.device.lost, soon]);
    this.alive(what);
    throw new Error(`${what}: the GPU failed: ${(cause as Error).message}`, { cause });
  }
}

/** The engine's memory is shared where there are threads, and not every device takes that. */
export function unshared(values: Float32Array): Float32Array<ArrayBuffer> {
  const isShared = typeof SharedArrayBuffer !== 'undefined' && values.buffer instanceof SharedArrayBuffer;
  return isShared ? new Float32Array(values) : (values as Float32Array<ArrayBuffer>);
}
