// Steps on the GPU through the public API: gradients from everywhere, options, sparse rows, many small tensors,
// recording into the caller's encoder, and decisions that wait for the GPU.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Adam, Adamax, LossScaleOptimizer, SparseGradient, Variable } from '../../dist/index.js';
import { assertRefused, randomFloats } from '../node/helpers.mjs';
import { shareGpu } from './adapter.mjs';
import { assertNear, bufferWith, counting, gradientsOf, pair, usage } from './helpers.mjs';

describe('steps on the GPU', () => {
  let gpu;
  shareGpu((opened) => {
    gpu = opened;
  });

  test('gradients as arrays, buffers, parts of buffers and the variables’ own', async () => {
    const sizes = [7, 4096, 64, 2 ** 18 + 4, 2 ** 18 + 3];
    const p = pair(gpu, () => new Adam({ learningRate: 0.01, clipnorm: 3 }), sizes);
    for (const v of p.there) v.gradient.fill(0); // made now: later the memory would grow from under the others
    for (let k = 1; k <= 6; k++) {
      const grads = gradientsOf(sizes, k);
      const ways = grads.map((g, i) => {
        switch ((k + i) % 4) {
          case 0:
            return g;
          case 1:
            return bufferWith(gpu, g);
          case 2: {
            const padded = new Float32Array(g.length + 64);
            padded.set(g, 64);
            return { buffer: bufferWith(gpu, padded), offset: 256 };
          }
          default:
            p.there[i].gradient.set(g);
            return p.there[i].gradient;
        }
      });
      p.cpu.apply(grads);
      assert.equal(p.onGpu.apply(ways), undefined);
    }
    await gpu.sync();
    await p.assertSame('after six steps');
    p.dispose();
  });

  test('step() uploads the variables’ own gradients; null leaves a variable alone', async () => {
    const p = pair(gpu, () => new Adam({ useEma: true, emaMomentum: 0.5 }), [10, 20]);
    const warn = console.warn;
    console.warn = () => {};
    for (let k = 1; k <= 3; k++) {
      for (const v of [p.here[0], p.there[0]]) v.gradient.set(randomFloats(10, k));
      p.cpu.step();
      p.onGpu.step();
    }
    console.warn = warn;
    await p.assertSame('the values');
    p.cpu.finalizeVariableValues(p.here);
    p.onGpu.finalizeVariableValues(p.there);
    await p.assertSame('the averages');
    p.dispose();
  });

  test('groups with a weight decay of their own, or none', async () => {
    for (const compat of ['keras', 'torch']) {
      // variables are called v0, v1, …
      const groups = [
        { paths: ['v1'], weightDecay: 0.75, rateFactor: 2 },
        { paths: ['v2'], decays: false },
      ];
      const p = pair(
        gpu,
        () => new Adam({ learningRate: 0.1, weightDecay: 0.25, groups, compat }),
        [9, 9, 9],
      );
      for (let k = 1; k <= 3; k++) {
        const grads = gradientsOf([9, 9, 9], k);
        p.cpu.apply(grads);
        p.onGpu.apply(grads);
      }
      await p.assertSame(compat);
      p.dispose();
    }
  });

  test('updateStep is the rule alone', async () => {
    const p = pair(gpu, () => new Adamax({ weightDecay: 0.1, clipnorm: 0.1 }), [100]);
    const [g] = gradientsOf([100], 1);
    p.cpu.updateStep(g, p.here[0], 0.05);
    p.onGpu.updateStep(bufferWith(gpu, g), p.there[0], 0.05);
    await p.assertSame('after updateStep');
    assert.equal(p.onGpu.iterations, 0);
    p.dispose();
  });

  test('a buffer of the caller’s is stepped in place, whatever its length', async () => {
    for (const size of [1024, 1023, 5, 1]) {
      const values = randomFloats(size, 9);
      const buffer = bufferWith(gpu, values);
      const wrapped = gpu.wrap(buffer, { name: 'w' });
      const plain = new Variable(values, { name: 'w' });
      const optimizers = [wrapped, plain].map((v) => {
        const optimizer = new Adam({ learningRate: 0.1, globalClipnorm: 0.5, useEma: true });
        optimizer.build([v]);
        return optimizer;
      });
      for (let k = 1; k <= 3; k++) for (const o of optimizers) o.apply(gradientsOf([size], k));
      assert.equal(gpu.bufferOf(wrapped).buffer, buffer);
      assertNear(await wrapped.read(), plain.value, `size ${size}`);
      for (const each of [...optimizers, wrapped, plain]) each.dispose();
      gpu.device.queue.writeBuffer(buffer, 0, values); // it was not destroyed
      await gpu.sync();
    }
  });

  test('sparse gradients, also those that touch only their rows', async () => {
    for (const width of [4, 3]) {
      for (const options of [
        {},
        { legacySparse: true },
        { clipnorm: 0.3 },
        { legacySparse: true, clipnorm: 0.3 },
      ]) {
        const shape = { shape: [50, width] };
        const p = pair(
          gpu,
          () => new Adamax({ learningRate: 0.1, ...options }),
          [50 * width],
          () => shape,
        );
        for (let k = 1; k <= 3; k++) {
          const indices = [3, 0, 3, 49, k];
          const values = randomFloats(indices.length * width, k);
          const clip = k === 2 ? 'rows' : 'sum';
          const sparse = new SparseGradient({ indices, values, clip });
          p.cpu.apply([sparse]);
          p.onGpu.apply([sparse]);
        }
        await p.assertSame(`${JSON.stringify(options)}, rows of ${width}`);
        p.dispose();
      }
    }
  });

  test('many small tensors: one submit, one dispatch', async () => {
    const sizes = Array.from({ length: 300 }, (_, i) => 1 + (i % 97));
    const p = pair(gpu, () => new Adam(), sizes);
    p.onGpu.apply(gradientsOf(sizes, 1)); // everything is made
    p.cpu.apply(gradientsOf(sizes, 1));
    const counts = counting(gpu);
    p.onGpu.apply(gradientsOf(sizes, 2));
    assert.deepEqual(counts, { dispatches: 1, submits: 1 });
    p.cpu.apply(gradientsOf(sizes, 2));
    await p.assertSame('300 tensors');
    p.dispose();
  });

  test('record() puts steps into the caller’s encoder; the counters advance at once', async () => {
    const sizes = [100, 2 ** 18];
    const options = { learningRate: 0.01, globalClipnorm: 1, useEma: true, emaOverwriteFrequency: 2 };
    const p = pair(gpu, () => new Adam(options), sizes);
    const encoder = gpu.device.createCommandEncoder();
    for (let k = 1; k <= 4; k++) {
      const grads = gradientsOf(sizes, k);
      p.cpu.apply(grads);
      p.onGpu.record(encoder, k % 2 ? grads : grads.map((g) => bufferWith(gpu, g)));
      assert.equal(p.onGpu.iterations, k);
    }
    gpu.device.queue.submit([encoder.finish()]);
    await p.assertSame('four recorded steps');
    assertRefused(() => p.onGpu.record({}, gradientsOf(sizes, 5)), TypeError, /GPUCommandEncoder/);
    p.dispose();
  });

  test('loss scaling with gradients on the GPU waits for the finite check', async () => {
    const sizes = [33];
    const p = pair(gpu, () => new LossScaleOptimizer(new Adam(), { dynamicGrowthSteps: 2 }), sizes);
    for (let k = 1; k <= 5; k++) {
      const grads = gradientsOf(sizes, k).map((g) => g.map((x) => x * 2 ** 15));
      if (k === 3) grads[0][32] = Number.NaN;
      if (k === 4) grads[0][0] = -Infinity;
      p.cpu.apply(grads);
      const buffer = bufferWith(gpu, grads[0]);
      const waiting = p.onGpu.apply([buffer]);
      assert.ok(waiting instanceof Promise);
      assertRefused(() => p.onGpu.apply([buffer]), Error, /settled/);
      await waiting;
      assert.equal(p.onGpu.dynamicScale, p.cpu.dynamicScale);
      assert.equal(p.onGpu.iterations, p.cpu.iterations);
    }
    await p.assertSame('after a NaN and an infinity');
    const encoder = gpu.device.createCommandEncoder();
    assertRefused(() => p.onGpu.record(encoder, [bufferWith(gpu, randomFloats(33, 1))]), Error, /recorded/);
    p.dispose();
  });

  test('globalClipnorm over both places is one norm, and waits', async () => {
    const sizes = [500, 40];
    const values = sizes.map((size, i) => randomFloats(size, i));
    const make = () => new Adam({ globalClipnorm: 0.1, learningRate: 0.1 });
    const here = values.map((v, i) => new Variable(v, { name: `v${i}` }));
    const mixed = [gpu.variable(values[0], { name: 'v0' }), new Variable(values[1], { name: 'v1' })];
    const [cpu, both] = [make(), make()];
    cpu.build(here);
    both.build(mixed);
    for (let k = 1; k <= 3; k++) {
      const grads = gradientsOf(sizes, k);
      cpu.apply(grads);
      const waiting = both.apply(grads);
      assert.ok(waiting instanceof Promise);
      assertRefused(() => both.apply(grads), Error, /settled/);
      await waiting;
    }
    assert.equal(await both.applyGradients(gradientsOf(sizes, 4).map((g, i) => [g, mixed[i]])), 4);
    cpu.apply(gradientsOf(sizes, 4));
    for (const [i, v] of mixed.entries()) assertNear(await v.read(), here[i].value, `v${i}`);
    const encoder = gpu.device.createCommandEncoder();
    assertRefused(() => both.record(encoder, gradientsOf(sizes, 5)), Error, /recorded/);
    assert.equal(both.iterations, 4);
    for (const each of [cpu, both, ...here, ...mixed]) each.dispose();
  });

  test('calibrate() measures, and offload uses what it found', async () => {
    const { minSize, steps } = await gpu.calibrate();
    assert.equal(gpu.minSize, minSize);
    assert.ok(steps.length >= 1 && steps.every((s) => s.engine > 0 && s.gpu > 0));
    const faster = steps.filter((s) => s.gpu < s.engine).map((s) => s.size);
    assert.ok(minSize === Infinity || faster.includes(minSize));
    const variables = [5, 20].map((n) => new Variable(n, { name: `v${n}` }));
    const optimizer = new Adam();
    optimizer.build(variables);
    gpu.minSize = 10;
    await optimizer.offload(gpu);
    assert.deepEqual(
      variables.map((v) => v.placement),
      ['wasm', 'gpu'],
    );
    for (const each of [optimizer, ...variables]) each.dispose();
  });

  test('empty and scalar variables, and steps without a row of the GPU', async () => {
    const options = { clipnorm: 1, useEma: true, emaOverwriteFrequency: 2, gradientAccumulationSteps: 2 };
    const shapes = [[0], [], [3]];
    const p = pair(
      gpu,
      () => new Adam(options),
      [0, 1, 3],
      (i) => ({ shape: shapes[i] }),
    );
    const plain = [0, 1].map(() => randomFloats(4, 1));
    const optimizers = [p.here, p.there].map((variables, k) => {
      const optimizer = new Adam(options);
      optimizer.build([...variables, plain[k]]);
      return optimizer;
    });
    const warn = console.warn;
    console.warn = () => {};
    for (let k = 1; k <= 7; k++) {
      const grads = [...gradientsOf([0, 1, 3], k), randomFloats(4, k)];
      const given = k % 3 ? grads : [null, null, null, grads[3]];
      for (const optimizer of optimizers) optimizer.apply(given);
    }
    console.warn = warn;
    await p.assertSame('empty, scalar and small');
    assertNear(plain[1], plain[0], 'the plain array beside them');
    for (const optimizer of optimizers) optimizer.dispose();
    p.dispose();
  });

  test('storage usage is enough for a large gradient', async () => {
    const size = 2 ** 18;
    const p = pair(gpu, () => new Adam(), [size]);
    const [g] = gradientsOf([size], 1);
    p.cpu.apply([g]);
    p.onGpu.apply([bufferWith(gpu, g, usage.storage)]);
    await p.assertSame('read in place');
    p.dispose();
  });
});
