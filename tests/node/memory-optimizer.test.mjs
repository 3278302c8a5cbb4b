// simdescent/memory: optimizers inside a WebAssembly memory of somebody else's, unshared or shared, while it grows.
// What it must give is what the same optimizer gives on variables of its own, bit for bit.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import {
  Adafactor,
  Adam,
  Adamax,
  AdamW,
  init,
  LossScaleOptimizer,
  Muon,
  Nadam,
  ScheduleFreeAdamW,
  Variable,
} from '../../dist/index.js';
import { memoryOptimizer } from '../../dist/memory.js';
import { every, stored } from './every.mjs';
import { library } from './foreign-memory.mjs';
import { assertRefused, assertSameBits, randomFloats } from './helpers.mjs';

before(() => init());

const memories = {
  'without a maximum': () => new WebAssembly.Memory({ initial: 1 }),
  'with a maximum': () => new WebAssembly.Memory({ initial: 1, maximum: 100 }),
  shared: () => new WebAssembly.Memory({ initial: 2, maximum: 4096, shared: true }),
};

const shapes = [[1], [7], [64, 64], [70001]];
const options = {
  Adam: () => new Adam(),
  'Adam with everything': () =>
    new Adam({
      amsgrad: true,
      weightDecay: 0.1,
      clipnorm: 0.5,
      useEma: true,
      emaOverwriteFrequency: 2,
      gradientAccumulationSteps: 3,
      lossScaleFactor: 3,
    }),
  'averages are asked for overwriting and not kept': () =>
    new Adam({ emaOverwriteFrequency: 1, gradientAccumulationSteps: 2 }),
  'AdamW by the global norm': () => new AdamW({ globalClipnorm: 1, lossScaleFactor: 8 }),
  Adamax: () => new Adamax({ clipvalue: 0.2 }),
  'dynamic loss scaling': () => new LossScaleOptimizer(new Adam(), { dynamicGrowthSteps: 2 }),
  'Adafactor by the norm': () => new Adafactor({ clipnorm: 0.5, weightDecay: 0.1, lossScaleFactor: 3 }),
  'Muon with everything': () =>
    new Muon({
      adamWeightDecay: 0.1,
      excludeLayers: ['v0'],
      globalClipnorm: 1,
      useEma: true,
      emaOverwriteFrequency: 2,
      gradientAccumulationSteps: 2,
    }),
};

const sizeOf = (shape) => shape.reduce((a, b) => a * b, 1);

function assertSameAsOwn(make, makeMemory, shapes) {
  const sizes = shapes.map(sizeOf);
  const host = library(makeMemory());
  const [ours, expected] = [memoryOptimizer(make(), host), make()];
  const variables = shapes.map(
    (shape, k) => new Variable(randomFloats(sizes[k], k), { path: `v${k}`, shape }),
  );
  expected.build(variables);
  const places = sizes.map((n, k) => {
    const [weights, gradient] = [host.allocate(4 * n), host.allocate(4 * n)];
    host.floats(weights, n).set(variables[k].value);
    return { name: `v${k}`, shape: shapes[k], weights, gradient };
  });
  const own = host.given.size;
  for (let t = 0; t < 7; t++) {
    const gradients = sizes.map((n, k) => (t === 2 && k === 1 ? null : randomFloats(n, 100 * t + k)));
    gradients.forEach((g, k) => {
      if (g) host.floats(places[k].gradient, sizes[k]).set(g);
    });
    ours.apply(places.map((place, k) => (gradients[k] ? place : { ...place, gradient: null })));
    expected.apply(gradients);
    places.forEach(({ weights }, k) => {
      assertSameBits(host.floats(weights, sizes[k]), variables[k].value, `v${k} after step ${t + 1}`);
    });
  }
  if (!(expected instanceof LossScaleOptimizer)) {
    const { optimizer } = ours;
    const saved = optimizer.serializeState();
    assert.deepEqual(saved, expected.serializeState());
    const weights = optimizer.getWeights();
    assert.deepEqual(weights, expected.getWeights());
    for (const each of [optimizer, expected])
      each.setWeights(weights.map((x) => (typeof x === 'number' ? x : x.map((y) => Math.abs(y) / 3))));
    assert.deepEqual(optimizer.serializeState(), expected.serializeState());
    optimizer.loadState(saved);
    assert.deepEqual(optimizer.serializeState(), saved);
  }
  ours.dispose();
  expected.dispose();
  for (const variable of variables) variable.dispose();
  assert.equal(host.given.size, own, 'everything that was allocated has been freed');
}

for (const [kind, makeMemory] of Object.entries(memories))
  for (const [name, make] of Object.entries(options))
    test(`the bits of variables of our own: ${name}, a memory ${kind}`, () =>
      assertSameAsOwn(make, makeMemory, shapes));

for (const { name, Class, options } of [...every, ...stored])
  test(`the bits of variables of our own: ${name}`, () =>
    assertSameAsOwn(() => new Class(options), memories['without a maximum'], [
      [1],
      [7],
      [100, 41],
      [2, 30, 9],
    ]));

test('what another optimizer has left in the heap, and others have overwritten in part, is not taken for maps of int8', () => {
  const owner = library();
  const sizes = new Map();
  const freed = [];
  const host = {
    memory: owner.memory,
    allocate(bytes) {
      const k = freed.findIndex((address) => sizes.get(address) === bytes);
      const address = k < 0 ? owner.allocate(bytes) : freed.splice(k, 1)[0];
      sizes.set(address, bytes);
      return address;
    },
    free(address) {
      new Uint8Array(owner.memory.buffer, address, sizes.get(address) >> 1).fill(255);
      freed.push(address);
    },
  };
  const n = 600;
  const [weights, gradient] = [owner.allocate(4 * n), owner.allocate(4 * n)];
  const train = () => {
    const ours = memoryOptimizer(new Adam({ stateDtype: { dtype: 'int8', minSize: 0 } }), host);
    owner.floats(weights, n).set(randomFloats(n, 1));
    for (let t = 0; t < 4; t++) {
      owner.floats(gradient, n).set(randomFloats(n, 10 + t));
      ours.apply([{ name: 'w', shape: [n], weights, gradient }]);
    }
    ours.dispose();
    return owner.floats(weights, n).slice();
  };
  const first = train();
  assertSameBits(train(), first);
  assert.ok(freed.length > 0 && sizes.size === freed.length, 'the second one had the blocks of the first');
});

test('a slot that begins as the weights does so where a variable comes in, and stays what is loaded', () => {
  const host = library();
  const make = () => new ScheduleFreeAdamW({ learningRate: 0.1 });
  const [ours, expected] = [memoryOptimizer(make(), host), make()];
  const own = [new Variable([1, -2], { path: 'a' }), new Variable([3], { path: 'b' })];
  expected.build(own);
  const places = own.map(({ path, value }) => {
    const [weights, gradient] = [0, 1].map(() => host.allocate(4 * value.length));
    host.floats(weights, value.length).set(value);
    host.floats(gradient, value.length).fill(0.5);
    return { name: path, shape: [value.length], weights, gradient };
  });
  assertRefused(() => ours.apply([{ ...places[0], gradient: -4 }]), RangeError, /gradient/);
  ours.apply([places[0]]);
  expected.apply([Float32Array.of(0.5, 0.5), null]);
  ours.apply(places);
  expected.apply([Float32Array.of(0.5, 0.5), Float32Array.of(0.5)]);
  const state = ours.optimizer.getWeights();
  expected.getWeights().forEach((value, k) => {
    assert.deepEqual(state[k], value);
  });
  ours.optimizer.setWeights(state.map((x) => (typeof x === 'number' ? x : x.map(() => 0.25))));
  assert.equal(ours.optimizer.variables.at(-4).value[0], 0.25);
  ours.dispose();
});

// With PyTorch's formulas what comes later counts its updates from 1; Nadam's running product goes with the count.
for (const [what, make] of Object.entries({
  Adam: () => new Adam(),
  "Adam, compat: 'torch'": () => new Adam({ compat: 'torch' }),
  "Nadam, compat: 'torch'": () => new Nadam({ compat: 'torch' }),
}))
  test(`arrays may move, and variables may come later: ${what}`, () => {
    const host = library();
    const ours = memoryOptimizer(make(), host);
    const [first, second] = [new Variable([1, 1], { path: 'first' }), new Variable([2], { path: 'second' })];
    const expected = make();
    expected.build([first, second]);
    const place = (name, values) => {
      const [weights, gradient] = [0, 1].map(() => host.allocate(4 * values.length));
      host.floats(weights, values.length).set(values);
      host.floats(gradient, values.length).fill(0.5);
      return { name, shape: [values.length], weights, gradient };
    };
    let a = place('first', [1, 1]);
    const b = place('second', [2]);
    ours.apply([a]);
    expected.apply([Float32Array.of(0.5, 0.5), null]);
    a = place('first', host.floats(a.weights, 2));
    ours.apply([b, a]);
    expected.apply([Float32Array.of(0.5, 0.5), Float32Array.of(0.5)]);
    assertSameBits(host.floats(a.weights, 2), first.value);
    assertSameBits(host.floats(b.weights, 1), second.value);
  });

test('what does not fit is refused, and nothing has changed', () => {
  const host = library();
  const ours = memoryOptimizer(new Adam(), host);
  const weights = host.allocate(8);
  const place = { name: 'w', shape: [2], weights, gradient: host.allocate(8) };
  ours.apply([place]);
  const before = host.floats(weights, 2).slice();
  const end = host.memory.buffer.byteLength;
  for (const [wrong, Type, pattern] of [
    [{ weights: weights + 2 }, RangeError, /weights.*w/],
    [{ weights: end - 4 }, RangeError, /do not lie in the memory/],
    [{ gradient: -4 }, RangeError, /gradient/],
    [{ shape: [3] }, RangeError, /2.*3/],
    [{ gradient: null }, RangeError, /No gradients/],
  ])
    assertRefused(() => ours.apply([{ ...place, ...wrong }]), Type, pattern);
  assertRefused(() => ours.apply([place, place]), RangeError, /twice/);
  assertSameBits(host.floats(weights, 2), before);
  assert.equal(ours.optimizer.iterations, 1);
  assertRefused(() => memoryOptimizer({}, host), TypeError, /optimizer/);
  assertRefused(() => memoryOptimizer(new Adam(), { memory: {} }), TypeError, /host/);
  assertRefused(() => ours.optimizer.apply([new Float32Array(1)]), Error, /adapter/);
});

for (const [Class, wanted] of [
  [Adam, 4],
  [Adafactor, 6],
  [Muon, 5],
])
  test(`an allocator that has nothing left is an error, and what it gave goes back: ${Class.name}`, () => {
    const host = library();
    let left = 0;
    const { allocate } = host;
    const poor = { ...host, allocate: (bytes) => (left-- > 0 ? allocate(bytes) : 0) };
    const ours = memoryOptimizer(new Class(), poor);
    const place = { name: 'w', shape: [2, 1], weights: allocate(8), gradient: allocate(8) };
    const before = host.given.size;
    for (let blocks = 0; blocks < wanted; blocks++) {
      left = blocks;
      assertRefused(() => ours.apply([place]), RangeError, /memory/i);
      assert.equal(host.given.size, before);
    }
    left = wanted;
    ours.apply([place]);
    assert.equal(ours.optimizer.iterations, 1);
  });

for (const [what, give, Type, pattern] of [
  [
    'that is no multiple of 4',
    (address) => address + 2,
    RangeError,
    /allocate\(\d+\) .* 4 divides.* got number \d/,
  ],
  ['beyond the memory', () => 2 ** 24, RangeError, /allocate\(\d+\) .* in its memory.* got number 16777216/],
  ['of another kind', (address) => BigInt(address), RangeError, /allocate\(\d+\) .* got bigint/],
  ['that comes later', async (address) => address, RangeError, /allocate\(\d+\) .* got a Promise/],
  [
    'it throws',
    () => {
      throw new TypeError('the heap is closed');
    },
    TypeError,
    /the heap is closed/,
  ],
])
  test(`an allocator that gives an address ${what}: it is named, and what it gave goes back`, () => {
    const host = library();
    const place = { name: 'w', shape: [9], weights: host.allocate(36), gradient: host.allocate(36) };
    const held = new Set(host.given);
    for (let good = 0; good < 4; good++) {
      let left = good;
      const odd = {
        memory: host.memory,
        allocate: (bytes) => (left-- > 0 ? host.allocate(bytes) : give(host.memory.buffer.byteLength - 100)),
        free: (address) => host.given.has(address) && host.free(address),
      };
      const ours = memoryOptimizer(new Adam(), odd);
      assertRefused(() => ours.apply([place]), Type, pattern);
      assert.equal(ours.optimizer.built, false);
      assert.deepEqual(host.given, held);
    }
  });

test('weights of which one has another within are refused, also where they come to lie there later', () => {
  const host = library();
  const [weights, gradient] = [host.allocate(400), host.allocate(400)];
  const place = (name, at, size = 10) => ({ name, shape: [size], weights: weights + 4 * at, gradient });
  const ours = memoryOptimizer(new Adam(), host);
  const overlap = /the weights of 'a' and 'b' overlap/;
  for (const [at, size] of [
    [0, 10],
    [9, 10],
    [3, 2],
  ])
    assertRefused(() => ours.apply([place('a', 0), place('b', at, size)]), RangeError, overlap);
  assert.equal(ours.optimizer.built, false);
  ours.apply([place('a', 0), place('b', 10)]);
  ours.apply([place('a', 0), place('b', 10)]);
  assertRefused(() => ours.apply([place('a', 1), place('b', 10)]), RangeError, overlap);
  ours.apply([place('b', 10), place('none', 12, 0), place('a', 0)]);
  assert.equal(ours.optimizer.iterations, 3);
  assertRefused(() => ours.apply([]), RangeError, /no gradient/);
});

test('an optimizer is for one memory', () => {
  const [host, other] = [library(), library()];
  const optimizer = new Adam();
  const [first, second] = [host, other].map((each) => memoryOptimizer(optimizer, each));
  const [w, v] = [host, other].map((each) => ({
    name: 'w',
    shape: [4],
    weights: each.allocate(16),
    gradient: each.allocate(16),
  }));
  first.apply([w]);
  assertRefused(() => second.apply([v]), Error, /a fresh one/);
  first.apply([w]);
  assert.equal(optimizer.iterations, 2);
  assert.equal(other.given.size, 2);
});

test('places that are none are refused, in words, and nothing is made', () => {
  const memory = new WebAssembly.Memory({ initial: 4 });
  let held = 0;
  let at = 1024;
  const host = {
    memory,
    allocate(bytes) {
      held++;
      at += (bytes + 15) & ~15;
      return at - ((bytes + 15) & ~15);
    },
    free() {
      held--;
    },
  };
  const ours = memoryOptimizer(new Adam(), host);
  const good = { name: 'w', shape: [4], weights: 64, gradient: 128 };
  const without = (key) => Object.fromEntries(Object.entries(good).filter(([name]) => name !== key));
  const bad = [null, undefined, 4, {}, [null], [4], [{ ...good, shape: '4' }], [{ ...good, weights: '64' }]];
  bad.push(...Object.keys(good).map((key) => [without(key)]));
  for (const places of bad)
    assert.throws(() => ours.apply(places), { name: 'TypeError', message: /^memoryOptimizer: apply/ });
  assert.deepEqual([held, ours.optimizer.built], [0, false]);
  ours.apply([good]);
  ours.dispose();
  assert.equal(held, 0);
});

test('a gradient that overlaps weights counts as it is before the step', () => {
  const memory = new WebAssembly.Memory({ initial: 16 });
  const floats = new Float32Array(memory.buffer);
  const size = 1000;
  const [a, b] = [4096, 4096 + 4 * size];
  let at = 65536;
  const host = {
    memory,
    allocate(bytes) {
      at += (bytes + 15) & ~15;
      return at - ((bytes + 15) & ~15);
    },
    free() {},
  };
  const values = randomFloats(2 * size, 1);
  floats.set(values, a / 4);
  const ours = memoryOptimizer(new Adam({ learningRate: 0.1, clipnorm: 1 }), host);
  const [u, v] = [values.slice(0, size), values.slice(size)];
  const plain = new Adam({ learningRate: 0.1, clipnorm: 1 });
  plain.build([u, v]);
  const both = () => Float32Array.of(...u, ...v);
  for (const [first, second] of [
    [b, a],
    [a, b],
    [a + 40, a + 2000],
  ]) {
    const [g, h] = [first, second].map((address) =>
      both().slice((address - a) / 4, (address - a) / 4 + size),
    );
    ours.apply([
      { name: 'a', shape: [size], weights: a, gradient: first },
      { name: 'b', shape: [size], weights: b, gradient: second },
    ]);
    plain.apply([g, h]);
    assertSameBits(floats.slice(a / 4, a / 4 + 2 * size), both());
  }
});

test('the report of the last update stays while variables come, and where a call that brings some is refused', () => {
  for (const { Class, options } of every)
    for (const monitor of [{ every: 2 }, { every: 2, perVariable: true }]) {
      const host = library();
      const ours = memoryOptimizer(new Class({ ...options, monitor }), host);
      const { optimizer } = ours;
      const places = [[9], [4, 5], [300]].map((shape, k) => {
        const size = sizeOf(shape);
        const [weights, gradient] = [0, 1].map(() => host.allocate(4 * size));
        host.floats(weights, size).set(randomFloats(size, k));
        host.floats(gradient, size).set(randomFloats(size, 10 + k));
        return { name: `v${k}`, shape, weights, gradient };
      });
      for (let t = 0; t < 2; t++) ours.apply(places.slice(0, 2));
      const { report } = optimizer;
      assert.equal(report.iteration, 2);
      const brings = [{ ...places[0], gradient: 2 }, places[1], places[2]];
      assertRefused(() => ours.apply(brings), RangeError, /gradient of 'v0'/);
      assert.deepEqual(optimizer.report, report);
      ours.apply(places);
      assert.deepEqual(optimizer.report, report);
      ours.apply(places);
      assert.deepEqual([optimizer.report.iteration, optimizer.report.size], [4, 329]);
      ours.dispose();
    }
});
