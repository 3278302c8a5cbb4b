// What lives how long, with a GPU: what is disposed or changed while a call has not settled, and disposed variables
// among those that go on. Without a GPU: tests/node/lifetimes.test.mjs.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Adam, init, LossScaleOptimizer, Variable } from '../../dist/index.js';
import { assertSameBits, randomFloats } from '../node/helpers.mjs';
import { openGpu } from './adapter.mjs';
import { assertNear, bufferWith } from './helpers.mjs';

let gpu;
before(async () => {
  await init();
  gpu = await openGpu();
});
after(() => gpu.dispose());

const size = 300;
const values = randomFloats(size, 1);

/** One variable here and one on the GPU: a global norm over both must be waited for. */
function inTwoPlaces(make = () => new Adam({ globalClipnorm: 1, useEma: true, learningRate: 0.1 })) {
  const here = new Variable(values, { path: 'here', constraint: (w) => w });
  const there = gpu.variable(values, { path: 'there' });
  const optimizer = make();
  optimizer.build([here, there]);
  const grads = [randomFloats(size, 2), randomFloats(size, 3)];
  return { here, there, optimizer, grads };
}

/** What the step comes to if nobody interferes. */
async function expected(make) {
  const { here, there, optimizer, grads } = inTwoPlaces(make);
  await optimizer.apply(grads);
  const result = [here.value.slice(), await there.read()];
  for (const each of [optimizer, here, there]) each.dispose();
  return result;
}

describe('while a call has not settled', () => {
  for (const [name, make] of [
    ['Adam', undefined],
    ['LossScaleOptimizer', () => new LossScaleOptimizer(new Adam({ globalClipnorm: 1 }))],
  ])
    test(`${name}: disposed optimizers and variables are let go of when it has`, async () => {
      const [a, b] = await expected(make);
      const { here, there, optimizer, grads } = inTwoPlaces(make);
      const read = [];
      const pending = optimizer.apply(grads);
      assert.ok(pending instanceof Promise);
      optimizer.dispose();
      assert.throws(() => optimizer.apply(grads), /disposed/);
      const victim = new Adam();
      const stranger = new Variable(values, { path: 'stranger' });
      victim.build([stranger]);
      await pending;
      read.push(here.value, await there.read());
      assertSameBits(read[0], a, 'here');
      assertSameBits(read[1], b, 'there');
      assertSameBits(stranger.value, values, 'a stranger');
      assert.equal(victim.rawIterations, 0);
      for (const each of [victim, stranger, here, there]) each.dispose();
    });

  test('a variable that is disposed takes part, and is freed afterwards', async () => {
    const [, b] = await expected();
    const { here, there, optimizer, grads } = inTwoPlaces();
    const pending = optimizer.apply(grads);
    here.dispose();
    await pending;
    assertSameBits(await there.read(), b, 'there');
    assert.throws(() => here.value, /disposed/);
    assert.throws(() => optimizer.getWeights(), /'here' has been disposed/);
    for (const each of [optimizer, there]) each.dispose();
  });

  test('nothing else may change the optimizer, and refilled gradients are those of the call', async () => {
    const [a, b] = await expected();
    const { here, there, optimizer, grads } = inTwoPlaces();
    const pending = optimizer.apply(grads);
    for (const g of grads) g.fill(1e9);
    for (const call of [
      () => optimizer.apply(grads),
      () => optimizer.applyGradients([[grads[0], here]]),
      () => optimizer.step(),
      () => optimizer.setWeights([]),
      () => optimizer.loadState(new Uint8Array(8)),
      () => optimizer.loadOwnVariables({}),
      () => optimizer.finalizeVariableValues([here, there]),
      () => optimizer.updateStep(grads[0], here, 1),
      () => {
        optimizer.learningRate = 5;
      },
      () => {
        optimizer.globalClipnorm = null;
      },
      () => {
        optimizer.emaMomentum = 0.5;
      },
    ])
      assert.throws(call, /apply has not settled/);
    for (const call of [() => optimizer.onload(), () => optimizer.offload(gpu), () => optimizer.readState()])
      await assert.rejects(call(), /apply has not settled/);
    await pending;
    assertSameBits(here.value, a, 'here');
    assertSameBits(await there.read(), b, 'there');
    assert.equal(optimizer.rawIterations, 1);
    optimizer.globalClipnorm = null; // now it may
    for (const each of [optimizer, here, there]) each.dispose();
  });

  test('no weight is lost by dispose during offload and onload', async () => {
    const variable = new Variable(values, { path: 'v' });
    const first = new Adam();
    first.build([variable]);
    const leaving = first.offload(gpu, { minSize: 1 });
    first.dispose();
    await leaving;
    assert.equal(variable.placement, 'gpu');
    assertSameBits(await variable.read(), values, 'offload');
    const second = new Adam();
    second.build([variable]);
    const coming = second.onload();
    second.dispose();
    await coming;
    assert.equal(variable.placement, 'wasm');
    assertSameBits(variable.value, values, 'onload');
    variable.dispose();
  });
});

test('a disposed variable on the GPU: the others go on, and nothing touches it', async () => {
  const make = () => new Adam({ useEma: true, emaOverwriteFrequency: 1, clipnorm: 1 });
  const sizes = [300, 2 ** 18, 40];
  const lists = [0, 1].map(() => sizes.map((n, k) => gpu.variable(randomFloats(n, k), { path: `v${k}` })));
  const optimizers = lists.map((list) => {
    const optimizer = make();
    optimizer.build(list);
    return optimizer;
  });
  const step = (rows, seed) => {
    const grads = rows.map((row) => bufferWith(gpu, randomFloats(sizes[row], seed + row)));
    for (const [k, optimizer] of optimizers.entries())
      optimizer.apply(
        grads,
        rows.map((row) => lists[k][row]),
      );
  };
  step([0, 1, 2], 10);
  lists[0][1].dispose();
  step([0], 20);
  lists[0][0].dispose();
  const stranger = gpu.variable(randomFloats(sizes[0], 99), { path: 'stranger' });
  step([2], 30);
  await gpu.sync();
  assertNear(await lists[0][2].read(), await lists[1][2].read(), 'v2');
  assertSameBits(await stranger.read(), randomFloats(sizes[0], 99), 'a stranger');
  await assert.rejects(optimizers[0].readState(), /'v0' has been disposed/);
  await optimizers[0].onload();
  assert.equal(lists[0][2].placement, 'wasm');
  for (const each of [...optimizers, ...lists.flat(), stranger]) each.dispose();
});
