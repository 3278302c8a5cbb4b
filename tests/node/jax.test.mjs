// Our optimizers as gradient transformations of jax-js, on its wasm device: the steps of plain arrays, the state as
// a value like any other, and every reference given up exactly once.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import * as jax from '@jax-js/jax';
import {
  Adam,
  Adamax,
  AdamW,
  Ftrl,
  init,
  Lamb,
  LossScaleOptimizer,
  ScheduleFreeAdamW,
  Variable,
} from '../../dist/index.js';
import { jaxOptimizer } from '../../dist/jax.js';
import { every, stored } from './every.mjs';
import { assertRefused, assertSameBits, randomFloats } from './helpers.mjs';

const { numpy: np, tree } = jax;

before(async () => {
  await init();
  await jax.init('wasm'); // Node 20 has no navigator to look for others with
  jax.defaultDevice('wasm');
});

const shapes = { 'layers/0/w': [5, 3], 'layers/0/b': [3], 'layers/1': [40, 2], scale: [] };
const sizeOf = (shape) => shape.reduce((a, b) => a * b, 1);
const arrays = (seed) =>
  Object.values(shapes).map((shape, k) => np.array(randomFloats(sizeOf(shape), seed + k), { shape }));
/** The same leaves as a tree: { layers: [{ w, b }, x], scale }. */
const asTree = ([w, b, x, scale]) => ({ layers: [{ w, b }, x], scale });
const plain = () =>
  Object.entries(shapes).map(
    ([path, shape], k) => new Variable(randomFloats(sizeOf(shape), k), { path, shape }),
  );
const applyUpdates = (params, updates) => tree.map((p, u) => p.add(u), params, updates);
const values = (params) => tree.leaves(tree.ref(params)).map((leaf) => leaf.dataSync());

function assertClose(got, expected, tolerance, message) {
  got.forEach((x, i) => {
    assert.ok(Math.abs(x - expected[i]) <= tolerance, `${message}: ${x} instead of ${expected[i]}`);
  });
}

const halves = stored.filter(({ options }) => options.stateDtype.dtype === 'bfloat16');
/** Their steps depend on the weights, and come out as a difference, which is rounded. */
const absolute = [AdamW, Ftrl, Lamb, ScheduleFreeAdamW];

for (const [name, make, tolerance] of [
  ...every.map(({ name, Class, options }) => [
    name,
    () => new Class({ ...options, learningRate: 0.01 }),
    absolute.includes(Class) ? 1e-6 : 0,
  ]),
  ['Adam', () => new Adam(), 0],
  ['Adamax with a clip', () => new Adamax({ globalClipnorm: 0.5 }), 0],
  ['state of bfloat16', () => new Adam({ stateDtype: { dtype: 'bfloat16', minSize: 0 } }), 0],
  ['accumulation', () => new Adam({ gradientAccumulationSteps: 2 }), 0],
  ['dynamic loss scaling', () => new LossScaleOptimizer(new Adam(), { dynamicGrowthSteps: 2 }), 0],
  ['decay', () => new AdamW({ weightDecay: 0.1 }), 1e-7], // the difference of two parameters is rounded
  ['averages', () => new Adam({ useEma: true, emaOverwriteFrequency: 2 }), 1e-7],
])
  test(`update gives the steps of plain arrays: ${name}`, () => {
    const solver = jaxOptimizer(make());
    const [variables, expected] = [plain(), make()];
    expected.build(variables);
    let params = asTree(arrays(0));
    let state = solver.init(tree.ref(params));
    for (let t = 1; t <= 5; t++) {
      let updates;
      [updates, state] = solver.update(asTree(arrays(100 * t)), state, tree.ref(params));
      params = applyUpdates(params, updates);
      expected.apply(variables.map(({ size }, k) => randomFloats(size, 100 * t + k)));
      values(params).forEach((got, k) => {
        const message = `${variables[k].path} after ${t} steps`;
        // jax-js adds scalars in double precision, when they are looked at.
        if (tolerance || got.length === 1) assertClose(got, variables[k].value, tolerance || 1e-7, message);
        else assertSameBits(got, variables[k].value, message);
      });
    }
    tree.dispose([params, state]);
    solver.dispose();
  });

for (const [name, make] of [
  ...[...every, ...halves].map(({ name, Class, options }) => [
    name,
    () => new Class({ ...options, learningRate: 0.01 }),
  ]),
  ['averages', () => new Adam({ useEma: true, emaOverwriteFrequency: 2 })],
])
  test(`applyGradients has the bits of plain arrays: ${name}`, () => {
    const solver = jaxOptimizer(make());
    const { applyGradients } = solver;
    const [variables, expected] = [plain(), make()];
    expected.build(variables);
    let params = asTree(arrays(0));
    let state = solver.init(tree.ref(params));
    for (let t = 1; t <= 4; t++) {
      if (t === 3) params.scale = params.scale.add(1); // of the user's own making: read again
      if (t === 3) variables[3].assign([Math.fround(variables[3].value[0] + 1)]);
      [params, state] = applyGradients(asTree(arrays(100 * t)), state, params);
      expected.apply(variables.map(({ size }, k) => randomFloats(size, 100 * t + k)));
      values(params).forEach((got, k) => {
        assertSameBits(got, variables[k].value, `${variables[k].path} after ${t} steps`);
      });
    }
    for (const leaf of tree.leaves(params)) assert.equal(leaf.refCount, 1);
    tree.dispose([params, state]);
    solver.dispose();
  });

test('arrays of no elements take part', () => {
  const solver = jaxOptimizer(new Adam({ learningRate: 0.5 }));
  const tensors = (value) => ({ none: np.zeros([0, 3]), w: np.array([value, value]) });
  let params = tensors(1);
  let state = solver.init(tree.ref(params));
  for (let t = 0; t < 2; t++) [params, state] = solver.applyGradients(tensors(1), state, params);
  assert.deepEqual(params.none.shape, [0, 3]);
  assertClose(params.w.ref.dataSync(), [0, 0], 1e-4, 'w');
  const [updates, last] = solver.update(tensors(1), state);
  assert.deepEqual(updates.none.shape, [0, 3]);
  tree.dispose([params, updates, [...last]]);
});

test('gradients of jax-js, with Optax usage: the loss falls', () => {
  const solver = jaxOptimizer(new Adam({ learningRate: 0.1 }));
  const { init: start, update } = solver; // detached, as chain() calls them
  const loss = (w) => np.sum(np.square(w.sub(3)));
  let w = np.array([0, 1, 2]);
  let state = start(w.ref);
  for (let k = 0; k < 200; k++) {
    let updates;
    [updates, state] = update(jax.grad(loss)(w.ref), state);
    w = applyUpdates(w, updates);
  }
  assertClose(w.dataSync(), [3, 3, 3], 0.01, 'w');
});

for (const options of [{}, { stateDtype: { dtype: 'bfloat16', minSize: 0 } }])
  test(`a state is a value: the same one gives the same step, whatever happened in between ${JSON.stringify(options)}`, () => {
    const solver = jaxOptimizer(new Adamax(options));
    const params = np.array([1, 2, 3]);
    let state = solver.init(params);
    const step = (from, seed) => {
      const [updates, next] = solver.update(np.array(randomFloats(3, seed)), from);
      return [updates.dataSync(), next];
    };
    [, state] = step(state, 1);
    const kept = tree.ref(state);
    const [first, after] = step(state, 2);
    const [, later] = step(after, 3);
    const [again] = step(kept, 2);
    assertSameBits(again, first);
    const fresh = solver.init(np.array([1, 2, 3]));
    const [anew] = step(fresh, 1);
    const other = jaxOptimizer(new Adamax(options));
    const [expected] = other.update(np.array(randomFloats(3, 1)), other.init(np.array([1, 2, 3])));
    assertSameBits(anew, expected.dataSync());
    tree.dispose(later);
  });

test('a state that nobody has looked at stays in the engine, and is a value all the same', () => {
  const solver = jaxOptimizer(new Adam());
  let made = 0;
  Object.defineProperty(solver.optimizer, 'setWeights', {
    value(weights) {
      made++;
      Adam.prototype.setWeights.call(this, weights);
    },
  });
  const grads = (seed) => np.array(randomFloats(3, seed));
  const step = (seed, from) => {
    const [updates, next] = solver.update(grads(seed), from);
    return [updates.dataSync(), next];
  };
  const first = solver.init(np.array([1, 2, 3]));
  assert.ok(Array.isArray(first));
  const [, second] = step(1, first);
  assert.throws(() => first[0], /consumed.*tree.ref/);
  assert.throws(() => step(2, first), /consumed/);
  const [, third] = step(2, second);
  assert.equal(made, 0);
  // Another state is stepped: the one that the engine had is copied out before.
  const other = solver.init(np.array([0, 0, 0]));
  const [, fourth] = step(9, other);
  assert.equal(made, 1);
  const expected = jaxOptimizer(new Adam());
  let its = expected.init(np.array([1, 2, 3]));
  for (const seed of [1, 2]) [, its] = expected.update(grads(seed), its);
  assert.equal(third.length, its.length);
  third.forEach((array, k) => {
    assert.deepEqual(array.ref.dataSync(), its[k].ref.dataSync());
  });
  const [got] = step(3, third);
  assertSameBits(got, expected.update(grads(3), its)[0].dataSync());
  assert.equal(fourth.length, 3);
  tree.dispose(fourth);
});

test('a state outlives the transformation, and a refused call consumes nothing', () => {
  const rate = { fails: false, of: () => (rate.fails ? Number.NaN : 0.1) };
  const solver = jaxOptimizer(new Adam({ learningRate: () => rate.of() }));
  const params = np.array([1, 2, 3]);
  let state = solver.init(params.ref);
  rate.fails = true;
  const grads = np.array([1, 2, 3]);
  assert.throws(() => solver.applyGradients(grads, state, params));
  assert.deepEqual([grads.refCount, params.refCount], [1, 1]);
  rate.fails = false;
  const gone = np.array([1, 2, 3]);
  gone.dispose();
  assert.throws(() => solver.applyGradients(grads, state, gone), /'params' was consumed/);
  assert.throws(() => solver.update(gone, state), /'params' was consumed/);
  const looked = [...state];
  const freed = [looked[0], looked[1].ref, looked[2]];
  freed[1].dispose();
  freed[1].dispose();
  assert.throws(() => solver.update(grads, freed), /momentum' was consumed/);
  state = solver.init(params.ref);
  assert.deepEqual([grads.refCount, params.refCount], [1, 1]);
  const [stepped, next] = solver.applyGradients(grads, state, params);
  state = next;
  assertClose(stepped.dataSync(), [0.9, 1.9, 2.9], 1e-6, 'params');
  solver.dispose();
  assert.equal(state[0].dataSync()[0], 1);
  assertClose(state[1].dataSync(), [0.1, 0.2, 0.3], 1e-6, 'the first moment');
});

test('every reference is given up once, and none that is not ours', () => {
  const solver = jaxOptimizer(new AdamW());
  const params = np.array([1, 2, 3]);
  let state = solver.init(params.ref);
  assert.equal(params.refCount, 1);
  for (let k = 0; k < 3; k++) {
    const grads = np.array([1, 1, 1]);
    const before = [...state];
    const [updates, next] = solver.update(grads.ref, state, params.ref);
    assert.deepEqual([params.refCount, grads.refCount], [1, 1]);
    for (const array of before) assert.throws(() => array.dataSync());
    for (const array of next) assert.equal(array.refCount, 1);
    grads.dispose();
    updates.dispose();
    state = next;
  }
  tree.dispose([params, state]);
});

test('what does not fit is refused before anything is consumed', () => {
  const solver = jaxOptimizer(new Adam());
  const params = { w: np.array([1, 2]), b: np.array([3]) };
  assertRefused(() => solver.update({ w: params.w, b: params.b }, []), Error, /init/);
  const state = solver.init(tree.ref(params));
  const good = () => ({ w: np.array([1, 1]), b: np.array([1]) });
  assertRefused(() => solver.update({ w: np.array([1, 1]) }, state), RangeError, /tree/);
  assertRefused(
    () => solver.update({ ...good(), w: np.array([1, 1, 1]) }, state),
    RangeError,
    /w.*\[2\].*\[3\]/,
  );
  assertRefused(
    () => solver.update({ ...good(), b: np.array([1], { dtype: np.int32 }) }, state),
    TypeError,
    /int32/,
  );
  assertRefused(() => solver.update(good(), state.slice(1)), RangeError, /state/);
  const decaying = jaxOptimizer(new AdamW());
  const its = decaying.init(tree.ref(params));
  assertRefused(() => decaying.update(good(), its), TypeError, /params/);
  for (const array of [params.w, params.b, ...state, ...its]) assert.equal(array.refCount, 1);
  const [updates] = solver.update(good(), state);
  assert.ok(updates.w.dataSync().every((u) => Math.abs(u + 0.001) < 1e-6));
  assertRefused(() => jaxOptimizer({}), TypeError, /jaxOptimizer takes/);
  assertRefused(
    () => jaxOptimizer(new Adam()).init(null),
    TypeError,
    /'params' must be an array .* got null/,
  );
  assert.throws(() => jax.jit((g) => solver.update({ w: g, b: g }, its))(np.array([1, 1])), /jit/);
});

test('a slot that starts as the weights starts as the params of each init', () => {
  const solver = jaxOptimizer(new ScheduleFreeAdamW({ learningRate: 0.1 }));
  const first = solver.init(np.array([1, 2, 3]));
  for (const start of [
    [1, 2, 3],
    [-4, 5, 6],
  ]) {
    const params = np.array(start);
    const [updates, next] = solver.update(np.array([1, -1, 0.5]), solver.init(params.ref), params.ref);
    const [array, expected] = [Float32Array.from(start), new ScheduleFreeAdamW({ learningRate: 0.1 })];
    expected.apply([Float32Array.of(1, -1, 0.5)], [array]);
    assertClose(params.add(updates).dataSync(), array, 1e-6, 'params');
    tree.dispose(next);
  }
  assertRefused(() => solver.update(np.array([1, 1, 1]), first), TypeError, /schedule_free_adamw/);
  tree.dispose(first);
});

test('the learning rate stays settable', () => {
  const solver = jaxOptimizer(new Adam());
  let state = solver.init(np.array([0]));
  let updates;
  solver.optimizer.learningRate = 0.5;
  for (let k = 0; k < 2; k++) [updates, state] = solver.update(np.array([1]), state);
  assertClose(updates.dataSync(), [-0.5], 1e-3, 'update');
});
