// A rule in two passes on the GPU (Lamb), beside the engine: the sums between them are made and used there, with every
// option, for some of the variables, in slices, in both places at once, and in the caller's encoder.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Adam, Lamb, LossScaleOptimizer, SparseGradient, Variable } from '../../dist/index.js';
import { randomFloats } from '../node/helpers.mjs';
import { openGpu, shareGpu } from './adapter.mjs';
import { assertNear, bufferWith, counting, deviceSaying, gradientsOf, pair } from './helpers.mjs';

const sizes = [1, 66, 5000, 2 ** 18 + 5];
const mixes = [
  {},
  { clipvalue: 0.3, weightDecay: 0.05 },
  { clipnorm: 0.5, useEma: true, emaMomentum: 0.9, emaOverwriteFrequency: 2 },
  { globalClipnorm: 1, lossScaleFactor: 3, maximize: true },
  { clipnorm: 0.5, gradientAccumulationSteps: 2, weightDecay: 0.1, useEma: true },
  { globalClipnorm: 0.5, gradientAccumulationSteps: 3, lossScaleFactor: 4 },
];
const lamb = (options) => new Lamb({ learningRate: 0.01, ...options });

describe('Lamb on the GPU', () => {
  let gpu;
  shareGpu((opened) => {
    gpu = opened;
  });

  for (const options of mixes) {
    test(`with ${JSON.stringify(options)}: nothing is waited for`, async () => {
      const p = pair(gpu, () => lamb(options), sizes);
      for (let t = 1; t <= 6; t++) {
        const grads = gradientsOf(sizes, t);
        p.cpu.apply(grads);
        assert.equal(p.onGpu.apply(t % 2 ? grads : grads.map((g) => bufferWith(gpu, g))), undefined);
      }
      await p.assertSame('six steps');
      await p.onGpu.onload();
      p.cpu.variables.forEach(({ path, value }, k) => {
        if (typeof value !== 'number') assertNear(p.onGpu.variables[k].value, value, path);
      });
      p.dispose();
    });
  }

  test('one submit: the first pass, its sums, the second pass', async () => {
    const p = pair(gpu, () => lamb({}), [100, 200]);
    const counts = counting(gpu);
    p.onGpu.apply(gradientsOf([100, 200], 1));
    assert.deepEqual(counts, { dispatches: 3, submits: 1 });
    p.dispose();
  });

  test('the trust ratio is the variable’s own: each as if it were alone', async () => {
    const [a, b] = [2, 3].map((k) => gpu.variable(randomFloats(5000, k), { name: `v${k}` }));
    const alone = gpu.variable(randomFloats(5000, 3), { name: 'alone' });
    const both = lamb({ clipnorm: 0.5 });
    const single = lamb({ clipnorm: 0.5 });
    both.apply([randomFloats(5000, 5), randomFloats(5000, 6)], [a, b]);
    single.apply([randomFloats(5000, 6)], [alone]);
    assert.deepEqual(await b.read(), await alone.read());
    for (const each of [both, single, a, b, alone]) each.dispose();
  });

  test('weights of zero, empty and single variables; sparse and missing gradients; updateStep', async () => {
    const make = () => lamb({ globalClipnorm: 1 });
    const shapes = { 2: { shape: [3, 4] } };
    const p = pair(gpu, make, [0, 1, 12, 5], (i) => shapes[i] ?? {});
    for (const v of [p.here[3], p.there[3]]) v.assign(new Float32Array(5));
    const warn = console.warn;
    console.warn = () => {};
    for (let t = 1; t <= 4; t++) {
      const [empty, single, , zero] = gradientsOf([0, 1, 12, 5], t);
      const sparse = () => new SparseGradient({ indices: [2, 0, 2], values: randomFloats(12, t) });
      for (const o of [p.cpu, p.onGpu]) o.apply([empty, single, sparse(), t === 2 ? null : zero]);
    }
    console.warn = warn;
    for (const [o, vs] of [
      [p.cpu, p.here],
      [p.onGpu, p.there],
    ])
      o.updateStep(randomFloats(12, 9), vs[2], 0.1);
    await p.assertSame('values');
    p.dispose();
  });

  test('a gradient that is not finite is skipped by dynamic loss scaling', async () => {
    const p = pair(gpu, () => new LossScaleOptimizer(lamb({}), { initialScale: 8 }), [40]);
    for (const values of [randomFloats(40, 1), new Float32Array(40).fill(Number.NaN), randomFloats(40, 2)]) {
      p.cpu.apply([values]);
      await p.onGpu.apply([bufferWith(gpu, values)]);
    }
    assert.equal(p.onGpu.dynamicScale, p.cpu.dynamicScale);
    await p.assertSame('after the skipped step');
    p.dispose();
  });

  for (const options of [{}, { clipnorm: 0.5, gradientAccumulationSteps: 2 }, { globalClipnorm: 0.5 }]) {
    test(`one variable here, one in the engine, an array: ${JSON.stringify(options)}`, async () => {
      const values = [5000, 300, 20_000].map((n, i) => randomFloats(n, i + 1));
      const make = (there) => [there(values[0]), new Variable(values[1], { name: 'b' }), values[2].slice()];
      const ours = make((v) => gpu.variable(v, { name: 'a' }));
      const theirs = make((v) => new Variable(v, { name: 'a' }));
      const [mixed, cpu] = [lamb(options), lamb(options)];
      for (let t = 1; t <= 4; t++) {
        const grads = gradientsOf([5000, 300, 20_000], t);
        await mixed.apply(grads, ours);
        cpu.apply(grads, theirs);
      }
      assertNear(await ours[0].read(), theirs[0].value, 'there');
      assertNear(ours[1].value, theirs[1].value, 'here');
      assertNear(ours[2], theirs[2], 'the array');
      for (const each of [mixed, cpu, ours[0], ours[1], theirs[0], theirs[1]]) each.dispose();
    });
  }

  test('what stays in the engine keeps its bits beside a variable here', async () => {
    const make = () => new Variable(randomFloats(3000, 1), { name: 'b' });
    const [beside, alone] = [make(), make()];
    const there = gpu.variable(randomFloats(40, 2), { name: 'a' });
    const [mixed, cpu] = [lamb({}), lamb({})];
    for (let t = 1; t <= 3; t++) {
      mixed.apply([randomFloats(40, t), randomFloats(3000, t)], [there, beside]);
      cpu.apply([randomFloats(3000, t)], [alone]);
    }
    assert.deepEqual(beside.value, alone.value);
    for (const each of [mixed, cpu, there, beside, alone]) each.dispose();
  });

  test('record() has both passes; two recorded steps do not mix', async () => {
    const p = pair(gpu, () => lamb({ clipnorm: 0.5 }), [70, 5000]);
    const encoder = gpu.device.createCommandEncoder();
    for (let t = 1; t <= 2; t++) {
      const grads = gradientsOf([70, 5000], t);
      p.cpu.apply(grads);
      p.onGpu.record(encoder, grads);
    }
    gpu.device.queue.submit([encoder.finish()]);
    await p.assertSame('recorded');
    p.dispose();
  });

  test('the sums do not depend on slices or dimensions', async () => {
    const size = 100_003;
    const results = [];
    for (const limits of [
      {},
      { maxStorageBufferBindingSize: 2 ** 16 },
      { maxComputeWorkgroupsPerDimension: 2 },
    ]) {
      const device = await deviceSaying(limits);
      const small = await openGpu({ device });
      const v = small.variable(randomFloats(size, 1), { name: 'v' });
      const optimizer = lamb({ clipnorm: 0.01, weightDecay: 0.1 });
      optimizer.build([v]);
      optimizer.apply([randomFloats(size, 2)]);
      results.push(await v.read());
      optimizer.dispose();
      v.dispose();
      await small.sync();
      device.destroy();
    }
    for (const values of results.slice(1)) assert.deepEqual(values, results[0]);
    const here = new Variable(randomFloats(size, 1), { name: 'v' });
    const optimizer = lamb({ clipnorm: 0.01, weightDecay: 0.1 });
    optimizer.apply([randomFloats(size, 2)], [here]);
    assertNear(results[0], here.value);
    for (const each of [optimizer, here]) each.dispose();
  });

  test('two optimizers over one device do not mix their sums', async () => {
    const p = pair(gpu, () => lamb({}), [500]);
    const q = pair(gpu, () => new Adam({ clipnorm: 0.5 }), [600]);
    for (let t = 1; t <= 3; t++)
      for (const each of [p, q]) {
        const grads = gradientsOf([each.here[0].size], t);
        each.cpu.apply(grads);
        each.onGpu.apply(grads);
      }
    for (const each of [p, q]) {
      await each.assertSame('in turns');
      each.dispose();
    }
  });
});
