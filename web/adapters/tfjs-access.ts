// How each backend of TensorFlow.js lets its arrays be stepped in place: the wasm backend's heap, the cpu
// backend's typed arrays. What must hold is checked first; what cannot be had is read back and uploaded.

import { describe, warnOnce } from '../basics/errors.js';
import type { Core } from '../engine/core.js';
import { EngineExecutor } from '../step/engine-executor.js';
import { rowsFor, SparseGradient } from '../step/sparse.js';
import type { Target } from '../step/target.js';
import type { Gpu } from './gpu.js';
import { kernelsIn, type MemoryHost } from './kernels.js';
import { MemoryExecutor, type MemoryGradient } from './memory-executor.js';
import { Base, type TfAccess, type TfGradient } from './tfjs-base.js';
import type { TfEngine, TfTensor, TfVariable } from './tfjs-engine.js';
import { isWebGpu, WebGpuAccess } from './tfjs-webgpu.js';

interface WasmBackend {
  readonly wasm: {
    readonly HEAPU8: Uint8Array;
    readonly wasmMemory?: unknown;
    readonly asm?: { readonly memory?: unknown };
    readonly tfjs: {
      registerTensor(id: number, size: number, memoryOffset: number): void;
      disposeData(id: number): void;
    };
    _malloc(bytes: number): number;
    _free(address: number): void;
  } | null;
  readonly dataIdMap: { get(id: object): { id: number; memoryOffset: number } };
  refCount(id: object): number;
}

/** The wasm backend, single or threaded: rows in its own heap. */
class WasmAccess extends Base {
  override readonly spreads = true;
  readonly #wasm: WasmBackend;
  readonly #host: MemoryHost;
  readonly #gradients: MemoryGradient[] = [];
  readonly #bound = new Set<TfVariable>();
  #executor: MemoryExecutor | null = null;

  constructor(engine: TfEngine, memory: WebAssembly.Memory) {
    super(engine);
    const backend = engine.backend as WasmBackend;
    this.#wasm = backend;
    this.#host = {
      memory,
      allocate: (bytes) => (backend.wasm?._malloc(bytes) ?? 0) >>> 0, // signed above 2 GiB
      free: (address) => backend.wasm?._free(address), // null once the backend is disposed
    };
  }

  executor(core: Core, rule: string, targets: readonly Target[], averages: boolean, accumulates: boolean) {
    this.#gradients.length = 0; // rows may be others than before
    this.#executor = new MemoryExecutor(core, this.#host, rule, targets, averages, accumulates);
    return this.#executor;
  }

  bind(variable: TfVariable, { row }: Target): void {
    let address = this.#addressOf(variable); // moves the data here if another backend had it
    if (this.#wasm.refCount(variable.dataId) !== 1) {
      this.replace(variable, new Float32Array(variable.dataSync()));
      address = this.#addressOf(variable);
    }
    (this.#executor as MemoryExecutor).weights[row] = address;
    this.#bound.add(variable);
  }

  bindGradient(gradient: TfGradient, target: Target): MemoryGradient {
    const { row, size } = target;
    this.#gradients[row] ??= { address: 0, size, given: null };
    const bound = this.#gradients[row];
    bound.given = gradient instanceof SparseGradient ? rowsFor(gradient, target) : null;
    bound.address = bound.given
      ? (this.#executor as MemoryExecutor).spread(bound.given, target)
      : this.#addressOf(gradient as TfTensor);
    return bound;
  }

  /**
   * XNNPACK, in tfjs' heap, keeps a packed copy of what it multiplied by, under the tensor's number. Giving up that
   * number and taking it again drops the copy; the memory itself is not touched by either.
   */
  override finish(): void {
    const tfjs = this.#wasm.wasm?.tfjs;
    for (const { dataId, size } of this.#bound) {
      const { id, memoryOffset } = this.#wasm.dataIdMap.get(dataId);
      tfjs?.disposeData(id);
      tfjs?.registerTensor(id, size, memoryOffset);
    }
    this.#bound.clear();
  }

  #addressOf({ dataId }: TfTensor): number {
    return this.#wasm.dataIdMap.get(dataId).memoryOffset;
  }
}

/** The memory of a wasm backend, if everything is where it is known to be. */
function wasmMemory({ backend }: TfEngine): WebAssembly.Memory | null {
  const { wasm, dataIdMap, refCount } = backend as Partial<WasmBackend>;
  if (!wasm?._malloc || !wasm._free || !dataIdMap || !refCount) return null;
  if (!wasm.tfjs?.registerTensor || !wasm.tfjs.disposeData) return null;
  const found = [wasm.wasmMemory, wasm.asm?.memory].find((x) => x instanceof WebAssembly.Memory);
  return (found as WebAssembly.Memory | undefined)?.buffer === wasm.HEAPU8.buffer
    ? (found as WebAssembly.Memory)
    : null;
}

interface CpuBackend {
  readonly data: { get(id: object): { values: unknown } };
  refCount(id: object): number;
}

/** Arrays of the JavaScript heap pass through the engine's tiles, and are written where they are. */
class CpuAccess extends Base {
  readonly #cpu: CpuBackend;
  /** Data that is nobody else's: tfjs aliases the typed array that a tensor was made of. */
  readonly #own = new WeakSet<object>();

  constructor(engine: TfEngine) {
    super(engine);
    this.#cpu = engine.backend as CpuBackend;
  }

  executor(core: Core, rule: string, targets: readonly Target[], averages: boolean, accumulates: boolean) {
    return arrayExecutor(core, rule, targets, averages, accumulates);
  }

  bind(variable: TfVariable, target: Target): void {
    let values = this.#valuesOf(variable);
    if (!this.#own.has(variable.dataId) || this.#cpu.refCount(variable.dataId) !== 1) {
      this.replace(variable, new Float32Array(values));
      this.#own.add(variable.dataId);
      values = this.#valuesOf(variable);
    }
    setArray(target, values);
  }

  bindGradient(gradient: TfGradient): unknown {
    return gradient instanceof SparseGradient ? gradient : floats(this.#valuesOf(gradient));
  }

  #valuesOf({ dataId }: TfTensor): Float32Array {
    return this.#cpu.data.get(dataId).values as Float32Array;
  }
}

/** Any backend: values are read back, stepped on the CPU, and uploaded. */
class CopyAccess extends Base {
  readonly #bound = new Map<TfVariable, Target>();

  executor(core: Core, rule: string, targets: readonly Target[], averages: boolean, accumulates: boolean) {
    return arrayExecutor(core, rule, targets, averages, accumulates);
  }

  bind(variable: TfVariable, target: Target): void {
    setArray(target, new Float32Array(variable.dataSync()));
    this.#bound.set(variable, target);
  }

  bindGradient(gradient: TfGradient): unknown {
    return gradient instanceof SparseGradient ? gradient : floats(gradient.dataSync());
  }

  override finish(stepped: boolean): void {
    for (const [variable, { array }] of this.#bound)
      if (stepped) this.replace(variable, array as Float32Array);
    this.#bound.clear();
  }
}

const floats = (values: ArrayLike<number>): Float32Array =>
  values instanceof Float32Array ? values : new Float32Array(values);

const nothing = new Float32Array(0);

const setArray = (target: Target, array: Float32Array): void => {
  (target as { array: Float32Array }).array = array;
};

function arrayExecutor(...args: Parameters<TfAccess['executor']>): EngineExecutor {
  for (const target of args[2]) setArray(target, target.array ?? nothing); // until they are bound
  return new EngineExecutor(...args);
}

/** The best way into the current backend. */
export function accessTo(engine: TfEngine, gpu: Gpu | undefined): TfAccess {
  const { backend, backendName } = engine;
  if (!backend) throw new Error('TensorFlow.js has no backend yet: await tf.ready() first.');
  if (backendName === 'webgpu' && isWebGpu(engine)) {
    if (gpu) return new WebGpuAccess(engine, gpu);
    throw new Error(
      "On tfjs' webgpu backend give the optimizer the GPU: tfOptimizer(optimizer, { gpu }) with gpu = await " +
        'initWebGPU({ device: tf.backend().device }) of simdescent/webgpu.',
    );
  }
  const memory = wasmMemory(engine);
  if (memory) {
    try {
      kernelsIn(memory);
      return new WasmAccess(engine, memory);
    } catch (error) {
      warnOnce(`simdescent/tfjs cannot step inside the wasm backend's memory (${describe(error)}).`);
    }
  }
  const { data, refCount } = backend as Partial<CpuBackend>;
  if (backendName === 'cpu' && data?.get && refCount) return new CpuAccess(engine);
  warnOnce(
    `simdescent/tfjs: no way into the memory of the backend '${backendName}'. Every step reads variables and gradients ` +
      'back, updates them on the CPU and uploads them; the wasm and cpu backends are stepped in place.',
  );
  return new CopyAccess(engine);
}
