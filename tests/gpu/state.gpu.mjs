// Moving between engine and GPU: bit for bit, in the middle of a training, as a whole or not at all; and state read
// and set where it lives.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Adam, AdamW, constraints, LossScaleOptimizer, Variable } from '../../dist/index.js';
import { assertRefused, assertSameBits, randomFloats } from '../node/helpers.mjs';
import { shareGpu } from './adapter.mjs';
import { assertNear, gradientsOf, pair } from './helpers.mjs';

const sizes = [3, 1000, 2 ** 18 + 1];
const make = () =>
  new AdamW({ amsgrad: true, useEma: true, gradientAccumulationSteps: 2, learningRate: 0.01 });
const built = (names = 'v') => {
  const variables = sizes.map((size, i) => new Variable(randomFloats(size, i), { name: `${names}${i}` }));
  const optimizer = make();
  optimizer.build(variables);
  return { variables, optimizer };
};
const disposeAll = (...all) => {
  for (const each of all.flat()) each.dispose();
};

describe('between the engine and the GPU', () => {
  let gpu;
  shareGpu((opened) => {
    gpu = opened;
  });

  test('offload and onload move values and state bit for bit, in the middle of an accumulation', async () => {
    const { variables, optimizer } = built();
    for (let k = 1; k <= 3; k++) optimizer.apply(gradientsOf(sizes, k));
    const state = optimizer.serializeState();
    const values = variables.map((v) => v.value.slice());
    await optimizer.offload(gpu, { minSize: 0 });
    for (const [i, v] of variables.entries()) {
      assert.equal(v.placement, 'gpu');
      assertSameBits(await v.read(), values[i]);
    }
    assert.deepEqual(await optimizer.readState(), state);
    await optimizer.onload();
    for (const [i, v] of variables.entries()) {
      assert.equal(v.placement, 'wasm');
      assertSameBits(v.value, values[i]);
    }
    assert.deepEqual(optimizer.serializeState(), state);
    const other = built('v');
    for (let k = 1; k <= 4; k++) other.optimizer.apply(gradientsOf(sizes, k));
    optimizer.apply(gradientsOf(sizes, 4));
    assert.deepEqual(optimizer.serializeState(), other.optimizer.serializeState());
    disposeAll(optimizer, variables, other.optimizer, other.variables);
  });

  test('minSize keeps small variables in the engine; a training goes on over the moves', async () => {
    const moving = built();
    const staying = built();
    const step = (from, to) => {
      for (let k = from; k <= to; k++)
        for (const { optimizer } of [moving, staying]) optimizer.apply(gradientsOf(sizes, k));
    };
    step(1, 2);
    await moving.optimizer.offload(gpu, { minSize: 1000 });
    assert.deepEqual(
      moving.variables.map((v) => v.placement),
      ['wasm', 'gpu', 'gpu'],
    );
    step(3, 5);
    await moving.optimizer.offload(gpu, { minSize: 0 }); // the rest
    step(6, 7);
    await moving.optimizer.onload();
    step(8, 9);
    for (const [i, v] of moving.variables.entries()) assertNear(v.value, staying.variables[i].value, `v${i}`);
    disposeAll(moving.optimizer, moving.variables, staying.optimizer, staying.variables);
  });

  test('whatever reads synchronously throws and names onload(); nothing has changed', async () => {
    const { variables, optimizer } = built();
    optimizer.apply(gradientsOf(sizes, 1));
    await optimizer.offload(gpu, { minSize: 1000 });
    const before = await optimizer.readState();
    const reads = [
      () => variables[1].value,
      () => optimizer.variables,
      () => optimizer.getWeights(),
      () => optimizer.saveOwnVariables({}),
      () => optimizer.serializeState(),
      () => optimizer.statelessApply([], [], []),
      () => optimizer.assignAdd(variables[1], 1),
    ];
    for (const read of reads) {
      try {
        read();
        assert.fail(`${read} did not throw`);
      } catch (error) {
        assert.equal(error.constructor, Error, String(read));
        assert.match(error.message, /onload\(\)/, String(read));
      }
    }
    assert.deepEqual(await optimizer.readState(), before);
    disposeAll(optimizer, variables);
  });

  test('state and values can be set on the GPU', async () => {
    const p = pair(gpu, make, sizes);
    for (let k = 1; k <= 3; k++) p.cpu.apply(gradientsOf(sizes, k));
    p.onGpu.loadState(p.cpu.serializeState());
    p.there.forEach((v, i) => {
      v.assign(p.here[i].value);
    });
    assert.deepEqual(await p.onGpu.readState(), p.cpu.serializeState());
    p.onGpu.setWeights(p.cpu.getWeights());
    assert.deepEqual(await p.onGpu.readState(), p.cpu.serializeState());
    for (const o of [p.cpu, p.onGpu]) o.apply(gradientsOf(sizes, 4));
    await p.assertSame('the next step');
    assertRefused(() => p.there[0].assign([1]), RangeError, /3 elements/);
    p.dispose();
  });

  test('a LossScaleOptimizer moves its inner optimizer', async () => {
    const variables = [new Variable(randomFloats(50, 1), { name: 'v' })];
    const optimizer = new LossScaleOptimizer(new Adam());
    optimizer.build(variables);
    optimizer.apply([randomFloats(50, 2)]);
    const state = optimizer.serializeState();
    await optimizer.offload(gpu, { minSize: 0 });
    assert.equal(variables[0].placement, 'gpu');
    assert.equal(optimizer.apply([randomFloats(50, 3)]), undefined); // gradients of the CPU are checked there
    await optimizer.onload();
    optimizer.loadState(state);
    assert.deepEqual(optimizer.serializeState(), state);
    disposeAll(optimizer, variables);
  });

  test('constraints of the library work there; those of the user refuse it, and undo a mixed step', async () => {
    const shaped = (i) => ({
      shape: [10, 6],
      constraint: [new constraints.MaxNorm({ maxValue: 1 }), new constraints.UnitNorm({ axis: 1 })][i],
    });
    const p = pair(gpu, () => new Adam({ learningRate: 0.1 }), [60, 60], shaped);
    for (let k = 1; k <= 3; k++) for (const o of [p.cpu, p.onGpu]) o.apply(gradientsOf([60, 60], k));
    await p.assertSame('constrained');
    p.dispose();

    const constraint = () => {
      throw new Error('mine');
    };
    const own = new Variable(4, { name: 'own', constraint });
    const there = gpu.variable([1, 2, 3], { name: 'there' });
    const optimizer = new Adam();
    optimizer.build([own, there]);
    const before = await optimizer.readState();
    assert.throws(() => optimizer.apply([new Float32Array(4).fill(1), new Float32Array(3).fill(1)]), /mine/);
    assert.deepEqual(await optimizer.readState(), before);
    assertSameBits(await there.read(), Float32Array.of(1, 2, 3));
    assert.equal(optimizer.iterations, 0);
    await assert.rejects(optimizer.offload(gpu, { minSize: 0 }), /own.*constraint of your own/s);
    assert.throws(() => {
      const refused = gpu.variable(4, { name: 'refused', constraint });
      new Adam().build([refused]);
    }, /constraint of your own/);
    disposeAll(optimizer, own, there);
  });

  test('a variable of two optimizers does not move; one born on the GPU may serve two', async () => {
    const shared = new Variable(8, { name: 'shared' });
    const [a, b] = [new Adam(), new Adam()];
    for (const o of [a, b]) o.build([shared]);
    await assert.rejects(a.offload(gpu, { minSize: 0 }), /2 optimizers/);
    assert.equal(shared.placement, 'wasm');
    b.dispose();
    await a.offload(gpu, { minSize: 0 });
    assert.equal(shared.placement, 'gpu');
    const c = new Adam();
    c.build([shared]);
    for (const o of [a, c]) o.apply([randomFloats(8, 1)]);
    await assert.rejects(a.onload(), /2 optimizers/);
    c.dispose();
    await a.onload();
    assert.equal(shared.placement, 'wasm');
    disposeAll(a, shared);
  });

  test('no memory in the engine: onload moves nothing, and can be tried again', async () => {
    const { variables, optimizer } = built();
    optimizer.apply(gradientsOf(sizes, 1));
    await optimizer.offload(gpu, { minSize: 1000 });
    const before = await optimizer.readState();
    const blockers = [];
    const { grow } = WebAssembly.Memory.prototype;
    WebAssembly.Memory.prototype.grow = () => {
      throw new RangeError('no more memory');
    };
    try {
      for (let size = 2 ** 20; size >= 2 ** 6; ) {
        try {
          blockers.push(new Variable(size, { name: `blocker${blockers.length}` }));
        } catch {
          size /= 2;
        }
      }
      await assert.rejects(optimizer.onload(), RangeError);
      assert.deepEqual(await optimizer.readState(), before);
    } finally {
      WebAssembly.Memory.prototype.grow = grow;
      disposeAll(blockers);
    }
    await optimizer.onload();
    assert.deepEqual(optimizer.serializeState(), before);
    disposeAll(optimizer, variables);
  });

  test('a disposed variable is named by the next apply, and its place is used again', async () => {
    const v = gpu.variable(randomFloats(100, 1), { name: 'gone' });
    const { buffer, offset } = gpu.bufferOf(v);
    const optimizer = new Adam();
    optimizer.build([v]);
    v.dispose();
    v.dispose();
    assertRefused(() => optimizer.apply([randomFloats(100, 2)]), Error, /'gone' has been disposed/);
    await assert.rejects(v.read(), /disposed/);
    const next = gpu.variable(100, { name: 'next' });
    if (gpu.bufferOf(next).buffer === buffer) assert.equal(gpu.bufferOf(next).offset, offset);
    assertSameBits(await next.read(), new Float32Array(100));
    disposeAll(optimizer, next);
  });
});
