// Memory of a GPU, as far as it is looked at outside of gpu/. Types only.

/** A GPUBuffer, as far as its kind and size are looked at here. Structural: no @webgpu/types are needed. */
export interface DeviceBuffer {
  /** In bytes. */
  readonly size: number;
  /** GPUBufferUsage flags. */
  readonly usage: number;
  /** 'unmapped', or it cannot be used. */
  readonly mapState: string;
}

/** A part of a GPUBuffer, from byte `offset` on. */
export interface DeviceRange {
  /** The whole. */
  readonly buffer: DeviceBuffer;
  /** In bytes, a multiple of 4. Default 0. */
  readonly offset?: number | undefined;
}

/** An array that cannot be read without waiting. */
export interface Remote {
  read(): Promise<Float32Array>;
  write(values: ArrayLike<number>): void;
}
