// State in fewer bits on the GPU (`stateDtype`): a step there beside the same step in the engine, moves in the middle of
// a training, files, and the ways in which a step is sent.
//
// What is compared. bfloat16 is rounded up or down by a hash of the float32, so where the GPU's float32 is another one in
// its last bit, the code may be the next one; and what follows from there drifts. So both step from the same bits, one
// step at a time: then every code is the engine's or its neighbour. A wrong chance would pass that; it shows in how many
// are the engine's, because two roundings that know nothing of each other agree in two of three elements (which is
// measured here, too). So more than half of the way from there to all must agree, except where sums in another order or
// powers change the last bit of every element. int8 has no chance, and all but a code at a border is the engine's.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  Adagrad,
  Adam,
  Adamax,
  AdamW,
  Lion,
  LossScaleOptimizer,
  MultiOptimizer,
  ScheduleFreeAdamW,
  SGD,
  SparseGradient,
  Variable,
} from '../../dist/index.js';
import { every } from '../node/every.mjs';
import { assertSameBits, randomFloats } from '../node/helpers.mjs';
import { openGpu, shareGpu } from './adapter.mjs';
import { compareCodes, tensorsOf } from './codes.mjs';
import { assertNear, assertReport, bufferWith, deviceSaying, gradientsOf, pair } from './helpers.mjs';

const dtypes = ['bfloat16', 'int8'];
/** The share of codes that must be the engine's. */
const leastShare = { bfloat16: 5 / 6, int8: 0.99 };

/**
 * Two states: what is float32 is near, codes are equal or neighbours.
 * @returns the share of equal codes
 */
function compare(got, expected, message) {
  const [ours, theirs] = [got, expected].map(tensorsOf);
  assert.deepEqual([...ours.keys()], [...theirs.keys()]);
  for (const [name, { dtype, values }] of theirs) {
    const found = ours.get(name).values;
    if (dtype === 'I32') assert.deepEqual(found, values, name);
    if (dtype === 'F32') assertNear(found, values, `${message}: ${name}`);
  }
  return compareCodes(ours, theirs, message);
}

/** The GPU's values and state become those of the engine. */
function align({ cpu, onGpu, here, there }) {
  onGpu.loadState(cpu.serializeState());
  there.forEach((v, i) => {
    v.assign(here[i].value);
  });
}

async function assertStep(p, gradients, message) {
  align(p);
  for (const o of [p.cpu, p.onGpu]) await o.apply(gradients);
  await p.assertSame(message);
  if (p.cpu.report) assertReport(await p.onGpu.readReport(), p.cpu.report, message);
  return compare(await p.onGpu.readState(), p.cpu.serializeState(), message);
}

function assertShare(share, dtype, message) {
  assert.ok(share >= leastShare[dtype], `${message}: ${share} of the codes are the engine's`);
}

/** The 256 values of a map of int8: what an optimizer makes of all codes with a scale of 1. */
function mapOf(optimizer, slot) {
  const v = new Variable(256, { name: 'v' });
  optimizer.build([v]);
  const file = optimizer.serializeState();
  const length = Number(new DataView(file.buffer).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(file.subarray(8, 8 + length)));
  const at = (name) => 8 + length + header[name].data_offsets[0];
  for (let code = 0; code < 256; code++) file[at(`v/${slot}`) + code] = code;
  new DataView(file.buffer).setFloat32(at(`v/${slot}/absmax`), 1, true);
  optimizer.loadState(file);
  const { value } = optimizer.variables.find(({ path }) => path.endsWith(slot));
  disposeAll(optimizer, v);
  return value;
}

const disposeAll = (...all) => {
  for (const each of all.flat()) each.dispose();
};

// Alone in a buffer; sharing a page, of an odd length, with others in float32: too small, and excluded.
const sizes = [2 ** 18 + 1, 5000, 4099, 100, 4500];
const named = (i) => ({ name: ['large', 'kernel', 'odd', 'bias', 'embedding'][i] });
const stored = (dtype) => ({ dtype, exclude: ['^embedding'] });
const mixes = [
  {},
  { weightDecay: 0.05, gradientAccumulationSteps: 2, monitor: { perVariable: true } },
  { useEma: true, emaMomentum: 0.9, globalClipnorm: 1, lossScaleFactor: 3 },
  { clipvalue: 0.3, maximize: true, useEma: true, emaOverwriteFrequency: 2, monitor: true },
];
const whole = ['Adafactor', 'Muon'];
const elementwise = every.filter(({ Class }) => !whole.includes(Class.name));

describe('state in fewer bits on the GPU', () => {
  let gpu;
  shareGpu((opened) => {
    gpu = opened;
  });

  for (const [k, { name, Class, options }] of elementwise.entries())
    for (const dtype of dtypes)
      test(`${name} with ${dtype}: a step from the same bits is the engine's step`, async () => {
        const mixed = mixes[k % mixes.length];
        const stateDtype = { ...stored(dtype), minSize: 1000 };
        const small = [5000, 1003, 100, 1200];
        const make = () => new Class({ ...mixed, ...options, learningRate: 0.01, stateDtype });
        const inexact = dtype === 'bfloat16' && (mixed.globalClipnorm || options.learningRatePower);
        const p = pair(gpu, make, small, (i) => named(i + 1));
        for (let t = 1; t <= 4; t++) {
          const share = await assertStep(p, gradientsOf(small, t), `step ${t}`);
          if (!Number.isNaN(share) && !inexact) assertShare(share, dtype, `step ${t}`);
        }
        p.dispose();
      });

  test('the share of equal codes tells one chance from another', async () => {
    const make = () => new Adam({ stateDtype: stored('bfloat16') });
    const p = pair(gpu, make, sizes, named);
    for (let t = 1; t <= 3; t++) p.cpu.apply(gradientsOf(sizes, t));
    assertShare(await assertStep(p, gradientsOf(sizes, 4), 'step 4'), 'bfloat16', 'the same chance');
    // The same numbers, but for the count of updates, by which the engine rounds: only codes are looked at.
    align(p);
    p.cpu.setWeights([p.cpu.iterations + 7, ...p.cpu.getWeights().slice(1)]);
    for (const o of [p.cpu, p.onGpu]) o.apply(gradientsOf(sizes, 5));
    const [ours, theirs] = [await p.onGpu.readState(), p.cpu.serializeState()].map(tensorsOf);
    const [a, b] = [ours, theirs].map((tensors) => tensors.get('large/momentum').values);
    const equal = a.filter((x, i) => x === b[i]).length / a.length;
    assert.ok(equal > 0.55 && equal < 0.8, `${equal}`);
    p.dispose();
  });

  for (const dtype of dtypes) {
    test(`${dtype}: it moves there and back bit for bit, in the middle of a training`, async () => {
      const make = () =>
        new AdamW({ amsgrad: true, useEma: true, learningRate: 0.01, stateDtype: stored(dtype) });
      const variables = sizes.map((n, i) => new Variable(randomFloats(n, i), named(i)));
      const optimizer = make();
      optimizer.build(variables);
      for (let t = 1; t <= 3; t++) optimizer.apply(gradientsOf(sizes, t));
      const state = optimizer.serializeState();
      await optimizer.offload(gpu, { minSize: 4097 });
      assert.deepEqual(
        variables.map((v) => v.placement),
        ['gpu', 'gpu', 'gpu', 'wasm', 'gpu'],
      );
      assertSameBits(await optimizer.readState(), state);
      optimizer.apply(gradientsOf(sizes, 4));
      const there = await optimizer.readState();
      await optimizer.onload();
      assertSameBits(optimizer.serializeState(), there);
      // The other one has stayed.
      const others = sizes.map((n, i) => new Variable(randomFloats(n, i), named(i)));
      const other = make();
      other.build(others);
      for (let t = 1; t <= 4; t++) other.apply(gradientsOf(sizes, t));
      assertShare(compare(there, other.serializeState(), 'after the move'), dtype, 'after the move');
      for (const [i, v] of variables.entries()) assertNear(v.value, others[i].value, `${i}`);
      // And it goes on in the engine, with its own bits.
      other.loadState(there);
      others.forEach((v, i) => {
        v.value.set(variables[i].value);
      });
      for (const o of [optimizer, other]) o.apply(gradientsOf(sizes, 5));
      assertSameBits(optimizer.serializeState(), other.serializeState());
      disposeAll(optimizer, other, variables, others);
    });

    test(`${dtype}: files are read and written while it lives there`, async () => {
      const p = pair(gpu, () => new Adam({ stateDtype: stored(dtype) }), sizes, named);
      for (let t = 1; t <= 3; t++) p.cpu.apply(gradientsOf(sizes, t));
      const saved = p.cpu.serializeState();
      p.onGpu.loadState(saved);
      assertSameBits(await p.onGpu.readState(), saved);
      const [full, eights, halves] = ['float32', 'int8', 'bfloat16'].map((of) => {
        const variables = sizes.map((n, i) => new Variable(n, named(i)));
        const optimizer = new Adam({ stateDtype: stored(of) });
        optimizer.build(variables);
        for (let t = 1; t <= 2; t++) optimizer.apply(gradientsOf(sizes, t));
        const file = optimizer.serializeState();
        disposeAll(optimizer, variables);
        return file;
      });
      // A file of another kind is rounded by the engine, wherever the state lives.
      for (const file of dtype === 'int8' ? [full, halves] : [full]) {
        p.onGpu.loadState(file);
        p.cpu.loadState(file);
        assertSameBits(await p.onGpu.readState(), p.cpu.serializeState());
      }
      p.onGpu.loadState(saved);
      p.cpu.loadState(saved);
      p.onGpu.setWeights(p.cpu.getWeights());
      p.cpu.setWeights(p.cpu.getWeights());
      assertSameBits(await p.onGpu.readState(), p.cpu.serializeState());
      const before = await p.onGpu.readState();
      const wrong = dtype === 'int8' ? saved.slice(0, -8) : eights;
      assert.throws(() => p.onGpu.loadState(wrong), RangeError);
      assert.throws(() => p.onGpu.variables, /onload\(\)/);
      assert.throws(() => p.onGpu.serializeState(), /onload\(\)/);
      assertSameBits(await p.onGpu.readState(), before);
      p.dispose();
    });

    test(`${dtype}: a training there goes where that in the engine goes`, async () => {
      const n = 5000;
      const target = Float32Array.from({ length: n }, (_, i) => Math.sin(i));
      const train = async (stateDtype, make) => {
        const w = make(new Float32Array(n));
        const optimizer = new Adam({ learningRate: 0.02, stateDtype });
        optimizer.build([w]);
        for (let t = 1; t <= 100; t++) {
          const noise = randomFloats(n, t);
          const values = await w.read();
          optimizer.apply([values.map((x, i) => x - target[i] + 0.1 * noise[i])]);
        }
        const values = await w.read();
        disposeAll(optimizer, w);
        return values;
      };
      const here = (values) => new Variable(values, { name: 'w' });
      const [full, narrow] = [await train('float32', here), await train(dtype, here)];
      const there = await train(dtype, (values) => gpu.variable(values, { name: 'w' }));
      const apart = (a, b) => Math.sqrt(a.reduce((sum, x, i) => sum + (x - b[i]) ** 2, 0) / n);
      // What the rounding changes is the measure of what may be rounded differently.
      assert.ok(apart(narrow, full) > 1e-5, 'the rounding changes something');
      assert.ok(
        apart(there, narrow) <= apart(narrow, full),
        `${apart(there, narrow)}, ${apart(narrow, full)}`,
      );
    });

    test(`${dtype}: buffers of one's own, of odd lengths, and steps recorded into an encoder`, async () => {
      for (const n of [5000, 5003]) {
        const values = randomFloats(n, 1);
        const here = new Variable(values, { name: 'w' });
        const there = gpu.wrap(bufferWith(gpu, values), { name: 'w' });
        const [cpu, onGpu] = [here, there].map((v) => {
          const optimizer = new Adam({ amsgrad: true, weightDecay: 0.1, stateDtype: dtype });
          optimizer.build([v]);
          return optimizer;
        });
        const p = { cpu, onGpu, here: [here], there: [there] };
        for (let t = 1; t <= 3; t++) {
          align(p);
          const g = randomFloats(n, 10 * t);
          cpu.apply([g]);
          const encoder = gpu.device.createCommandEncoder();
          onGpu.record(encoder, [bufferWith(gpu, g)]);
          gpu.device.queue.submit([encoder.finish()]);
          assertNear(await there.read(), here.value, `${n}: step ${t}`);
          const share = compare(await onGpu.readState(), cpu.serializeState(), `${n}: step ${t}`);
          assertShare(share, dtype, `${n}: step ${t}`);
        }
        disposeAll(cpu, onGpu, here, there);
      }
    });

    test(`${dtype}: variables over the binding limit, and pages that blocks do not fit`, async () => {
      const device = await deviceSaying({ maxStorageBufferBindingSize: 2 ** 16 + 1000 });
      const small = await openGpu({ device });
      const many = [2 ** 17 + 5, 3 * 2 ** 14, ...Array.from({ length: 150 }, (_, i) => 20 + i)];
      const make = () => new Adam({ clipvalue: 0.5, useEma: true, stateDtype: { dtype, minSize: 0 } });
      const p = pair(small, make, many);
      for (let t = 1; t <= 2; t++)
        assertShare(await assertStep(p, gradientsOf(many, t), `step ${t}`), dtype, `step ${t}`);
      p.dispose();
      const values = randomFloats(2 ** 16 + 3, 1);
      const here = new Variable(values, { name: 'w' });
      const there = small.wrap(bufferWith(small, values), { name: 'w' }); // element by element
      const [cpu, onGpu] = [here, there].map((v) => {
        const optimizer = make();
        optimizer.build([v]);
        return optimizer;
      });
      const alone = { cpu, onGpu, here: [here], there: [there], assertSame: () => {} };
      assertShare(await assertStep(alone, [randomFloats(values.length, 2)], 'wrapped'), dtype, 'wrapped');
      assertNear(await there.read(), here.value, 'wrapped');
      disposeAll(cpu, onGpu, here, there);
      await small.sync();
      device.destroy();
    });

    test(`${dtype}: sparse gradients, steps that are skipped, and optimizers in one another`, async () => {
      const p = pair(
        gpu,
        () => new Adam({ skipNonFinite: true, stateDtype: dtype }),
        [6000],
        () => ({
          name: 'w',
          shape: [600, 10],
        }),
      );
      for (const [o, v] of [
        [p.cpu, p.here[0]],
        [p.onGpu, p.there[0]],
      ])
        o.updateStep(randomFloats(6000, 9), v, 0.05);
      await p.assertSame('the rule alone');
      const alone = compare(await p.onGpu.readState(), p.cpu.serializeState(), 'the rule alone');
      assertShare(alone, dtype, 'the rule alone');
      const sparse = new SparseGradient({ indices: [3, 599, 17], values: randomFloats(30, 1) });
      assertShare(await assertStep(p, [sparse], 'sparse'), dtype, 'sparse');
      const before = await p.onGpu.readState();
      const bad = randomFloats(6000, 3);
      bad[77] = Number.NaN;
      await p.onGpu.apply([bufferWith(gpu, bad)]);
      assert.equal(p.onGpu.skippedSteps, 1);
      assert.equal(p.onGpu.iterations, 1);
      assertSameBits(await p.onGpu.readState(), before);
      p.dispose();
      for (const wrap of [
        () => new LossScaleOptimizer(new Adam({ stateDtype: dtype }), { initialScale: 8 }),
        () => new MultiOptimizer(() => new SGD({ momentum: 0.9, stateDtype: dtype })),
      ]) {
        const inner = pair(gpu, wrap, [5000, 4100]);
        const gradients = gradientsOf([5000, 4100], 1);
        assertShare(await assertStep(inner, gradients, 'nested'), dtype, 'nested');
        const there = await inner.onGpu.readState();
        await inner.onGpu.onload();
        assertSameBits(inner.onGpu.serializeState(), there);
        inner.dispose();
      }
    });

    test(`${dtype}: the state begins as in the engine, to the bit`, async () => {
      for (const make of [
        () => new Adagrad({ initialAccumulatorValue: 0.1, stateDtype: dtype }),
        () => new ScheduleFreeAdamW({ stateDtype: dtype }), // its copy of the weights is float32
        () => new Lion({ stateDtype: dtype }),
      ]) {
        const p = pair(gpu, make, sizes, named);
        assertSameBits(await p.onGpu.readState(), p.cpu.serializeState());
        p.dispose();
      }
    });
  }

  test('int8: at every border of the maps, and beside it, the codes are the engine’s', async () => {
    const stateDtype = { dtype: 'int8', minSize: 0 };
    for (const [slot, make] of [
      ['momentum', () => new SGD({ learningRate: 1, momentum: 0.9, stateDtype })], // begins as -g
      ['norm', () => new Adamax({ stateDtype })], // as the magnitude of g
    ]) {
      const map = mapOf(make(), slot);
      const near = [];
      for (let k = 1; k < 256; k++) {
        const border = Float32Array.of((map[k - 1] + map[k]) / 2);
        const bits = new Uint32Array(border.buffer);
        for (const change of [-1, 1, 1]) {
          bits[0] += change;
          near.push(-border[0]);
        }
      }
      // Each block has a scale of 1.
      const g = Float32Array.from({ length: 768 }, (_, i) => (i % 256 === 0 ? 1 : near[i - 1 - (i >> 8)]));
      const p = pair(gpu, make, [768]);
      for (const o of [p.cpu, p.onGpu]) o.apply([g]);
      const [ours, theirs] = [await p.onGpu.readState(), p.cpu.serializeState()].map(tensorsOf);
      assertSameBits(ours.get(`v0/${slot}`).values, theirs.get(`v0/${slot}`).values, slot);
      assert.equal(new Set(theirs.get(`v0/${slot}`).values).size, 256);
      p.dispose();
    }
  });

  test('what is not finite is seen in its block of int8, and only there', async () => {
    const w = gpu.variable(5000, { name: 'w' });
    const optimizer = new Adam({ stateDtype: 'int8' });
    optimizer.build([w]);
    const g = new Float32Array(5000).fill(1);
    g[300] = Number.NaN;
    optimizer.apply([g]);
    await optimizer.onload();
    const [, , m] = optimizer.getWeights();
    assert.ok(m.slice(256, 512).every(Number.isNaN));
    assert.ok(m.slice(0, 256).every((x) => Math.abs(x - 0.1) < 1e-6));
    assert.ok(m.slice(512).every((x) => Math.abs(x - 0.1) < 1e-6));
    disposeAll(optimizer, w);
  });
});
