// A step on the GPU, through the library's WebGPU engine: parameters, state and gradient live there. Loaded only
// where it is measured.
import { Adam, Adamax, Variable } from 'simdescent';
import { type DeviceBuffer, initWebGPU } from 'simdescent/webgpu';
import { type Contestant, gradientValues, options, startValues } from './contestants.ts';
import type { Rule } from './job.ts';

const classes = { adam: Adam, adamax: Adamax };
const STEPS_COMPARED = 30;
/** GPUBufferUsage of the gradient, by the numbers of the WebGPU specification. */
const usage = 0x80 | 0x8 | 0x4; // STORAGE, COPY_DST, COPY_SRC

/** As much of a GPUDevice as is used here. */
interface Device {
  createBuffer(descriptor: { size: number; usage: number }): DeviceBuffer & { destroy(): void };
  readonly queue: { writeBuffer(buffer: DeviceBuffer, offset: number, data: Float32Array): void };
}

export interface GpuContestant extends Contestant {
  readonly adapter: string;
  /** After some steps of both from the same parameters: the largest difference to the engine, of any parameter. */
  difference(): Promise<number>;
}

/** @throws Error that says why there is no GPU to be had. */
export async function webgpu(rule: Rule, size: number): Promise<GpuContestant> {
  const gpu = await initWebGPU({ optional: true });
  if (!gpu) throw new Error('this browser offers no WebGPU adapter');
  // A gradient as another library would hand it over: a buffer of the same device.
  const device = gpu.device as unknown as Device;
  const gradient = device.createBuffer({ size: 4 * size, usage });
  device.queue.writeBuffer(gradient, 0, gradientValues(size));
  const start = () => gpu.variable(startValues(size), { name: 'parameters' });
  const variable = start();
  const optimizer = new classes[rule](options);
  optimizer.build([variable]);
  const { vendor, architecture, description } = gpu.info;
  return {
    adapter: description || [vendor, architecture].filter(Boolean).join(' ') || 'unnamed',
    step: () => void optimizer.apply([gradient]),
    settle: () => gpu.sync(),
    values: () => variable.read(),
    dispose: () => {
      optimizer.dispose();
      gradient.destroy();
      gpu.dispose();
    },
    difference: async () => {
      const [there, here] = [start(), new Variable(startValues(size), { name: 'parameters' })];
      const pair = [new classes[rule](options), new classes[rule](options)];
      pair[0].build([there]);
      pair[1].build([here]);
      here.gradient.set(gradientValues(size));
      for (let step = 0; step < STEPS_COMPARED; step++) {
        pair[0].apply([gradient]);
        pair[1].step();
      }
      const [far, near] = [await there.read(), here.value];
      const largest = far.reduce((most, value, index) => Math.max(most, Math.abs(value - near[index])), 0);
      for (const each of [...pair, there, here]) each.dispose();
      return largest;
    },
  };
}
