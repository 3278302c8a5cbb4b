// WebGPU in Node: npm webgpu, which is Dawn.
import { after, before } from 'node:test';
import { create } from 'webgpu';
import { initWebGPU } from '../../dist/webgpu.js';

/** One for the whole process. */
export const entry = create([]);

/** A GPU with a device of its own, or with a given one. */
export const openGpu = (options = {}) => initWebGPU({ gpu: entry, ...options });

/** One for all tests of the `describe` in whose body it is called; at the end nothing may have been refused by it. */
export function shareGpu(use) {
  let gpu;
  before(async () => {
    gpu = await openGpu();
    use(gpu);
  });
  after(async () => {
    await gpu.sync();
    gpu.dispose();
  });
}
