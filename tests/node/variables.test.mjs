// Variables: where their numbers lie, and that they stay there while the engine's memory grows and shrinks.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { Adam, init, Variable } from '../../dist/index.js';
import { assertRefused, assertSameBits, randomFloats, runModule } from './helpers.mjs';

before(() => init());

/** Makes variables until the memory has grown; they are given back by the caller. */
function grow(witness) {
  const before = witness.value.buffer.byteLength;
  const made = [];
  while (witness.value.buffer.byteLength === before) {
    assert.ok(made.length < 128, 'the memory did not grow');
    made.push(new Variable(2_000_000));
  }
  return made;
}

test('value is the variable, also after the memory has grown', () => {
  const numbers = randomFloats(1001, 1);
  const v = new Variable(numbers);
  const old = v.value;
  const made = grow(v);
  assert.equal(old.length, 0, 'the old view is detached, so this test has seen a growth');
  assertSameBits(v.value, numbers);
  v.value[1000] = 42;
  assert.equal(v.value[1000], 42);
  for (const each of [v, ...made]) each.dispose();
});

test('gradient is the same buffer before and after the memory has grown', () => {
  const v = new Variable(7);
  assertSameBits(v.gradient, new Float32Array(7));
  const numbers = randomFloats(7, 2);
  v.gradient.set(numbers);
  const made = grow(v);
  assertSameBits(v.gradient, numbers);
  for (const each of [v, ...made]) each.dispose();
});

test('value is right immediately after an allocation that is larger than the memory was', () => {
  const v = new Variable(1);
  const length = v.value.buffer.byteLength / 4 + 1000;
  const big = new Variable(length);
  assert.equal(big.value.length, length);
  assert.equal(big.value[length - 1], 0);
  big.value[length - 1] = 3;
  assert.equal(big.value[length - 1], 3);
  v.dispose();
  big.dispose();
});

test('a step works when building it makes the memory grow, also from views taken before', () => {
  const witness = new Variable(1);
  const grown = () => witness.value.buffer.byteLength;
  for (const resident of [false, true]) {
    const w = new Variable(2_000_000);
    w.gradient.fill(1);
    const before = grown();
    const optimizers = [];
    while (grown() === before) {
      assert.ok(optimizers.length < 64, 'the memory did not grow');
      const optimizer = new Adam({ amsgrad: true, useEma: true });
      optimizers.push(optimizer);
      w.value.fill(0);
      optimizer.apply([resident ? w.gradient : new Float32Array(w.size).fill(1)], [w]);
      assert.ok(w.value.every((x) => Math.abs(x + 0.001) < 1e-6));
    }
    for (const each of [...optimizers, w]) each.dispose();
  }
  witness.dispose();
});

/** How a step fares after `fill` small variables have been made; without a number, how many make the memory grow. */
const fillAndStep = (fill = 'Infinity') => `
  import { Adam, Variable, init } from './dist/index.js';
  await init();
  const variables = Array.from({ length: 3000 }, (_, i) => new Variable([1], { name: 'w' + i }));
  const gradients = variables.map(() => Float32Array.of(1));
  const optimizer = new Adam({ globalClipnorm: 1, learningRate: 0.1 });
  optimizer.build(variables);
  const bytes = () => variables[0].value.buffer.byteLength;
  const before = bytes();
  const kept = [];
  while (kept.length < ${fill} && bytes() === before) kept.push(new Variable(256));
  if (bytes() !== before) console.log(kept.length);
  else {
    optimizer.apply(gradients);
    console.log(variables.every((v) => Math.abs(v.value[0] - 0.9) < 1e-3));
  }
`;

test('a step that has to make the memory grow for itself steps every variable', () => {
  const enough = Number(runModule(fillAndStep()));
  for (const left of [1, 2, 4, 16]) {
    assert.equal(runModule(fillAndStep(enough - left)), 'true', `${left} small variables before the growth`);
  }
});

test('memory that was given back is used again', () => {
  const witness = new Variable(1);
  new Variable(1_000_000).dispose();
  const bytes = witness.value.buffer.byteLength;
  for (let i = 0; i < 100; i++) {
    const v = new Variable(1_000_000);
    v.gradient[0] = 1;
    const optimizer = new Adam();
    optimizer.apply([v.gradient], [v]);
    optimizer.dispose();
    v.dispose();
  }
  const grown = witness.value.buffer.byteLength - bytes;
  assert.ok(grown <= 64 * 1_000_000, `${grown} bytes more after 100 rounds of 16 MB`);
  witness.dispose();
});

test('a variable is made of a Float32Array, of numbers, or of a length, and copies what it is given', () => {
  const numbers = Float32Array.of(1, -0, Number.NaN, Number.POSITIVE_INFINITY, 1e-45);
  const v = new Variable(numbers);
  assertSameBits(v.value, numbers);
  numbers[0] = 9;
  assert.equal(v.value[0], 1);
  assertSameBits(new Variable([1.5, 2]).value, Float32Array.of(1.5, 2));
  assertSameBits(new Variable(3).value, new Float32Array(3));
  assert.equal(new Variable(0).value.length, 0);
});

test('name, path and shape have their defaults', () => {
  const described = (v) => [v.name, v.path, [...v.shape], v.size, v.placement];
  const named = new Variable(6, { path: 'dense/kernel', shape: [2, 3] });
  assert.deepEqual(described(named), ['kernel', 'dense/kernel', [2, 3], 6, 'wasm']);
  assert.deepEqual(described(new Variable(2, { name: 'bias' })), ['bias', 'bias', [2], 2, 'wasm']);
  const both = new Variable(1, { name: 'w', path: 'a/b', shape: [] });
  assert.deepEqual(described(both), ['w', 'a/b', [], 1, 'wasm']);
});

test('value, gradient and placement cannot be replaced', () => {
  const v = new Variable(1);
  for (const key of ['value', 'gradient', 'placement']) {
    assert.throws(() => {
      v[key] = 1;
    }, TypeError);
  }
});

test('a variable can be made of the view of another one, also when that makes the memory grow', () => {
  const printed = runModule(`
    import { Variable, init } from './dist/index.js';
    await init();
    const v = new Variable(Array.from({ length: 1000 }, (_, i) => i));
    const bytes = () => v.value.buffer.byteLength;
    const before = bytes();
    let right = true;
    for (let k = 0; k < 100_000 && bytes() === before; k++) {
      const copy = new Variable(v.value);
      right &&= copy.value.every((x, i) => x === i);
    }
    console.log(right, bytes() > before);
  `);
  assert.equal(printed, 'true true');
});

test('assign takes arrays of the same size and nothing else', () => {
  const v = new Variable([1, 2, 3]);
  v.assign([4, 5, 6]);
  v.assign(v.value.subarray().map((x) => x + 1));
  assertSameBits(v.value, Float32Array.of(5, 6, 7));
  assertRefused(() => v.assign([1, 2]), RangeError, /2/, /3/);
  assertRefused(() => v.assign(new Float32Array(4)), RangeError, /4/, /3/);
  assertRefused(() => v.assign(new Float64Array(3)), TypeError, /Float64Array/);
  assertRefused(() => v.assign('abc'), TypeError, /string|abc/);
  assertRefused(() => v.assign(undefined), TypeError, /undefined/);
  assertSameBits(v.value, Float32Array.of(5, 6, 7));
});

test('read gives a copy', async () => {
  const v = new Variable([1, 2]);
  const copy = await v.read();
  assertSameBits(copy, v.value);
  copy[0] = 9;
  assert.equal(v.value[0], 1);
});

test('what a variable cannot be made of is refused', () => {
  assertRefused(() => new Variable(new Float64Array(2)), TypeError, /Float64Array/, /Float32Array/);
  assertRefused(() => new Variable('1'), TypeError, /string|"1"|'1'/);
  assertRefused(() => new Variable(), TypeError, /undefined/);
  assertRefused(() => new Variable(-1), RangeError, /-1/);
  assertRefused(() => new Variable(1.5), RangeError, /1\.5/);
  assertRefused(() => new Variable(['1']), TypeError, /values/);
  assertRefused(() => new Variable(6, { shape: [2, 2] }), RangeError, /shape/, /6|4/);
  assertRefused(() => new Variable(1, { nmae: 'w' }), TypeError, /nmae/, /name/);
});

test('dispose may be called twice, and Symbol.dispose is the same', () => {
  const v = new Variable(3);
  v.dispose();
  v.dispose();
  const w = new Variable(3);
  w[Symbol.dispose]();
  w[Symbol.dispose]();
  const optimizer = new Adam();
  optimizer.dispose();
  optimizer[Symbol.dispose]();
});

test('a disposed variable refuses to be used, and says which it is', async () => {
  const v = new Variable(3, { name: 'gone' });
  v.dispose();
  assertRefused(() => v.value, Error, /gone/, /disposed/);
  assertRefused(() => v.gradient, Error, /gone/, /disposed/);
  assertRefused(() => v.assign([1, 2, 3]), Error, /gone/, /disposed/);
  await assert.rejects(v.read(), /gone.*disposed|disposed.*gone/);
});

test('a variable outlives its optimizer and may serve several', () => {
  const w = new Variable([1]);
  const gradient = Float32Array.of(1);
  const [first, second] = [new Adam({ learningRate: 0.1 }), new Adam({ learningRate: 0.1 })];
  first.apply([gradient], [w]);
  second.apply([gradient], [w]);
  first.dispose();
  second.apply([gradient], [w]);
  assert.ok(Math.abs(w.value[0] - 0.7) < 1e-5);
});
