// Our optimizers on tfjs' webgpu backend, with its device: the steps of the CPU, nothing read back, whoever shares
// a variable's data left alone, and models that are saved and loaded.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { globals } from 'webgpu';
import {
  Adadelta,
  Adafactor,
  Adagrad,
  Adam,
  Adamax,
  init,
  Lamb,
  LossScaleOptimizer,
  Muon,
  Nadam,
  RMSprop,
  ScheduleFreeAdamW,
  SGD,
  Variable,
} from '../../dist/index.js';
import { tfOptimizer } from '../../dist/tfjs.js';
import { initWebGPU } from '../../dist/webgpu.js';
import { randomFloats } from '../node/helpers.mjs';
import { entry } from './adapter.mjs';
import { assertNear } from './helpers.mjs';

const adapter = await entry.requestAdapter();
Object.assign(globalThis, globals);
Object.defineProperty(globalThis, 'navigator', { value: { gpu: entry }, configurable: true });
const { tf } = await import('../node/tfjs/setup.mjs');
const { losses } = await import('../node/tfjs/digits.mjs');
const { WebGPUBackend } = await import('@tensorflow/tfjs-backend-webgpu');

describe('tfjs on the GPU', { skip: adapter ? false : 'no WebGPU adapter here' }, () => {
  let gpu;
  before(async () => {
    await init();
    const device = await adapter.requestDevice();
    if (tf.findBackendFactory('webgpu')) tf.removeBackend('webgpu'); // it would choose a device of its own
    tf.registerBackend('webgpu', () => new WebGPUBackend(device, adapter.info));
    assert.ok(await tf.setBackend('webgpu'));
    gpu = await initWebGPU({ device });
  });
  after(() => tf.removeBackend('webgpu'));

  const sizes = { 'a/kernel': [3, 7], 'a/bias': [7], 'b/kernel': [500, 4] };
  const sizeOf = (shape) => shape.reduce((a, b) => a * b, 1);

  for (const [name, make] of Object.entries({
    Adam: () => new Adam(),
    'Adamax with decay and a global clip': () => new Adamax({ weightDecay: 0.1, globalClipnorm: 0.5 }),
    'an accumulator that begins with a value': () => new Adagrad({ initialAccumulatorValue: 0.5 }),
    'a slot that begins as the weights': () => new ScheduleFreeAdamW({ learningRate: 0.01 }),
    'a scalar beside the slots': () => new Nadam(),
    'sums over whole variables': () => new Lamb({ clipnorm: 0.5, weightDecay: 0.1 }),
    'means of rows and columns': () => new Adafactor({ clipnorm: 0.5 }),
    'products of matrices': () => new Muon({ weightDecay: 0.1 }),
    'state in fewer bits': () => new Adam({ stateDtype: { dtype: 'int8', minSize: 20 } }),
    'averages and accumulation': () =>
      new Adam({ useEma: true, emaOverwriteFrequency: 2, gradientAccumulationSteps: 2 }),
  }))
    test(`the steps of the CPU: ${name}`, async () => {
      const variables = Object.entries(sizes).map(([path, shape], k) =>
        tf.variable(tf.tensor(randomFloats(sizeOf(shape), k), shape), true, path),
      );
      const plain = variables.map(
        (v, k) => new Variable(randomFloats(v.size, k), { path: v.name, shape: v.shape }),
      );
      const [ours, expected] = [tfOptimizer(make(), { gpu }), make()];
      expected.build(plain);
      ours.build(variables);
      for (let t = 0; t < 10; t++) {
        const gradients = plain.map(({ size }, k) => randomFloats(size, 100 * t + k));
        const tensors = Object.fromEntries(
          plain.map(({ path, shape }, k) => [path, tf.tensor(gradients[k], [...shape]).mul(1)]),
        );
        ours.applyGradients(tensors);
        tf.dispose(tensors);
        expected.apply(gradients);
      }
      for (const [k, v] of variables.entries()) {
        const [got, wanted] = [await v.data(), plain[k].value];
        const largest = Math.max(...wanted.map(Math.abs));
        got.forEach((x, i) => {
          assert.ok(
            Math.abs(x - wanted[i]) <= 1e-5 * largest,
            `${v.name}[${i}]: ${x} instead of ${wanted[i]}`,
          );
        });
        v.dispose();
      }
      ours.dispose();
    });

  test('whoever shares the data of a variable keeps what it had', async () => {
    const w = tf.variable(tf.tensor1d([1, 2, 3]));
    const optimizer = tfOptimizer(new Adam({ learningRate: 0.5 }), { gpu });
    const step = () => optimizer.minimize(() => w.square().sum(), false, [w]);
    step();
    const clone = w.clone();
    const then = await clone.data();
    step();
    assert.deepEqual([...(await clone.data())], [...then]);
    assert.ok((await w.data()).every((x, i) => Math.abs(x - then[i]) > 0.1));
    const fresh = tf.tensor1d([7, 8, 9]);
    w.assign(fresh);
    step();
    assert.deepEqual([...(await fresh.data())], [7, 8, 9]);
    assert.ok(
      (await w.data()).every((x, i) => x < 7 + i && x > 6 + i),
      String(await w.data()),
    );
  });

  test('gradients that are variables, or share their data, count as they are before the step', async () => {
    for (const [how, share] of Object.entries({
      variables: (v) => v,
      clones: (v) => v.clone(),
      reshaped: (v) => v.reshape(v.shape),
    })) {
      const values = [0, 1, 2].map((k) => randomFloats(500, k));
      const plain = values.map((v, k) => new Variable(v, { path: `${how}${k}` }));
      const variables = values.map((v, k) => tf.variable(tf.tensor1d(v), true, `${how}${k}`));
      const make = () => new SGD({ learningRate: 0.5 });
      const [ours, expected] = [tfOptimizer(make(), { gpu }), make()];
      expected.build(plain);
      for (let t = 0; t < 3; t++) {
        const given = variables.map((_, k) => share(variables[(k + t) % 3]));
        ours.applyGradients(variables.map(({ name }, k) => ({ name, tensor: given[k] })));
        tf.dispose(given.filter((g) => !variables.includes(g)));
        expected.apply(plain.map((_, k) => plain[(k + t) % 3].value.slice()));
        for (const [k, v] of variables.entries())
          assertNear(await v.data(), plain[k].value, `${how}, step ${t + 1}: v${k}`);
      }
      for (const each of [ours, expected, ...plain, ...variables]) each.dispose();
    }
  });

  test('after onload() it goes on, there or on another backend', async () => {
    const plain = new Variable(randomFloats(100, 1), { path: 'moved' });
    const variable = tf.variable(tf.tensor1d(plain.value.slice()), true, 'moved');
    const [ours, expected] = [
      tfOptimizer(new Adam({ learningRate: 0.1 }), { gpu }),
      new Adam({ learningRate: 0.1 }),
    ];
    expected.build([plain]);
    const step = async (message) => {
      const g = randomFloats(100, expected.iterations);
      ours.applyGradients({ moved: tf.tensor1d(g) });
      expected.apply([g]);
      assertNear(await variable.data(), plain.value, message);
    };
    await step('there');
    await ours.optimizer.onload();
    await step('there, once more');
    for (const backend of ['wasm', 'webgpu', 'cpu', 'webgpu']) {
      if (tf.getBackend() === 'webgpu') {
        await tf.setBackend(backend);
        assert.throws(() => ours.applyGradients({ moved: tf.ones([100]) }), /onload\(\)/);
        await ours.optimizer.onload();
      }
      await tf.setBackend(backend);
      for (let k = 0; k < 2; k++) await step(`${backend}, step ${k + 1}`);
    }
    for (const each of [ours, expected, plain, variable]) each.dispose();
  });

  test('nothing leaks in 200 steps', () => {
    const w = tf.variable(tf.ones([20, 10]));
    const x = tf.ones([4, 20]);
    const optimizer = tfOptimizer(new Adam({ clipnorm: 1 }), { gpu });
    const step = () => optimizer.minimize(() => tf.matMul(x, w).square().mean(), false, [w]);
    step();
    const { numTensors, numBytes } = tf.memory();
    for (let k = 0; k < 200; k++) step();
    assert.deepEqual([tf.memory().numTensors, tf.memory().numBytes], [numTensors, numBytes]);
  });

  const few = 15; // tf.train's own steps are what takes the time on a software adapter
  for (const [name, ours, theirs, steps = few] of [
    ['adam', () => new Adam({ compat: 'tfjs' }), () => tf.train.adam(0.001), 100],
    ['adamax', () => new Adamax({ compat: 'tfjs', learningRate: 0.002 }), () => tf.train.adamax(0.002), 100],
    ['sgd', () => new SGD({ compat: 'tfjs', learningRate: 0.1 }), () => tf.train.sgd(0.1)],
    [
      'momentum',
      () => new SGD({ compat: 'tfjs', learningRate: 0.05, momentum: 0.9 }),
      () => tf.train.momentum(0.05, 0.9),
    ],
    ['rmsprop', () => new RMSprop({ compat: 'tfjs' }), () => tf.train.rmsprop(0.001)],
    ['adagrad', () => new Adagrad({ compat: 'tfjs', learningRate: 0.05 }), () => tf.train.adagrad(0.05)],
    ['adadelta', () => new Adadelta({ compat: 'tfjs', learningRate: 1 }), () => tf.train.adadelta(1)],
  ])
    test(`the losses of tf.train.${name} on the digits, ${steps} steps`, async () => {
      const size = { hidden: [32], steps };
      const [a, b] = [await losses(tfOptimizer(ours(), { gpu }), size), await losses(theirs(), size)];
      const apart = Math.max(...a.found.map((loss, k) => Math.abs(loss - b.found[k])));
      assert.ok(apart <= 1e-4, `the losses are ${apart} apart`);
      assert.ok(a.found.at(-1) < (steps === few ? 1 : 0.75) * a.found[0]);
    });

  test('the state goes out and in again', async () => {
    const make = () => tfOptimizer(new Adamax({ learningRate: 0.1 }), { gpu });
    const w = tf.variable(tf.tensor1d([1, 2, 3]), true, 'saved/w');
    const step = (optimizer) => optimizer.minimize(() => w.square().sum(), false, [w]);
    const first = make();
    for (let k = 0; k < 3; k++) step(first);
    const weights = await first.getWeights();
    assert.deepEqual(
      weights.map(({ name }) => name),
      ['iter', 'saved/w/m', 'saved/w/v'],
    );
    const second = make();
    await second.setWeights(weights);
    const before = tf.tensor1d(await w.data());
    step(first);
    const expected = await w.data();
    w.assign(before);
    step(second);
    assert.deepEqual([...(await w.data())], [...expected]);
    assert.equal(second.iterations, 4);
  });

  test('what cannot be is said', async () => {
    const [w, later] = [tf.variable(tf.ones([2])), tf.variable(tf.ones([2]))];
    const minimize = (optimizer, v = w) => optimizer.minimize(() => v.square().sum(), false, [v]);
    assert.throws(
      () => minimize(tfOptimizer(new Adam())),
      /initWebGPU\(\{ device: tf\.backend\(\)\.device \}\)/,
    );
    assert.throws(
      () => minimize(tfOptimizer(new LossScaleOptimizer(new Adam()), { gpu })),
      /lossScaleFactor/,
    );
    const optimizer = tfOptimizer(new Adam(), { gpu });
    minimize(optimizer);
    assert.throws(() => minimize(optimizer, later), /build\(variables\)/);
    minimize(optimizer);
    const other = await initWebGPU({ gpu: entry });
    assert.throws(() => minimize(tfOptimizer(new Adam(), { gpu: other })), /another device/);
  });
});
