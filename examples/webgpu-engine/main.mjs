// An engine of one's own on WebGPU: a shader makes the gradient, the optimizer's step is recorded into the same command
// encoder, and nothing comes back before the end. In Node by npm's `webgpu`; in a page leave `gpu` out.
import { Adam, init } from 'simdescent';
import { initWebGPU } from 'simdescent/webgpu';
import { create, globals } from 'webgpu';

Object.assign(globalThis, globals);
await init();
const gpu = await initWebGPU({ gpu: create([]) }); // or { device }: yours
const { device } = gpu;

const size = 100_000;
const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
const [weights, gradient] = [0, 1].map(() => device.createBuffer({ size: 4 * size, usage }));

// The loss is the sum of (w - i / n)².
const code = `
  @group(0) @binding(0) var<storage, read> w: array<f32>;
  @group(0) @binding(1) var<storage, read_write> g: array<f32>;
  @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
    let n = arrayLength(&w);
    if (id.x < n) { g[id.x] = 2.0 * (w[id.x] - f32(id.x) / f32(n)); }
  }`;
const compute = { module: device.createShaderModule({ code }), entryPoint: 'main' };
const pipeline = device.createComputePipeline({ layout: 'auto', compute });
const entries = [weights, gradient].map((buffer, binding) => ({ binding, resource: { buffer } }));
const group = device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });

const w = gpu.wrap(weights, { name: 'w' });
const optimizer = new Adam({ learningRate: 0.05 });
optimizer.build([w]);
for (let step = 0; step < 200; step++) {
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, group);
  pass.dispatchWorkgroups(Math.ceil(size / 64));
  pass.end();
  optimizer.record(encoder, [gradient]);
  device.queue.submit([encoder.finish()]);
}
const values = await w.read();
const worst = values.reduce((most, x, i) => Math.max(most, Math.abs(x - i / size)), 0);
console.log(worst < 0.01, optimizer.iterations); // true 200
gpu.dispose();
