// What an update on the GPU was like: the figures of the engine's report within the tolerance, with nothing that is waited
// for until they are read; and steps that are left out because of a gradient that is not finite.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Adafactor, Adam, AdamW, LossScaleOptimizer, Muon, Variable } from '../../dist/index.js';
import { every } from '../node/every.mjs';
import { assertSameBits, randomFloats } from '../node/helpers.mjs';
import { shareGpu } from './adapter.mjs';
import { assertReport, bufferWith, counting, gradientsOf, pair } from './helpers.mjs';

const sizes = [5, 4096, 70_001];

describe('monitor on the GPU', () => {
  let gpu;
  shareGpu((opened) => {
    gpu = opened;
  });

  const monitor = { perVariable: true };
  const gradients = (k) => {
    const list = gradientsOf(sizes, k);
    list[1].fill(0, 7, 50);
    return list;
  };

  async function compare(make, message, steps = 2) {
    const p = pair(gpu, make, sizes);
    assert.equal(await p.onGpu.readReport(), null);
    for (let k = 1; k <= steps; k++) {
      p.cpu.apply(gradients(k));
      p.onGpu.apply(gradients(k));
    }
    assert.throws(() => p.onGpu.report, /'v0' lives on the GPU; await readReport\(\)/);
    assertReport(await p.onGpu.readReport(), p.cpu.report, message);
    assert.deepEqual(await p.cpu.readReport(), p.cpu.report);
    await p.assertSame(message);
    p.dispose();
  }

  // Where a gradient is 0, tf.train's centered form divides by the root of what rounding leaves: no two machines agree.
  const readsWhole = ({ Class }) => Class === Adafactor || Class === Muon;
  const comparable = every.filter(
    (each) => !(each.options.compat === 'tfjs' && each.options.centered) && !readsWhole(each),
  );
  for (const { name, Class, options } of comparable)
    test(name, () => compare(() => new Class({ ...options, monitor }), name));

  test('rules that read whole variables step there as ever, and tell nothing of it', async () => {
    const told = every.filter(readsWhole);
    assert.ok(told.length >= 2);
    for (const { name, Class, options } of told) {
      const p = pair(gpu, () => new Class({ ...options, monitor }), sizes);
      for (let k = 1; k <= 2; k++) {
        p.cpu.apply(gradients(k));
        p.onGpu.apply(gradients(k));
      }
      assert.equal(await p.onGpu.readReport(), null);
      assert.equal(
        p.cpu.report.size,
        sizes.reduce((sum, size) => sum + size),
      );
      await p.assertSame(name);
      p.dispose();
    }
  });

  for (const options of [
    { clipnorm: 1 },
    { clipnorm: 1, lossScaleFactor: 3 },
    { globalClipnorm: 2 },
    { clipvalue: 0.5, lossScaleFactor: 0.5 },
    { weightDecay: 0.1, useEma: true, emaOverwriteFrequency: 3 },
    { amsgrad: true, useEma: true, gradientAccumulationSteps: 2 },
    { compat: 'torch', weightDecay: 0.1 },
  ])
    test(JSON.stringify(options), () => compare(() => new Adam({ ...options, monitor }), '', 2));

  test('rules in two passes, with decay and accumulation', async () => {
    const Lamb = every.find(({ Class }) => Class.name === 'Lamb').Class;
    for (const options of [
      { weightDecay: 0.1, clipnorm: 1 },
      { weightDecay: 0.1, gradientAccumulationSteps: 2 },
    ])
      await compare(() => new Lamb({ ...options, monitor }), JSON.stringify(options), 4);
  });

  test('nothing more is submitted, nothing more is dispatched when off, and counts see what is not finite', async () => {
    const p = pair(gpu, () => new Adam({ monitor: { every: 2 } }), sizes);
    p.onGpu.apply(gradients(1));
    p.onGpu.apply(gradients(2));
    const counts = counting(gpu);
    p.onGpu.apply(gradients(3));
    assert.deepEqual(counts, { dispatches: 1, submits: 1 });
    const bad = gradients(4);
    bad[2][9] = Number.NaN;
    bad[0][1] = Number.POSITIVE_INFINITY;
    p.onGpu.apply(bad);
    assert.deepEqual(counts, { dispatches: 3, submits: 2 });
    const { nonFinite, zeros, iteration, gradientNorm } = await p.onGpu.readReport();
    assert.deepEqual([nonFinite, zeros, iteration], [2, 43, 4]);
    assert.ok(!Number.isFinite(gradientNorm));
    p.dispose();
  });

  test('variables in both places, moved there and back, and recorded steps', async () => {
    const make = () => new AdamW({ monitor, globalClipnorm: 1 });
    const p = pair(gpu, make, sizes);
    const mixed = make();
    const variables = sizes.map((size, i) => {
      const options = { name: `v${i}` };
      const values = randomFloats(size, i + 50);
      return i === 1 ? gpu.variable(values, options) : new Variable(values, options);
    });
    mixed.build(variables);
    p.cpu.apply(gradients(1));
    await mixed.apply(gradients(1));
    assertReport(await mixed.readReport(), p.cpu.report, 'mixed');
    await mixed.onload();
    assert.equal(await mixed.readReport(), null, 'what the GPU knew is gone');
    p.cpu.apply(gradients(2));
    mixed.apply(gradients(2));
    assertReport(mixed.report, p.cpu.report, 'brought back');
    const encoder = gpu.device.createCommandEncoder();
    p.onGpu.record(encoder, gradients(1));
    p.onGpu.record(encoder, gradients(2));
    gpu.device.queue.submit([encoder.finish()]);
    assertReport(await p.onGpu.readReport(), p.cpu.report, 'recorded');
    mixed.dispose();
    p.dispose();
  });

  test('skipNonFinite: a step with gradients on the GPU is waited for, and left out', async () => {
    const options = { skipNonFinite: true, gradientAccumulationSteps: 2 };
    const w = gpu.variable(randomFloats(5000, 1), { name: 'w' });
    const optimizer = new Adam(options);
    optimizer.build([w]);
    const good = randomFloats(5000, 2);
    const bad = good.slice();
    bad[4999] = Number.POSITIVE_INFINITY;
    for (const g of [good, bad, good]) {
      const waiting = optimizer.apply([bufferWith(gpu, g)]);
      assert.ok(waiting instanceof Promise);
      assert.throws(() => optimizer.apply([good]), /not settled/);
      await waiting;
    }
    assert.deepEqual([optimizer.skippedSteps, optimizer.rawIterations], [1, 2]);
    const [values, state] = [await w.read(), await optimizer.readState()];
    await optimizer.apply([bufferWith(gpu, bad)]);
    assert.equal(optimizer.apply([bad]), undefined); // known here
    assertSameBits(await w.read(), values);
    assert.deepEqual(await optimizer.readState(), state);
    assert.equal(optimizer.skippedSteps, 3);
    const encoder = gpu.device.createCommandEncoder();
    assert.throws(
      () => optimizer.record(encoder, [bufferWith(gpu, good)]),
      /cannot be recorded; await apply/,
    );

    const scaled = new LossScaleOptimizer(new Adam({ monitor: true }), { initialScale: 4 });
    const u = gpu.variable(randomFloats(5000, 1), { name: 'u' });
    scaled.build([u]);
    await scaled.apply([bufferWith(gpu, bad)]);
    await scaled.apply([bufferWith(gpu, good)]);
    assert.deepEqual([scaled.skippedSteps, scaled.dynamicScale], [1, 2]);
    assert.equal((await scaled.readReport()).lossScale, 2);
  });
});
