// simdescent/webgpu: variables and optimizer steps on the GPU. The public names and nothing else.
import './index.js'; // as every entry point does: scripts/build.mjs

export type { Calibration } from './gpu/calibrate.js';
export { initWebGPU, type WebGPUOptions } from './gpu/init.js';
export type { DeviceLike, WebGPU, WrapOptions } from './gpu/webgpu.js';
export type { DeviceBuffer, DeviceRange } from './step/remote.js';
