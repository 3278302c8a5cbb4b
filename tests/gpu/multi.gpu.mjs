// MultiOptimizer with a GPU: variables of all its optimizers go there and back together, and a call that one of them
// must wait for is waited for by all. Without a GPU: tests/node/multi.test.mjs.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  Adam,
  init,
  LossScaleOptimizer,
  MultiOptimizer,
  OptimizerMap,
  SGD,
  Variable,
} from '../../dist/index.js';
import { randomFloats } from '../node/helpers.mjs';
import { openGpu } from './adapter.mjs';
import { assertNear, assertReport } from './helpers.mjs';

let gpu;
before(async () => {
  await init();
  gpu = await openGpu();
});
after(() => gpu.dispose());

const paths = ['a/kernel', 'a/bias', 'b/kernel', 'b/bias'];
const sizes = [600, 5, 400, 3];
const make = () =>
  new MultiOptimizer(
    new OptimizerMap(new Adam({ globalClipnorm: 1, useEma: true, monitor: true }), {
      'a/.*': new SGD({ momentum: 0.9, monitor: true }),
    }),
  );
const variablesOf = () => paths.map((path, k) => new Variable(randomFloats(sizes[k], k), { path }));
const gradients = (seed) => sizes.map((size, k) => randomFloats(size, 10 * seed + k));

test('there and back: the large ones of every optimizer, and the numbers of the CPU', async () => {
  const [mine, theirs] = [variablesOf(), variablesOf()];
  const [one, other] = [make(), make()];
  one.build(mine);
  await one.offload(gpu, { minSize: 100 });
  assert.throws(() => one.getWeights(), /lives on the GPU; await onload/);
  for (let call = 0; call < 4; call++) {
    const waiting = one.apply(gradients(call)); // the norm of Adam's two
    assert.ok(waiting instanceof Promise);
    assert.throws(() => one.apply(gradients(call)), /has not settled/);
    for (const each of one.optimizers) assert.throws(() => each.apply([]), /has not settled/);
    await waiting;
    other.apply(gradients(call), theirs);
    assertReport(await one.readReport(), other.report, `call ${call}`);
  }
  assert.equal(one.iterations, 4);
  const bytes = await one.readState();
  await one.onload();
  assert.deepEqual([...bytes], [...one.serializeState()]);
  for (const [k, v] of mine.entries()) assertNear(v.value, theirs[k].value);
  one.variables.forEach(({ value, path }, k) => {
    assert.equal(path, other.variables[k].path);
    if (typeof value === 'number') assert.equal(value, other.variables[k].value);
    else assertNear(value, other.variables[k].value);
  });
  for (const each of [one, other, ...mine, ...theirs]) each.dispose();
});

test('refused, or given up: nothing has moved or changed', async () => {
  const variables = variablesOf();
  const one = make();
  one.apply(gradients(1), variables);
  await assert.rejects(one.offload({}), TypeError);
  await assert.rejects(one.offload(gpu, { minSize: -1 }), RangeError);
  await one.offload(gpu, { minSize: 100 });
  assert.throws(() => one.apply(gradients(2).with(3, new Float32Array(7))), RangeError);
  const before = await one.readState();
  assert.throws(() => one.apply([null, null, null, null]), /No gradients/);
  assert.deepEqual(await one.readState(), before);
  const waiting = one.apply(gradients(2));
  one.dispose();
  await waiting;
  for (const each of one.optimizers) assert.ok(!each.built);
  for (const v of variables) v.dispose();
});

test('not finite there: no optimizer is stepped', async () => {
  const variables = variablesOf();
  const scaled = new LossScaleOptimizer(make());
  scaled.build(variables);
  await scaled.offload(gpu, { minSize: 100 });
  const before = await scaled.innerOptimizer.readState();
  await scaled.apply(gradients(1).with(0, new Float32Array(600).fill(Number.NaN)));
  assert.deepEqual(await scaled.innerOptimizer.readState(), before);
  assert.equal(scaled.dynamicScale, 2 ** 14);
  await scaled.apply(gradients(1));
  assert.equal(scaled.iterations, 1);
  await scaled.onload();
  for (const [k, v] of variables.entries()) assert.notDeepEqual(v.value, randomFloats(sizes[k], k));
  for (const each of [scaled, ...variables]) each.dispose();
});
