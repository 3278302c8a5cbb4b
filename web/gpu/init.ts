// initWebGPU: finds an adapter and a device with its limits, or takes the caller's device.
import { describe, refuseUnknown } from '../basics/errors.js';
import { init } from '../engine/load.js';
import { loadShaders } from './shader-text.js';
import { type DeviceLike, WebGPU } from './webgpu.js';

/** Which device `initWebGPU` takes. */
export interface WebGPUOptions {
  /** A GPUDevice that you have already, such as your ML library's. It is never destroyed. Default: one of our own. */
  device?: DeviceLike | undefined;
  /** Where adapters come from. Default `navigator.gpu`; in Node, npm `webgpu`'s `create([])`. */
  gpu?: object | undefined;
  /** Resolve to null where there is no adapter, instead of throwing. */
  optional?: boolean | undefined;
  /** Passed on to `requestAdapter`. Default: the browser's. */
  powerPreference?: 'low-power' | 'high-performance' | undefined;
}

/** Held for good: npm webgpu ends the process when its entry point is collected while a device is in use. */
const entries = new Set<object>();

/** The limits that matter here; storage buffers per stage are never more than the default 8. */
const wanted = ['maxBufferSize', 'maxStorageBufferBindingSize'] as const;

/**
 * WebGPU for variables and optimizers. Loads the engine as well, if `init` was not called.
 * @throws TypeError for unknown options; Error if there is no adapter, or it refuses a device
 */
export async function initWebGPU(options: WebGPUOptions & { optional: true }): Promise<WebGPU | null>;
export async function initWebGPU(options?: WebGPUOptions): Promise<WebGPU>;
export async function initWebGPU(options: WebGPUOptions = {}): Promise<WebGPU | null> {
  refuseUnknown('initWebGPU', options, ['device', 'gpu', 'optional', 'powerPreference']);
  const { device: given, gpu, optional, powerPreference } = options;
  if (given !== undefined) checkDevice(given);
  await Promise.all([init(), loadShaders()]);
  if (given) return new WebGPU(given, infoOf((given as Partial<GPUDevice>).adapterInfo), false);
  const entry = (gpu ?? globalThis.navigator?.gpu) as GPU | undefined;
  if (entry) entries.add(entry);
  const adapter = await entry?.requestAdapter({ powerPreference });
  if (!adapter) {
    if (optional) return null;
    throw new Error(
      entry
        ? 'initWebGPU: this machine offers no WebGPU adapter. With { optional: true } the result is null instead.'
        : 'initWebGPU: there is no WebGPU here (navigator.gpu). In Node pass { gpu: create([]) } of npm webgpu; with { optional: true } the result is null instead.',
    );
  }
  const limits = Object.fromEntries(wanted.map((name) => [name, adapter.limits[name]]));
  let device: GPUDevice;
  try {
    device = await adapter.requestDevice({ label: 'simdescent', requiredLimits: limits });
  } catch (cause) {
    throw new Error(`initWebGPU: the adapter refused a device: ${(cause as Error).message}`, { cause });
  }
  return new WebGPU(device as unknown as DeviceLike, infoOf(adapter.info), true);
}

function checkDevice(device: unknown): void {
  const found = device as Partial<GPUDevice> | null;
  if (typeof found !== 'object' || typeof found?.createComputePipeline !== 'function' || !found.queue)
    throw new TypeError(`initWebGPU: device must be a GPUDevice, got ${describe(device)}.`);
}

function infoOf(info: Partial<GPUAdapterInfo> | undefined): WebGPU['info'] {
  const { vendor = '', architecture = '', description = '' } = info ?? {};
  return { vendor, architecture, description };
}
