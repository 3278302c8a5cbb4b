// What the GPU tests share: pairs of optimizers, one in the engine and one on the GPU, buffers, and comparison.
import assert from 'node:assert/strict';
import { Variable } from '../../dist/index.js';
import { randomFloats } from '../node/helpers.mjs';
import { entry } from './adapter.mjs';
import { TOLERANCE } from './case.mjs';

export const usage = { copySrc: 4, copyDst: 8, storage: 128 };

export function bufferWith(gpu, values, flags = usage.storage | usage.copySrc | usage.copyDst) {
  const buffer = gpu.device.createBuffer({ size: values.byteLength, usage: flags | usage.copyDst });
  gpu.device.queue.writeBuffer(buffer, 0, values);
  return buffer;
}

export function assertNear(got, expected, message = 'values', tolerance = TOLERANCE) {
  assert.equal(got.length, expected.length, message);
  const largest = expected.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  for (let i = 0; i < expected.length; i++)
    if (!(Math.abs(got[i] - expected[i]) <= tolerance * largest))
      assert.fail(`${message}: element ${i} is ${got[i]} instead of ${expected[i]}`);
}

/** Two reports of a monitored step: norms nearly, counts exactly. */
export function assertReport(got, expected, message) {
  assert.deepEqual(Object.keys(got), Object.keys(expected));
  for (const [name, x] of Object.entries(expected)) {
    if (name === 'variables') {
      assert.deepEqual(
        got.variables.map(({ path }) => path),
        x.map(({ path }) => path),
      );
      for (const [k, one] of x.entries()) assertReport(got.variables[k], one, `${message}, ${one.path}`);
    } else if (typeof x === 'number') {
      const near = /Norm|ratio/.test(name) ? Math.abs(got[name] - x) <= 1e-4 * Math.abs(x) : got[name] === x;
      if (!near && !Object.is(got[name], x))
        assert.fail(`${message}: ${name} is ${got[name]} instead of ${x}`);
    }
  }
}

/** Gradients of step `k` for variables of these sizes. */
export const gradientsOf = (sizes, k) => sizes.map((size, i) => randomFloats(size, 100 * k + i + 1));

/** An optimizer in the engine and one with its variables on the GPU, both at the same numbers. */
export function pair(gpu, make, sizes, options = () => ({})) {
  const values = sizes.map((size, i) => randomFloats(size, i + 50));
  const named = (i) => ({ name: `v${i}`, ...options(i) });
  const here = values.map((v, i) => new Variable(v, named(i)));
  const there = values.map((v, i) => gpu.variable(v, named(i)));
  const optimizers = [make(), make()];
  optimizers[0].build(here);
  optimizers[1].build(there);
  return {
    here,
    there,
    cpu: optimizers[0],
    onGpu: optimizers[1],
    async assertSame(message) {
      for (const [i, v] of there.entries()) assertNear(await v.read(), here[i].value, `${message}: v${i}`);
    },
    dispose() {
      for (const each of [...optimizers, ...here, ...there]) each.dispose();
    },
  };
}

/** A device with the default limits, which says these. */
export async function deviceSaying(limits) {
  const adapter = await entry.requestAdapter();
  const device = await adapter.requestDevice();
  const said = new Proxy(device.limits, { get: (real, name) => limits[name] ?? real[name] });
  Object.defineProperty(device, 'limits', { value: said });
  return device;
}

/** Counts what is sent to a device: dispatches and submits. */
export function counting(gpu) {
  const counts = { dispatches: 0, submits: 0 };
  const { device } = gpu;
  const create = device.createCommandEncoder.bind(device);
  const submit = device.queue.submit.bind(device.queue);
  device.queue.submit = (commands) => {
    counts.submits++;
    return submit(commands);
  };
  device.createCommandEncoder = (descriptor) => {
    const encoder = create(descriptor);
    const begin = encoder.beginComputePass.bind(encoder);
    encoder.beginComputePass = (options) => {
      const pass = begin(options);
      const dispatch = pass.dispatchWorkgroups.bind(pass);
      pass.dispatchWorkgroups = (...sizes) => {
        counts.dispatches++;
        return dispatch(...sizes);
      };
      return pass;
    };
    return encoder;
  };
  return counts;
}
