// Tensors larger than one binding, more workgroups than one dimension holds, more variables than one page. Limits
// are those of the device; where these are out of reach, a device says smaller ones than it has.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Adam, AdamW, Variable } from '../../dist/index.js';
import { randomFloats } from '../node/helpers.mjs';
import { entry, openGpu } from './adapter.mjs';
import { assertNear, bufferWith, counting, deviceSaying, gradientsOf, pair } from './helpers.mjs';

describe('sizes', () => {
  test('all limits of the adapter are asked for and reported', async () => {
    const gpu = await openGpu();
    const { limits } = await entry.requestAdapter();
    assert.equal(gpu.limits.maxBufferSize, limits.maxBufferSize);
    assert.ok(gpu.limits.maxBindingSize > limits.maxStorageBufferBindingSize - 2 ** 15);
    assert.throws(
      () => gpu.variable(Math.floor(limits.maxBufferSize / 4) + 4, { name: 'huge' }),
      (error) => error instanceof RangeError && /maxBufferSize/.test(error.message),
    );
    gpu.dispose();
  });

  test('slices: variables over the binding limit, with norms, averages, decay and odd lengths', async () => {
    const device = await deviceSaying({ maxStorageBufferBindingSize: 2 ** 16 + 1000 });
    const gpu = await openGpu({ device });
    assert.equal(gpu.limits.maxBindingSize, 2 ** 16);
    const sizes = [2 ** 18 + 5, 2 ** 14, 2 ** 14 + 1, 100, 3 * 2 ** 14];
    const make = () => new AdamW({ globalClipnorm: 0.5, useEma: true, learningRate: 0.01 });
    const p = pair(gpu, make, sizes);
    for (let k = 1; k <= 3; k++) {
      const grads = gradientsOf(sizes, k);
      p.cpu.apply(grads);
      p.onGpu.apply(k === 2 ? grads.map((g) => bufferWith(gpu, g)) : grads);
    }
    await gpu.sync();
    await p.assertSame('sliced');
    await p.onGpu.onload();
    p.dispose();
    const values = randomFloats(2 ** 16 + 3, 1);
    const [wrapped, plain] = [
      gpu.wrap(bufferWith(gpu, values), { name: 'w' }),
      new Variable(values, { name: 'w' }),
    ];
    for (const v of [wrapped, plain]) {
      const optimizer = new Adam({ clipnorm: 0.1 });
      optimizer.build([v]);
      optimizer.apply([randomFloats(values.length, 2)]);
      optimizer.dispose();
    }
    assertNear(await wrapped.read(), plain.value, 'a wrapped buffer, one by one, in slices');
    await gpu.sync();
    device.destroy();
  });

  test('two dimensions: more workgroups than one holds', async () => {
    const device = await deviceSaying({ maxComputeWorkgroupsPerDimension: 3 });
    const gpu = await openGpu({ device });
    const sizes = [50000, 4096 * 7 + 1, 30];
    const p = pair(gpu, () => new Adam({ clipnorm: 1, gradientAccumulationSteps: 2 }), sizes);
    for (let k = 1; k <= 4; k++) for (const o of [p.cpu, p.onGpu]) o.apply(gradientsOf(sizes, k));
    await p.assertSame('in two dimensions');
    p.dispose();
    await gpu.sync();
    device.destroy();
  });

  test('the sums of a norm do not depend on slices or dimensions', async () => {
    const size = 100_003;
    const results = [];
    for (const limits of [
      {},
      { maxStorageBufferBindingSize: 2 ** 16 },
      { maxComputeWorkgroupsPerDimension: 2 },
    ]) {
      const device = await deviceSaying(limits);
      const gpu = await openGpu({ device });
      const v = gpu.variable(randomFloats(size, 1), { name: 'v' });
      const optimizer = new Adam({ clipnorm: 0.01 });
      optimizer.build([v]);
      optimizer.apply([randomFloats(size, 2)]);
      results.push(await v.read());
      optimizer.dispose();
      v.dispose();
      device.destroy();
    }
    for (const values of results.slice(1)) assert.deepEqual(values, results[0]);
  });

  test('a tensor past 128 MiB on a device with the default limits', async () => {
    const device = await (await entry.requestAdapter()).requestDevice();
    const gpu = await openGpu({ device });
    assert.equal(device.limits.maxStorageBufferBindingSize, 2 ** 27);
    const size = 2 ** 25 + 4099;
    const variable = gpu.variable(size, { name: 'large' });
    const optimizer = new Adam({ learningRate: 0.5 });
    optimizer.build([variable]);
    const counts = counting(gpu);
    const gradient = new Float32Array(size).fill(2);
    gradient[size - 1] = -3;
    optimizer.apply([gradient]);
    assert.equal(counts.dispatches, 2);
    await gpu.sync();
    const values = await variable.read();
    // The first step of Adam is the learning rate, against the sign of the gradient.
    const wrong = values.findIndex((x, i) => Math.abs(x - (i === size - 1 ? 0.5 : -0.5)) > 1e-5);
    assert.equal(wrong, -1, `element ${wrong} is ${values[wrong]}`);
    optimizer.dispose();
    variable.dispose();
    device.destroy();
  });

  test('pages grow with what lives on them, not with how often something came and went', async () => {
    const gpu = await openGpu();
    const { device } = gpu;
    const create = device.createBuffer.bind(device);
    const pages = [];
    device.createBuffer = (descriptor) => {
      if (/page of variables/.test(descriptor.label)) pages.push(descriptor.size);
      return create(descriptor);
    };
    const variable = new Variable(randomFloats(1000, 1), { name: 'w' });
    const optimizer = new Adam();
    optimizer.build([variable]);
    for (let k = 0; k < 8; k++) {
      await optimizer.offload(gpu, { minSize: 0 });
      await optimizer.onload();
      gpu.variable(1000).dispose();
    }
    assert.deepEqual(new Set(pages), new Set([2 ** 20]));
    pages.length = 0;
    const many = Array.from({ length: 30 }, () => gpu.variable(2 ** 17)); // half a MiB each
    assert.deepEqual(
      pages,
      [1, 2, 4, 8].map((size) => size * 2 ** 20),
    );
    for (const each of [...many, optimizer, variable]) each.dispose();
    gpu.dispose();
    const poor = await openGpu({ device: await deviceSaying({ maxBufferSize: 2 ** 18 }) });
    assert.throws(() => poor.variable(2 ** 17, { name: 'w' }), /'w' needs 524288 bytes .* allows 262144/);
    poor.device.destroy();
  });

  test('offload makes one page for many small variables: one dispatch', async () => {
    const gpu = await openGpu();
    const sizes = Array.from({ length: 400 }, () => 10_000);
    const variables = sizes.map((n, i) => new Variable(randomFloats(n, i), { name: `v${i}` }));
    const optimizer = new Adam();
    optimizer.build(variables);
    await optimizer.offload(gpu, { minSize: 0 });
    const counts = counting(gpu);
    optimizer.apply(gradientsOf(sizes, 1));
    assert.deepEqual(counts, { dispatches: 1, submits: 1 });
    await gpu.sync();
    optimizer.dispose();
    for (const v of variables) v.dispose();
    gpu.dispose();
  });
});
