// Arrays of users in every disguise: views of what a step writes, subclasses with methods of their own, arrays of
// another realm, live views handed back. Whatever they are, the result is that of copies, bit for bit.
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { runInNewContext } from 'node:vm';
import { Adam, Adamax, AdamW, init, LossScaleOptimizer, SparseGradient, Variable } from '../../dist/index.js';
import { assertRefused, assertSameBits, generator, randomFloats, valuesOf } from './helpers.mjs';

before(() => init());

/** Every method that a step might be tempted to call is the user's own, and the constructor takes other arguments. */
class Matrix extends Float32Array {
  constructor(rows, columns) {
    if (typeof columns !== 'number') throw new TypeError('Matrix takes rows and columns');
    super(rows * columns);
  }
}
for (const name of ['set', 'subarray', 'slice', 'map', 'fill', 'at', 'values', 'keys', 'every', 'find'])
  Matrix.prototype[name] = () => assert.fail(`${name} of the user's own class was called`);
Matrix.prototype[Symbol.iterator] = Matrix.prototype.values;
for (const name of ['length', 'buffer', 'byteOffset', 'byteLength'])
  Object.defineProperty(Matrix.prototype, name, {
    get: () => assert.fail(`${name} of the user's own class`),
  });

const elements = (array) => new Float32Array(array);
function matrixOf(values) {
  const matrix = new Matrix(1, values.length);
  values.forEach((x, i) => {
    matrix[i] = x;
  });
  return matrix;
}

/** As in an iframe. */
const foreign = (values) => runInNewContext('Float32Array.from(values)', { values: [...values] });

const disguises = { 'a subclass': matrixOf, 'another realm': foreign };
const sizes = [1, 7, 64, 1023, 1024, 4097, 16384, 40_000];

describe('arrays of', () => {
  for (const [what, disguise] of Object.entries(disguises)) {
    test(`${what} are the numbers in them`, () => {
      for (const size of sizes) {
        for (const kind of [(x) => x, (x) => new Variable(x)]) {
          const values = randomFloats(size, size);
          const gradients = [1, 2, 3].map((k) => randomFloats(size, size + k));
          const expected = kind(values.slice());
          const got = kind(disguise(values));
          for (const [w, wrap] of [
            [expected, (g) => g],
            [got, disguise],
          ]) {
            const optimizer = new Adam({ clipnorm: 1, learningRate: 0.1 });
            optimizer.build([w]);
            for (const g of gradients) optimizer.apply([wrap(g)], [w]);
            optimizer.setWeights(optimizer.getWeights().map((x) => (typeof x === 'number' ? x : wrap(x))));
            optimizer.apply([wrap(gradients[0])]);
            optimizer.updateStep(wrap(gradients[1]), w, 0.1);
            optimizer.dispose();
          }
          const read = (w) => (w instanceof Variable ? w.value : elements(w));
          assertSameBits(read(got), read(expected), `${size} elements`);
          if (got instanceof Variable) {
            got.assign(disguise(values));
            assertSameBits(got.value, values);
          }
        }
      }
    });
    test(`${what} fill a SparseGradient, a state and a stateless step`, () => {
      const table = new Variable(randomFloats(40, 1), { shape: [10, 4] });
      const optimizer = new Adam();
      optimizer.build([table]);
      const values = randomFloats(8, 2);
      const [weights, state] = [table.value.slice(), optimizer.getWeights()];
      optimizer.apply([new SparseGradient({ indices: [3, 7], values: disguise(values) })]);
      const stepped = table.value.slice();
      table.assign(weights);
      optimizer.setWeights(state);
      optimizer.apply([new SparseGradient({ indices: [3, 7], values })]);
      assertSameBits(stepped, table.value);
      const dense = randomFloats(40, 3);
      const wrapped = (list) => list.map((x) => (typeof x === 'number' ? x : disguise(x)));
      const [[plainly]] = optimizer.statelessApply(optimizer.getWeights(), [dense], [table.value]);
      const [[disguised]] = optimizer.statelessApply(
        wrapped(optimizer.getWeights()),
        [disguise(dense)],
        [disguise(table.value)],
      );
      assertSameBits(disguised, plainly);
    });
  }
});

const options = [
  { clipnorm: 0.5 },
  { globalClipnorm: 0.5, weightDecay: 0.1 },
  { useEma: true, emaOverwriteFrequency: 2 },
  { gradientAccumulationSteps: 2, clipvalue: 0.3 },
  { lossScaleFactor: 3 },
];

/** A model of Variables, plain arrays and parts of one flat array, and its twin with the same numbers. */
function twins(random) {
  const count = 2 + Math.floor(random() * 4);
  const size = sizes[Math.floor(random() * sizes.length)];
  const kinds = Array.from({ length: count }, () => Math.floor(random() * 3));
  const seed = Math.floor(random() * 1e6);
  const model = () => {
    const flat = randomFloats(size * count, seed);
    return kinds.map((kind, k) => {
      const part = flat.subarray(k * size, (k + 1) * size);
      if (kind === 0) return new Variable(part, { name: `v${k}` });
      return kind === 1 ? part.slice() : part;
    });
  };
  return { size, models: [model(), model()] };
}

/** A gradient that may be, or overlap, anything that the step writes or reads. */
function pick(random, variables, optimizer, size) {
  const variable = variables[Math.floor(random() * variables.length)];
  const values = valuesOf(variable);
  const choice = random();
  if (choice < 0.3) return values;
  if (choice < 0.4 && variable instanceof Variable) return variable.gradient;
  if (choice < 0.55) {
    const states = optimizer.variables.map(({ value }) => value).filter((x) => x.length === size);
    if (states.length) return states[Math.floor(random() * states.length)];
  }
  if (choice < 0.75 && values.buffer.byteLength > 4 * size && values.byteOffset >= 4)
    return new Float32Array(values.buffer, values.byteOffset - 4, size); // one float before
  if (choice < 0.85) return new Float32Array(values.buffer, values.byteOffset, size); // another object, same bytes
  return randomFloats(size, Math.floor(random() * 1e6));
}

test('gradients that are views of what a step writes count as they were before it', () => {
  let aliased = 0;
  for (let seed = 0; seed < 150; seed++) {
    const random = generator(seed);
    const { size, models } = twins(random);
    const config = options[seed % options.length];
    const Kind = [Adam, Adamax, AdamW][seed % 3];
    const [live, copied] = models.map((variables) => {
      let optimizer = new Kind({ ...config, learningRate: 0.1 });
      if (seed % 7 === 0 && !config.lossScaleFactor)
        optimizer = new LossScaleOptimizer(optimizer, { initialScale: 2, dynamicGrowthSteps: 2 });
      optimizer.build(variables);
      return { optimizer, variables };
    });
    let grads;
    for (let step = 0; step < 4; step++) {
      if (step % 2 === 0)
        grads = live.variables.map(() => pick(random, live.variables, live.optimizer, size));
      if (step === 2) Object.freeze(grads);
      const before = grads.map((g) => g.slice());
      aliased += grads.some((g) => live.variables.some((v) => valuesOf(v).buffer === g.buffer)) ? 1 : 0;
      live.optimizer.apply(grads);
      copied.optimizer.apply(before);
      const one = pick(random, live.variables, live.optimizer, size);
      const alone = one.slice();
      const at = Math.floor(random() * live.variables.length);
      live.optimizer.updateStep(one, live.variables[at], 0.1);
      copied.optimizer.updateStep(alone, copied.variables[at], 0.1);
      live.variables.forEach((variable, k) => {
        assertSameBits(
          valuesOf(variable),
          valuesOf(copied.variables[k]),
          `seed ${seed} step ${step} of ${k}`,
        );
      });
    }
    for (const { optimizer, variables } of [live, copied]) {
      optimizer.dispose();
      for (const v of variables) if (v instanceof Variable) v.dispose();
    }
  }
  assert.ok(aliased > 200, `only ${aliased} steps had such gradients`);
});

test('live views handed back are all read before any is written', () => {
  const make = () => [new Variable([1, 2], { name: 'a' }), new Variable([3, 4], { name: 'b' })];
  const grads = [Float32Array.of(1, -2), Float32Array.of(3, 4)];
  const [a, b] = [make(), make()];
  const [one, other] = [a, b].map((variables) => {
    const optimizer = new Adam({ learningRate: 0.1 });
    optimizer.build(variables);
    optimizer.apply(grads);
    return optimizer;
  });
  const swapped = (list) => [list[0], list[1], list[4], list[5], list[2], list[3]];
  one.setWeights(swapped(one.variables));
  other.setWeights(swapped(other.getWeights()));
  assert.deepEqual(one.getWeights(), other.getWeights());
  const copies = [b[1].value.slice(), b[0].value.slice()];
  const expected = other.statelessApply(swapped(other.getWeights()), copies, copies);
  const views = [a[1].value, a[0].value];
  assert.deepEqual(one.statelessApply(swapped(one.variables), views, views), expected);
  const arrays = [Float32Array.of(1, 2), Float32Array.of(3, 4)];
  const plain = new Adam({ learningRate: 0.1 });
  plain.build(arrays);
  const reversed = [arrays[1], arrays[0]];
  const [got] = plain.statelessApply(plain.getWeights(), grads, reversed);
  const [known] = plain.statelessApply(plain.getWeights(), grads, [
    Float32Array.of(3, 4),
    Float32Array.of(1, 2),
  ]);
  assert.deepEqual(got, known);
});

test('numbers whose second reading throws, or differs, are read once', () => {
  const optimizer = new Adam();
  const v = new Variable(2);
  optimizer.build([v]);
  const once = () => {
    let reads = 0;
    const list = [0, 5];
    Object.defineProperty(list, 0, {
      enumerable: true,
      get: () => (reads++ === 0 ? 7 : assert.fail('read twice')),
    });
    return list;
  };
  optimizer.setWeights([3, 0.5, once(), once()]);
  assert.deepEqual([...optimizer.variables[3].value], [7, 5]);
  v.assign(once());
  assert.deepEqual([...v.value], [7, 5]);
  assert.deepEqual([...new Variable(once()).value], [7, 5]);
  const sparse = new SparseGradient({ indices: once().map(() => 0), values: once() });
  assert.deepEqual([...sparse.values], [7, 5]);
});

test('holes and strings in lists of numbers are refused, and nothing has changed', () => {
  const optimizer = new Adam();
  const v = new Variable([1, 2]);
  optimizer.build([v]);
  // biome-ignore lint/suspicious/noSparseArray: that is what is tested
  for (const bad of [[1, , 2].slice(0, 2), ['1', 2], [1n, 2], [null, 2]]) {
    const before = optimizer.getWeights();
    assertRefused(
      () => optimizer.setWeights([0, 0.1, new Float32Array(2), bad]),
      TypeError,
      /velocity/,
      /numbers/,
    );
    assertRefused(() => v.assign(bad), TypeError, /numbers/);
    assertRefused(() => new Variable(bad), TypeError, /numbers/);
    assertRefused(() => new SparseGradient({ indices: [0, 1], values: bad }), TypeError, /values/);
    assertRefused(() => optimizer.statelessApply(before, [new Float32Array(2)], [bad]), TypeError, /numbers/);
    assert.deepEqual(optimizer.getWeights(), before);
    assert.deepEqual([...v.value], [1, 2]);
  }
  // biome-ignore lint/suspicious/noSparseArray: that is what is tested
  assertRefused(() => new SparseGradient({ indices: [0, , 1], values: [1, 2, 3] }), RangeError, /undefined/);
  // biome-ignore lint/suspicious/noSparseArray: that is what is tested
  assertRefused(() => new Variable([1, 2], { shape: [, 2] }), TypeError, /shape/);
});
