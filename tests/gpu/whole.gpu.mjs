// Adafactor and Muon on the GPU: matrices of all proportions round a tile of a product, several of them in one step,
// every kind of gradient, state that moves, and what a device cannot hold.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Adafactor, Muon, SparseGradient, Variable } from '../../dist/index.js';
import { assertRefused, assertSameBits, randomFloats } from '../node/helpers.mjs';
import { openGpu, shareGpu } from './adapter.mjs';
import { assertNear, bufferWith, counting, deviceSaying, gradientsOf, pair } from './helpers.mjs';

const sizeOf = (shape) => shape.reduce((a, b) => a * b, 1);
const makers = {
  Adafactor: (options) => new Adafactor({ learningRate: 0.01, ...options }),
  Muon: (options) => new Muon({ learningRate: 0.01, ...options }),
};

/** A pair over variables of these shapes, and steps with gradients of both. */
function trained(gpu, make, shapes) {
  const sizes = shapes.map(sizeOf);
  const p = pair(gpu, make, sizes, (i) => ({ shape: shapes[i] }));
  return {
    ...p,
    sizes,
    async steps(from, to, given = (g) => g) {
      for (let t = from; t <= to; t++) {
        const grads = gradientsOf(sizes, t);
        await p.cpu.apply(grads.map((g, i) => given(g, i, t) && g));
        await p.onGpu.apply(grads.map((g, i) => given(g, i, t)));
      }
    },
    /** State of both, both in the engine. */
    async assertSameState(message) {
      await p.onGpu.onload();
      const [ours, theirs] = [p.onGpu, p.cpu].map((o) => o.variables);
      assert.equal(ours.length, theirs.length);
      theirs.forEach(({ path, shape, value }, k) => {
        assert.deepEqual([ours[k].path, ours[k].shape], [path, shape]);
        if (typeof value === 'number')
          assertNear([ours[k].value], [value], `${message}: ${path}`); // Adafactor has numbers as slots
        else assertNear(ours[k].value, value, `${message}: ${path}`);
      });
    },
  };
}

const shapes = [[64, 64], [65, 130], [130, 65], [1, 300], [300, 1], [7], [], [3, 33, 70]];

describe('rules that read whole variables, on the GPU', () => {
  let gpu;
  shareGpu((opened) => {
    gpu = opened;
  });

  for (const [name, make] of Object.entries(makers)) {
    for (const options of [
      {},
      { clipnorm: 0.5, weightDecay: 0.1, useEma: true, emaMomentum: 0.9 },
      { globalClipnorm: 1, lossScaleFactor: 3, gradientAccumulationSteps: 2 },
    ])
      test(`${name}: many variables of many shapes, ${JSON.stringify(options)}`, async () => {
        const p = trained(gpu, () => make(options), shapes);
        await p.steps(1, 4);
        await p.assertSame('stepped');
        await p.steps(5, 5, (g, i) => (i % 2 ? null : g));
        await p.assertSame('some without a gradient');
        await p.assertSameState('at the end');
        p.dispose();
      });

    test(`${name}: gradients of the GPU, sparse ones, updateStep`, async () => {
      const p = trained(gpu, () => make({ clipnorm: 1 }), [
        [40, 30],
        [90, 4],
      ]);
      await p.steps(1, 3, (g) => bufferWith(gpu, g));
      await p.assertSame('buffers');
      const rows = () => new SparseGradient({ indices: [2, 0, 2], values: randomFloats(12, 5) });
      for (const o of [p.cpu, p.onGpu]) o.apply([null, rows()]);
      await p.assertSame('rows');
      const g = randomFloats(1200, 6);
      p.cpu.updateStep(g, p.here[0], 0.05);
      p.onGpu.updateStep(g, p.there[0], 0.05);
      await p.assertSame('updateStep');
      p.dispose();
    });

    test(`${name}: recorded steps`, async () => {
      const p = trained(gpu, () => make(), [
        [70, 30],
        [30, 70],
      ]);
      const encoders = [1, 2].map((t) => {
        const encoder = gpu.device.createCommandEncoder();
        p.onGpu.record(encoder, gradientsOf(p.sizes, t));
        return encoder;
      });
      for (const encoder of encoders) gpu.device.queue.submit([encoder.finish()]);
      for (const t of [1, 2]) p.cpu.apply(gradientsOf(p.sizes, t));
      await p.assertSame('recorded');
      p.dispose();
    });

    test(`${name}: one submit, and nothing is waited for`, () => {
      const p = trained(gpu, () => make({ globalClipnorm: 1 }), [
        [8, 4],
        [4, 8],
      ]);
      const counts = counting(gpu);
      assert.equal(p.onGpu.apply(gradientsOf(p.sizes, 1)), undefined);
      assert.equal(counts.submits, 1);
      p.dispose();
    });

    test(`${name}: variables that move, with their state, bit for bit; longer ones that come back; arrays beside them`, async () => {
      const both = [
        [50, 20],
        [80, 90],
      ];
      const own = both.map(
        (shape, i) => new Variable(randomFloats(sizeOf(shape), i), { shape, name: `v${i}` }),
      );
      const moved = gpu.variable(own[1].value, { shape: both[1], name: 'v1' }); // not in the engine at first
      const second = new Variable(own[0].value, { shape: both[0], name: 'v0' });
      const arrays = [0, 1].map(() => randomFloats(30, 9));
      const [expected, optimizer] = [make(), make()];
      expected.build([...own, arrays[0]]);
      optimizer.build([second, moved, arrays[1]]);
      const step = (t) => {
        const grads = gradientsOf([1000, 7200, 30], t);
        for (const o of [expected, optimizer]) o.apply(grads);
      };
      step(1);
      await optimizer.onload();
      for (const t of [2, 3]) step(t);
      const before = optimizer.serializeState();
      await optimizer.offload(gpu, { minSize: 100 });
      assert.deepEqual(await optimizer.readState(), before);
      await optimizer.onload();
      assert.deepEqual(optimizer.serializeState(), before);
      await optimizer.offload(gpu, { minSize: 1001 });
      step(4);
      await optimizer.offload(gpu, { minSize: 100 });
      step(5);
      await optimizer.onload();
      step(6);
      assertNear(moved.value, own[1].value);
      assertNear(second.value, own[0].value);
      assertSameBits(arrays[1], arrays[0]);
      for (const each of [expected, optimizer, ...own, moved, second]) each.dispose();
    });

    test(`${name}: a state from the engine goes on there`, async () => {
      const p = trained(gpu, () => make({ useEma: true }), [[9, 70], [4]]);
      for (let t = 1; t <= 3; t++) p.cpu.apply(gradientsOf(p.sizes, t));
      p.onGpu.loadState(p.cpu.serializeState());
      p.there.forEach((v, i) => {
        v.assign(p.here[i].value);
      });
      assert.deepEqual(await p.onGpu.readState(), p.cpu.serializeState());
      await p.steps(4, 6);
      await p.assertSame('from a state');
      p.dispose();
    });

    test(`${name}: variables here and in the engine, clipped by one norm`, async () => {
      const both = [
        [20, 30],
        [30, 20],
      ];
      const make2 = () => make({ globalClipnorm: 0.5 });
      const values = both.map((shape, i) => randomFloats(sizeOf(shape), i));
      const own = both.map((shape, i) => new Variable(values[i], { shape, name: `v${i}` }));
      const mixed = [
        gpu.variable(values[0], { shape: both[0], name: 'v0' }),
        new Variable(values[1], { shape: both[1], name: 'v1' }),
      ];
      const [expected, optimizer] = [make2(), make2()];
      expected.build(own);
      optimizer.build(mixed);
      for (let t = 1; t <= 3; t++) {
        expected.apply(gradientsOf([600, 600], t));
        await optimizer.apply(gradientsOf([600, 600], t));
      }
      for (const [i, v] of mixed.entries()) assertNear(await v.read(), own[i].value);
      for (const each of [expected, optimizer, ...own, ...mixed]) each.dispose();
    });
  }

  test('Muon: none, one and two iterations', async () => {
    for (const nsSteps of [0, 1, 2]) {
      const p = trained(gpu, () => makers.Muon({ nsSteps }), [[100, 40]]);
      await p.steps(1, 3);
      await p.assertSame(`${nsSteps} iterations`);
      p.dispose();
    }
  });

  test('the numbers do not depend on dimensions; what is larger than a binding is refused, and nothing has moved', async () => {
    const device = await deviceSaying({
      maxComputeWorkgroupsPerDimension: 3,
      maxStorageBufferBindingSize: 2 ** 16,
    });
    const small = await openGpu({ device });
    for (const make of Object.values(makers)) {
      const found = [];
      for (const each of [gpu, small]) {
        const v = each.variable(randomFloats(150 * 70, 1), { shape: [150, 70], name: 'v' });
        const optimizer = make();
        optimizer.build([v]);
        optimizer.apply([randomFloats(150 * 70, 2)]);
        found.push(await v.read());
        for (const one of [optimizer, v]) one.dispose();
      }
      assertSameBits(...found);
      const large = new Variable(20_000, { shape: [100, 200], name: 'large' });
      const optimizer = make();
      optimizer.build([large]);
      await assert.rejects(optimizer.offload(small, { minSize: 1 }), {
        name: 'RangeError',
        message: /'large' has the rule '\w+' and 80000 bytes.*maxBindingSize/,
      });
      assert.equal(large.placement, 'wasm');
      const there = small.variable(20_000, { shape: [100, 200], name: 'there' });
      assertRefused(() => make().build([there]), RangeError, /'there' has the rule/);
      for (const one of [optimizer, large, there]) one.dispose();
    }
    await small.sync();
    device.destroy();
  });
});
