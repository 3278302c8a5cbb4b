// Our optimizers under TensorFlow.js, in loops of one's own: as a tf.Optimizer, with state by name, without leaks,
// careful with data that others have, and on any backend.
import assert from 'node:assert/strict';
import { afterEach, before, test } from 'node:test';
import { Adam, Adamax, init, LossScaleOptimizer, SparseGradient, Variable } from '../../dist/index.js';
import { tfOptimizer } from '../../dist/tfjs.js';
import { assertRefused, assertSameBits, randomFloats, warningsOf } from './helpers.mjs';
import { everywhere, onEach } from './tfjs/each.mjs';
import { tf } from './tfjs/setup.mjs';

before(() => init());
afterEach(() => tf.disposeVariables());

onEach('it is a tf.Optimizer, and minimizes', () => {
  const optimizer = tfOptimizer(new Adam({ learningRate: 0.1 }));
  assert.ok(optimizer instanceof tf.Optimizer);
  const x = tf.variable(tf.tensor1d([2, 4]));
  const stray = tf.variable(tf.scalar(-1));
  const fixed = tf.variable(tf.scalar(5), false);
  const f = () => x.square().sum().add(fixed);
  const cost = optimizer.minimize(f, true);
  assert.equal(cost.dataSync()[0], 25);
  assert.equal(optimizer.minimize(f), null);
  assert.equal(optimizer.iterations, 2);
  const { value, grads } = optimizer.computeGradients(f, [x, fixed]);
  assert.equal(grads[fixed.name], null);
  optimizer.applyGradients(grads);
  optimizer.learningRate = 0.5;
  assert.equal(optimizer.learningRate, 0.5);
  const before = x.dataSync().slice();
  optimizer.minimize(f, false, [x]);
  assert.ok(x.dataSync().every((v, i) => before[i] - v > 0.3));
  assert.deepEqual([stray.dataSync()[0], fixed.dataSync()[0]], [-1, 5]);
  tf.dispose([cost, value, grads]);
});

onEach('a scaled loss gives the same step and the unscaled cost', () => {
  const results = [new Adam(), new Adam({ lossScaleFactor: 1024 }), new LossScaleOptimizer(new Adam())].map(
    (o) => {
      const x = tf.variable(tf.tensor1d([2, 4]));
      const cost = tfOptimizer(o).minimize(() => x.square().sum(), true, [x]);
      return [...x.dataSync(), cost.dataSync()[0]];
    },
  );
  assert.deepEqual(results[1], results[0]);
  assert.deepEqual(results[2], results[0]);
});

onEach('state is kept by name: any order, any subset, new variables at any time', () => {
  const [a, b, c] = [1, 2, 3].map((x, k) => tf.variable(tf.tensor1d([x, x]), true, `by-name/${k}`));
  const optimizer = tfOptimizer(new Adamax());
  const plain = [1, 2, 3].map((x, k) => new Variable([x, x], { path: `by-name/${k}` }));
  const expected = new Adamax();
  expected.build(plain);
  const step = (...which) => {
    const tensors = which.map((k) => ({ name: `by-name/${k}`, tensor: tf.tensor1d(randomFloats(2, k)) }));
    optimizer.applyGradients(tensors);
    expected.apply(plain.map((_, k) => (which.includes(k) ? randomFloats(2, k) : null)));
  };
  const silent = warningsOf(() => {
    step(1);
    step(0, 1);
    step(1, 0);
    step(2, 0);
    step(0, 2, 1);
  });
  [a, b, c].forEach((v, k) => {
    assertSameBits(v.dataSync(), plain[k].value, v.name);
  });
  assert.ok(silent.every((text) => !text.includes('by-name/3')));
});

onEach('nothing leaks in 1,000 steps', () => {
  const w = tf.variable(tf.ones([20, 10]), true, 'leak/w');
  const x = tf.ones([4, 20]);
  const optimizer = tfOptimizer(new Adam({ clipnorm: 1 }));
  const step = () => optimizer.minimize(() => tf.matMul(x, w).square().mean());
  step();
  const { numTensors, numBytes, numDataBuffers } = tf.memory();
  for (let k = 0; k < 1000; k++) step();
  const after = tf.memory();
  assert.deepEqual(
    [after.numTensors, after.numBytes, after.numDataBuffers],
    [numTensors, numBytes, numDataBuffers],
  );
});

onEach('a tidy around a step takes nothing away', () => {
  const w = tf.variable(tf.ones([3]), true, 'tidy/w');
  const optimizer = tfOptimizer(new Adam());
  for (let k = 0; k < 3; k++) tf.tidy(() => optimizer.minimize(() => w.square().sum()));
  assert.equal(w.isDisposed, false);
  assert.ok(w.dataSync().every((v) => v < 1 && v > 0.99));
});

onEach('whoever shares the data of a variable keeps what it had', () => {
  const given = Float32Array.of(1, 2, 3);
  const initial = tf.tensor1d(given);
  const w = tf.variable(initial, true, 'shared/w');
  const optimizer = tfOptimizer(new Adam());
  const step = () => optimizer.minimize(() => w.square().sum());
  step();
  const clone = w.clone();
  const reshaped = w.reshape([3, 1]);
  const then = clone.dataSync().slice();
  step();
  assert.deepEqual([...given], [1, 2, 3]);
  assert.deepEqual([...initial.dataSync()], [1, 2, 3]);
  assertSameBits(clone.dataSync(), then);
  assertSameBits(reshaped.dataSync(), then);
  assert.notDeepEqual([...w.dataSync()], [...then]);
});

onEach('a variable that was assigned goes on from its new value', () => {
  const w = tf.variable(tf.tensor1d([1, 1]), true, 'assigned/w');
  const optimizer = tfOptimizer(new Adam({ learningRate: 0.1 }));
  optimizer.minimize(() => w.square().sum());
  const fresh = tf.tensor1d([7, 8]);
  w.assign(fresh);
  optimizer.minimize(() => w.square().sum());
  assert.ok(
    w.dataSync().every((v, i) => Math.abs(v - (6.9 + i)) < 0.02),
    String(w.dataSync()),
  );
  assert.deepEqual([...fresh.dataSync()], [7, 8]);
});

onEach('rows of a gradient are as good as the dense one they stand for', () => {
  const [rows, dense] = ['rows', 'dense'].map((name) =>
    tf.variable(tf.tensor2d(randomFloats(12, 1), [4, 3]), true, name),
  );
  const optimizer = tfOptimizer(new Adam({ globalClipnorm: 0.1 }));
  const other = tfOptimizer(new Adam({ globalClipnorm: 0.1 }));
  for (let k = 0; k < 3; k++) {
    const values = randomFloats(9, 10 + k);
    const sum = new Float32Array(12);
    values.forEach((v, i) => {
      const at = [2, 0, 2][Math.floor(i / 3)] * 3 + (i % 3);
      sum[at] += v;
    });
    optimizer.applyGradients([{ name: 'rows', tensor: new SparseGradient({ indices: [2, 0, 2], values }) }]);
    other.applyGradients({ dense: tf.tensor2d(sum, [4, 3]) });
    const [a, b] = [rows.dataSync(), dense.dataSync()];
    assert.ok(a.every((v, i) => Math.abs(v - b[i]) <= 1e-6));
  }
});

onEach('what does not fit is refused, and nothing has changed', () => {
  const w = tf.variable(tf.tensor1d([1, 2]), true, 'refused/w');
  const whole = tf.variable(tf.tensor1d([1, 2], 'int32'), true, 'refused/int');
  const optimizer = tfOptimizer(new Adam());
  optimizer.applyGradients({ 'refused/w': tf.tensor1d([1, 1]) });
  const before = w.dataSync().slice();
  const gone = tf.tensor1d([1, 1]);
  gone.dispose();
  for (const [Type, gradients, ...patterns] of [
    [RangeError, { 'refused/w': tf.tensor1d([1, 2, 3]) }, /refused\/w/, /2/, /3/],
    [TypeError, { 'refused/w': tf.tensor1d([1, 2], 'int32') }, /int32/],
    [TypeError, { 'refused/int': tf.tensor1d([1, 2]) }, /int32/, /float32/],
    [TypeError, { 'refused/w': new Float32Array(2) }, /a tensor, .* got a Float32Array of length 2/],
    [TypeError, { 'refused/w': 0 }, /a tensor, .* got number 0/],
    [Error, { 'refused/w': gone }, /disposed/],
    [Error, { nobody: tf.tensor1d([1, 2]) }, /nobody/],
    [RangeError, { 'refused/w': null }, /no gradient/],
    [RangeError, [1, 2].map(() => ({ name: 'refused/w', tensor: tf.tensor1d([1, 1]) })), /twice/],
  ])
    assertRefused(() => optimizer.applyGradients(gradients), Type, ...patterns);
  assert.equal(optimizer.iterations, 1);
  assertSameBits(w.dataSync(), before);
  whole.dispose();
  assertRefused(() => tfOptimizer(tf.train.adam(0.1)), TypeError, /tfOptimizer takes/);
  assertRefused(() => optimizer.optimizer.apply([before], [before]), Error, /adapter/);
  const built = new Adam();
  built.build([new Variable(1)]);
  assertRefused(
    () => tfOptimizer(built).applyGradients({ 'refused/w': tf.tensor1d([1, 1]) }),
    Error,
    /built/,
  );
});

test('a backend that is not known is said once, with what it costs', async () => {
  await tf.setBackend('unheard-of');
  const w = tf.variable(tf.ones([3]));
  const texts = warningsOf(() => {
    for (let k = 0; k < 3; k++) tfOptimizer(new Adam()).minimize(() => w.square().sum());
  });
  assert.ok(texts.length <= 1); // other tests may have had it before
  for (const text of texts) assert.match(text, /unheard-of.*back.*CPU.*upload/s);
});

test('state goes along when the backend is changed', async () => {
  const make = () => tf.variable(tf.tensor1d([1, 2, 3]), true);
  const run = async (...order) => {
    await tf.setBackend(order[0]);
    const w = make();
    const optimizer = tfOptimizer(new Adam({ learningRate: 0.1 }));
    for (const backend of order) {
      await tf.setBackend(backend);
      optimizer.minimize(() => w.sub(5).square().sum(), false, [w]);
    }
    return w.dataSync();
  };
  const expected = await run('cpu', 'cpu', 'cpu', 'cpu', 'cpu');
  assertSameBits(await run('cpu', 'wasm', 'wasm', 'cpu', 'unheard-of'), expected);
});

test('dispose may be called twice, leaves variables alone, and ends the optimizer', async () => {
  await tf.setBackend('wasm');
  const w = tf.variable(tf.ones([3]));
  const optimizer = tfOptimizer(new Adam());
  optimizer.minimize(() => w.square().sum(), false, [w]);
  optimizer.dispose();
  optimizer.dispose();
  assert.equal(w.isDisposed, false);
  assertRefused(() => optimizer.minimize(() => w.square().sum()), Error, /disposed/);
});

test('dispose gives the memory in the heap back', async () => {
  await tf.setBackend('wasm');
  tf.variable(tf.ones([1_000_000]), true, 'heap/w');
  const g = tf.ones([1_000_000]);
  const bytes = () => tf.backend().wasm.HEAPU8.length;
  const once = () => {
    const optimizer = tfOptimizer(new Adam({ amsgrad: true }));
    optimizer.applyGradients({ 'heap/w': g });
    optimizer.dispose();
  };
  once();
  const before = bytes();
  for (let k = 0; k < 30; k++) once();
  assert.ok(bytes() - before <= 16e6, `${bytes() - before} bytes more`);
});

test('two copies of tfjs share one engine, and either is fine', async () => {
  await tf.setBackend('cpu');
  const w = tf.variable(tf.ones([2]));
  const passed = tfOptimizer(new Adam({ learningRate: 0.1 }), { tf });
  const found = tfOptimizer(new Adam({ learningRate: 0.1 }));
  passed.minimize(() => w.square().sum(), false, [w]);
  found.minimize(() => w.square().sum(), false, [w]);
  assert.ok(w.dataSync().every((v) => Math.abs(v - 0.8) < 1e-4));
});

test('the averages can be taken at the end', async () => {
  for (const backend of everywhere) {
    await tf.setBackend(backend);
    const w = tf.variable(tf.tensor1d([1, 2]), true, 'final/w');
    const plain = new Variable([1, 2], { path: 'final/w' });
    const [ours, expected] = [0, 1].map(() => new Adam({ useEma: true, learningRate: 0.5 }));
    const optimizer = tfOptimizer(ours);
    expected.build([plain]);
    for (let t = 0; t < 3; t++) {
      optimizer.applyGradients({ 'final/w': tf.tensor1d(randomFloats(2, t)) });
      expected.apply([randomFloats(2, t)]);
    }
    optimizer.finalizeVariableValues();
    expected.finalizeVariableValues([plain]);
    assertSameBits(w.dataSync(), plain.value, backend);
    for (const next of everywhere) {
      w.assign(tf.tensor1d([8, 9]));
      await tf.setBackend(next);
      assert.throws(() => optimizer.applyGradients({ 'final/w': tf.ones([3]) }), /shape/);
      optimizer.finalizeVariableValues();
      assertSameBits(w.dataSync(), plain.value, `${next} after ${backend}`);
    }
    w.dispose();
  }
});

test("with compat: 'torch' the updates of each variable have no place in tfjs' weights, and are not lost silently", async () => {
  const optimizer = tfOptimizer(new Adam({ compat: 'torch' }));
  const [a, b] = [1, 2].map((x, k) => tf.variable(tf.tensor1d([x, x]), true, `counted/${k}`));
  const given = [a, b].map(({ name }) => ({ name, tensor: tf.tensor1d([1, -1]) }));
  optimizer.applyGradients(given);
  await optimizer.getWeights();
  optimizer.applyGradients(given.slice(1));
  await assert.rejects(optimizer.getWeights(), /made different numbers of updates/);
});
