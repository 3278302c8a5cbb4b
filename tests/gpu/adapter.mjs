// WebGPU in Node: npm webgpu, which is Dawn.
import { create } from 'webgpu';
import { initWebGPU } from '../../dist/webgpu.js';

/** One for the whole process. */
export const entry = create([]);

/** A GPU with a device of its own, or with a given one. */
export const openGpu = (options = {}) => initWebGPU({ gpu: entry, ...options });
