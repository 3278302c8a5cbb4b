// WebGPU: what initWebGPU gives. Variables are made or wrapped here, and optimizers moved; the caller's device and
// buffers are used as they are. The public face: how a step runs is host.ts and what it uses.
import { sizeOf } from '../basics/floats.js';
import type { Accelerator, Elsewhere, Guest } from '../step/elsewhere.js';
import { homeOf } from '../step/home.js';
import type { DeviceBuffer } from '../step/remote.js';
import type { Target } from '../step/target.js';
import { Variable, type VariableOptions } from '../step/variable.js';
import { type Calibration, measure } from './calibrate.js';
import { Context, usage } from './context.js';
import { Host } from './host.js';
import { Pages } from './pages.js';
import { Programs } from './programs.js';
import { checkRange, GpuResidence } from './residence.js';
import { checkUnshared } from './rows.js';

/** A GPUDevice, as far as it is used here. Structural: no @webgpu/types are needed. */
export interface DeviceLike {
  /** GPUSupportedLimits. */
  readonly limits: object;
  /** GPUQueue. */
  readonly queue: object;
  /** Resolves when it is lost. */
  readonly lost: Promise<{ readonly reason: string; readonly message: string }>;
  /** As GPUDevice. */
  createBuffer(descriptor: never): unknown;
  /** As GPUDevice. */
  destroy(): unknown;
}

/** What `wrap` takes beside the buffer. */
export interface WrapOptions extends VariableOptions {
  /** Byte where the values start: a multiple of the device's minStorageBufferOffsetAlignment (256). Default 0. */
  offset?: number | undefined;
}

/** From so many elements on `offload` moves a variable, unless told otherwise or calibrated. */
const defaultMinSize = 2 ** 20;

/** Variables and optimizer steps on one GPU: what `initWebGPU` gives. */
export class WebGPU implements Accelerator {
  /** The class' name, also where its code was minified. */
  static readonly name: string = 'WebGPU';
  /** The device that everything runs on; buffers of another one cannot be used. */
  readonly device: DeviceLike;
  /** What the adapter says of itself; empty for a device of the caller's that does not tell. */
  readonly info: {
    /** Who made it. */
    readonly vendor: string;
    /** Its family. */
    readonly architecture: string;
    /** Its name, as the browser tells it. */
    readonly description: string;
  };
  /** How large things may be, in bytes. */
  readonly limits: {
    /** One buffer, and so one variable. */
    readonly maxBufferSize: number;
    /** What a shader sees at once; variables over it are stepped in slices. */
    readonly maxBindingSize: number;
  };
  /** Variables of at least so many elements are moved by `offload`. Set it, or let `calibrate` measure it. */
  minSize: number = defaultMinSize;
  readonly #context: Context;
  readonly #pages: Pages;
  readonly #programs: Programs;
  readonly #owned: boolean;

  /** @internal */
  constructor(device: DeviceLike, info: WebGPU['info'], owned: boolean) {
    this.device = device;
    this.info = info;
    this.#owned = owned;
    this.#context = new Context(device as unknown as GPUDevice);
    this.#pages = new Pages(this.#context);
    this.#programs = new Programs(this.#context);
    const { maxBufferSize, maxBindingSize } = this.#context;
    this.limits = { maxBufferSize, maxBindingSize };
  }

  /** Resolves when the device is lost, to why. */
  get lost(): Promise<{ readonly reason: string; readonly message: string }> {
    return this.device.lost;
  }

  /**
   * A Variable whose values live on the GPU.
   * @throws TypeError, RangeError as `new Variable`, or for more than this GPU allows. Whether it has the memory
   *   is known at the next `sync`.
   */
  variable(values: Float32Array | readonly number[] | number, options: VariableOptions = {}): Variable {
    this.#context.alive('gpu.variable');
    return new Variable(values, options, (given, made) => {
      const residence = this.#take(made);
      if (typeof given !== 'number') residence.write(given);
      else if (residence.weights.shared) residence.write(new Float32Array(given)); // a page may have been used before
      return residence;
    });
  }

  /**
   * A Variable over a GPUBuffer of yours, which is stepped in place and never destroyed. It needs the usages
   * STORAGE, COPY_SRC and COPY_DST, and exactly the size of `shape`, unless an `offset` is given.
   * @throws TypeError, RangeError
   */
  wrap(buffer: DeviceBuffer, options: WrapOptions = {}): Variable {
    this.#context.alive('gpu.wrap');
    const { offset, ...others } = options ?? {};
    const bytes = (buffer as Partial<DeviceBuffer> | null)?.size;
    const elements = Array.isArray(others.shape)
      ? sizeOf(others.shape)
      : Math.floor(((bytes ?? 0) - (offset ?? 0)) / 4);
    const given = offset === undefined ? buffer : { buffer, offset };
    const range = checkRange('gpu.wrap: the buffer', given, elements * 4, this.#context.alignment);
    const needed = usage.storage | usage.copySrc | usage.copyDst;
    if ((range.buffer.usage & needed) !== needed)
      throw new RangeError(
        `gpu.wrap: the buffer must have the usages STORAGE, COPY_SRC and COPY_DST, got ${range.buffer.usage} (GPUBufferUsage flags).`,
      );
    return new Variable(
      elements,
      others,
      (_, made) =>
        new GpuResidence(
          this,
          this.#context,
          made.path,
          { ...range, shared: false, padded: false },
          () => {},
        ),
    );
  }

  /** Where the values of a variable are: for shaders of yours. `offset` and `size` are bytes. */
  bufferOf(variable: Variable): { buffer: DeviceBuffer; offset: number; size: number } {
    const residence = homeOf(variable)?.residence;
    if (!(residence instanceof GpuResidence) || residence.accelerator !== this)
      throw new Error(`bufferOf: '${variable?.path}' does not live on this GPU.`);
    const { buffer, offset, size } = residence.weights;
    return { buffer, offset, size };
  }

  /**
   * Waits until everything enqueued so far is done.
   * @throws Error for what the device refused since the last call, such as a buffer of another device; or if it is lost
   */
  sync(): Promise<void> {
    return this.#context.settle('sync');
  }

  /** Measures from which size on a variable is better off here than in the engine, and sets `minSize` to it. */
  async calibrate(): Promise<Calibration> {
    const found = await measure(this);
    this.minSize = found.minSize;
    return found;
  }

  /** Destroys the device, if `initWebGPU` made it. Variables that live on it are lost: `onload` first. */
  dispose(): void {
    if (this.#owned) this.device.destroy();
  }

  /** @internal */
  host(executor: Guest): Elsewhere {
    const host = new Host(this.#context, this.#programs, executor);
    const parts = executor.targets.flatMap((target) => {
      const residence = target.variable && homeOf(target.variable).residence;
      if (!residence) return [];
      if (!(residence instanceof GpuResidence) || residence.accelerator !== this)
        throw new Error(`build: '${target.path}' lives on another GPU device than the variables before it.`);
      return { target, weights: residence.weights };
    });
    this.#context.alive('build');
    host.adopt(parts);
    return host;
  }

  /** @internal */
  async move(executor: Guest, minSize = this.minSize): Promise<void> {
    this.#context.alive('offload');
    const targets = executor.targets.filter(
      ({ variable, size }) => variable && homeOf(variable).address !== 0 && size >= minSize,
    );
    if (targets.length === 0) return;
    for (const target of targets) checkUnshared('offload', target);
    executor.elsewhere ??= this.host(executor);
    const host = executor.elsewhere;
    if (!(host instanceof Host) || !host.isOn(this.#context))
      throw new Error('offload: other variables of this optimizer live on another GPU device.');
    this.#pages.expect(targets.map(({ size }) => size * 4));
    await host.offload(targets, ({ variable }: Target) => this.#take(variable as Variable));
  }

  #take(variable: Variable): GpuResidence {
    const region = this.#context.watched(() => this.#pages.take(`'${variable.path}'`, variable.size * 4));
    const free = () => this.#pages.give(region);
    return new GpuResidence(this, this.#context, variable.path, region, free);
  }
}
