// tfjs' webgpu backend: variables get GPUBuffers of their own, which tfjs sees without a copy and our shaders step in
// place, on tfjs' device. Gradients are read where tfjs computed them. Nothing is read back.

import type { Core } from '../engine/core.js';
import { EngineExecutor } from '../step/engine-executor.js';
import { homeOf } from '../step/home.js';
import type { DeviceBuffer, DeviceRange } from '../step/remote.js';
import { SparseGradient } from '../step/sparse.js';
import type { Target } from '../step/target.js';
import type { Variable } from '../step/variable.js';
import type { Gpu } from './gpu.js';
import { Base, type TfGradient } from './tfjs-base.js';
import type { TfEngine, TfTensor, TfVariable } from './tfjs-engine.js';

interface TensorData {
  resource: DeviceBuffer;
  values: unknown;
  external?: boolean;
}

interface WebGpuBackend {
  readonly device: {
    readonly queue: { submit(commands: object[]): void };
    createBuffer(descriptor: object): DeviceBuffer;
    createCommandEncoder(): {
      copyBufferToBuffer(from: object, fromOffset: number, to: object, toOffset: number, bytes: number): void;
      finish(): object;
    };
  };
  readonly commandEncoder: object | null;
  readonly tensorMap: { get(id: object): TensorData };
  readonly bufferManager: { acquireBuffer(bytes: number, usage: number): DeviceBuffer };
  refCount(id: object): number;
  uploadToGPU(id: object): void;
  ensureCommandEncoderReady(): void;
  endComputePassEncoder(): void;
  submitQueue(): void;
  createTensorFromGPUData(
    data: { buffer: DeviceBuffer; zeroCopy: true },
    shape: readonly number[],
    dtype: string,
  ): TfTensor;
}

const usage = 0x80 | 0x08 | 0x04; // STORAGE, COPY_DST, COPY_SRC: those of tfjs' own buffers

interface Own {
  readonly buffer: DeviceBuffer;
  /** Over the buffer, and what says so. */
  readonly variable: Variable;
  readonly residence: unknown;
  /** The data of the variable, while it is in that buffer. */
  dataId: object | null;
}

export class WebGpuAccess extends Base {
  readonly #gpu: Gpu;
  readonly #tfjs: WebGpuBackend;
  readonly #own: Own[] = [];
  readonly #bound = new Set<TfVariable>();

  /** @throws Error if the backend is on another device */
  constructor(engine: TfEngine, gpu: Gpu) {
    super(engine);
    this.#tfjs = engine.backend as WebGpuBackend;
    this.#gpu = gpu;
    if (this.#tfjs.device !== gpu.device)
      throw new Error(
        "tfOptimizer: { gpu } is on another device than tfjs' webgpu backend: initWebGPU({ device: tf.backend().device }).",
      );
  }

  executor(core: Core, rule: string, targets: readonly Target[], averages: boolean, accumulates: boolean) {
    if (this.#own.length)
      throw new Error(
        'On the webgpu backend every variable must be known at the first step: build(variables) with all of them first.',
      );
    try {
      const variables = targets.map(({ path, name, shape, size }) => {
        // Not a byte more: tfjs takes the length of what it reads back from the buffer.
        const buffer = this.#tfjs.device.createBuffer({ size: 4 * size, usage });
        const variable = this.#gpu.wrap(buffer, { path, name, shape });
        this.#own.push({ buffer, variable, residence: homeOf(variable).residence, dataId: null });
        return variable;
      });
      targets.forEach((target, k) => {
        (target as { variable: Variable | null }).variable = variables[k];
      });
      return new EngineExecutor(core, rule, targets, averages, accumulates);
    } catch (error) {
      this.release(); // what cannot be placed, such as a variable larger than a binding under Muon
      throw error;
    }
  }

  override get isStale(): boolean {
    return this.#own.some(({ variable, residence }) => homeOf(variable).residence !== residence);
  }

  /** The buffers stay: tfjs' variables have them. */
  override release(): void {
    for (const { variable } of this.#own.splice(0)) variable.dispose();
  }

  bind(variable: TfVariable, { row, size }: Target): void {
    const own = this.#own[row];
    const { dataId } = variable;
    const isOwn = own.dataId === dataId;
    this.#bound.add(variable);
    if (isOwn && this.#tfjs.refCount(dataId) === 1) return;
    if (isOwn) {
      // Somebody else has the data, too: they go on with a copy.
      const data = this.#tfjs.tensorMap.get(dataId);
      const copy = this.#tfjs.bufferManager.acquireBuffer(4 * size, usage);
      this.#copy(own.buffer, copy, size);
      data.resource = copy;
      data.external = false;
    } else {
      this.#copy(this.#bufferOf(variable), own.buffer, size);
    }
    const tensor = this.#tfjs.createTensorFromGPUData(
      { buffer: own.buffer, zeroCopy: true },
      variable.shape,
      'float32',
    );
    variable.assign(tensor);
    tensor.dispose();
    own.dataId = variable.dataId;
  }

  bindGradient(gradient: TfGradient): SparseGradient | DeviceRange {
    if (gradient instanceof SparseGradient) return gradient;
    const buffer = this.#bufferOf(gradient);
    this.#flush();
    return { buffer, offset: 0 }; // tfjs' buffers may be longer than the tensor
  }

  override finish(): void {
    // What tfjs has read back is of yesterday.
    for (const { dataId } of this.#bound) this.#tfjs.tensorMap.get(dataId).values = null;
    this.#bound.clear();
  }

  #bufferOf({ dataId }: TfTensor): DeviceBuffer {
    this.#tfjs.uploadToGPU(dataId);
    return this.#tfjs.tensorMap.get(dataId).resource;
  }

  #copy(from: DeviceBuffer, to: DeviceBuffer, size: number): void {
    this.#flush();
    const encoder = this.#tfjs.device.createCommandEncoder();
    encoder.copyBufferToBuffer(from, 0, to, 0, 4 * size);
    this.#tfjs.device.queue.submit([encoder.finish()]);
  }

  /** Submits what tfjs has recorded so far: our commands come after it. */
  #flush(): void {
    if (!this.#tfjs.commandEncoder) return;
    this.#tfjs.endComputePassEncoder();
    this.#tfjs.submitQueue();
  }
}

/** Whether a backend is tfjs' webgpu backend, with the inside that is needed here. */
export function isWebGpu({ backend }: TfEngine): boolean {
  const { device, tensorMap, bufferManager, uploadToGPU, submitQueue, createTensorFromGPUData } =
    backend as Partial<WebGpuBackend>;
  return Boolean(
    device && tensorMap && bufferManager && uploadToGPU && submitQueue && createTensorFromGPUData,
  );
}
