// Gradients that are more than an array of numbers: missing, zero, scaled, not finite, sparse.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import {
  Adam,
  Adamax,
  AdamW,
  init,
  LossScaleOptimizer,
  SGD,
  SparseGradient,
  Variable,
} from '../../dist/index.js';
import { assertSameBits, randomFloats, warningsOf } from './helpers.mjs';
import { assertSameValues, grads, valuesAfter } from './training.mjs';

before(() => init());

test('a missing gradient is warned of once, and leaves variable, slots and decay alone', () => {
  const variables = [new Variable([1]), new Variable([2], { name: 'unused' })];
  const optimizer = new Adam({ weightDecay: 0.5 });
  const warnings = warningsOf(() => {
    for (let k = 0; k < 3; k++) optimizer.apply([Float32Array.of(1), null], variables);
  });
  assert.equal(warnings.length, 1);
  assert.match(warnings[0], /unused/);
  assert.equal(variables[1].value[0], 2);
  const slots = optimizer.variables.filter(({ path }) => path.includes('unused'));
  assert.equal(slots.length, 2);
  for (const { value } of slots) assertSameBits(value, Float32Array.of(0));
});

test('a zero gradient is not a missing one: it decays the slots and moves by momentum', () => {
  const v = [new Variable([1])];
  const optimizer = new Adam({ learningRate: 0.1 });
  optimizer.apply([Float32Array.of(1)], v);
  const after = v[0].value[0];
  optimizer.apply([Float32Array.of(0)], v);
  assert.ok(v[0].value[0] < after);
});

test('scaleLoss multiplies by the factor that gradients are divided by', () => {
  assert.equal(new Adam().scaleLoss(3), 3);
  assert.equal(new Adam({ lossScaleFactor: 8 }).scaleLoss(3), 24);
  const wrapper = new LossScaleOptimizer(new Adam({ lossScaleFactor: 8 }), { initialScale: 16 });
  assert.equal(wrapper.scaleLoss(3), 48);
  assert.equal(wrapper.innerOptimizer.lossScaleFactor, null); // as in Keras
  wrapper.apply([Float32Array.of(Number.POSITIVE_INFINITY)], [Float32Array.of(1)]);
  assert.equal(wrapper.scaleLoss(3), 24);
});

test('a loss-scaled step with a scale of a power of two is the unscaled step', () => {
  const expected = valuesAfter((o, v) => {
    for (let k = 0; k < 5; k++) o.apply(grads(k), v);
  });
  const got = valuesAfter(
    (o, v) => {
      for (let k = 0; k < 5; k++) {
        const factor = o.scaleLoss(1);
        o.apply(
          grads(k).map((g) => g.map((x) => x * factor)),
          v,
        );
      }
    },
    () => new LossScaleOptimizer(new Adam(), { dynamicGrowthSteps: 2 }),
  );
  assertSameValues(got, expected);
});

test('one element that is not finite, wherever it is, skips the whole loss-scaled step', () => {
  for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
    for (const index of [0, 3, 4, 16383, 16384, 20002]) {
      for (const resident of [true, false]) {
        const w = resident ? new Variable(20003) : new Float32Array(20003);
        const optimizer = new LossScaleOptimizer(new Adam(), { initialScale: 4 });
        const g = new Float32Array(20003).fill(1);
        g[index] = bad;
        optimizer.apply([g], [w]);
        assert.equal(optimizer.iterations, 0);
        assert.ok((resident ? w.value : w).every((x) => x === 0));
        assert.equal(optimizer.scaleLoss(1), 2);
        if (resident) w.dispose();
        optimizer.dispose();
      }
    }
  }
});

test('a sparse gradient is the dense one with zeros, and duplicates are summed', () => {
  const dense = new Float32Array(12);
  dense.set([1, 2, 3], 3);
  dense.set([14, 25, 36], 9);
  const sparse = new SparseGradient({ indices: [3, 1, 3], values: [4, 5, 6, 1, 2, 3, 10, 20, 30] });
  for (const make of [
    () => new Adam({ clipnorm: 1 }),
    () => new Adamax(),
    () => new AdamW({ globalClipnorm: 1 }),
  ]) {
    const step = (g) => {
      const w = new Variable(randomFloats(12, 1), { shape: [4, 3] });
      const optimizer = make();
      for (let k = 0; k < 3; k++) optimizer.apply([g], [w]);
      return w.value.slice();
    };
    assertSameBits(step(sparse), step(dense));
  }
});

test('duplicates are summed in the order in which they came', () => {
  const w = new Variable([0, 0]);
  const g = new SparseGradient({ indices: [1, 0, 1, 1], values: [1e8, 5, -1e8, 1] }); // backwards the sum were 0
  new SGD({ learningRate: 1 }).apply([g], [w]);
  assertSameBits(w.value, [-5, -1]);
});

test('indices that were refilled are looked at again, before anything changes', () => {
  const makers = [
    () => new Adam(),
    () => new Adam({ gradientAccumulationSteps: 2 }),
    () => new Adamax({ legacySparse: true }),
    () => new LossScaleOptimizer(new Adam()),
  ];
  for (const make of makers) {
    const around = Array.from({ length: 4 }, () => new Variable(new Float32Array(8).fill(5)));
    const w = new Variable(new Float32Array(8).fill(1), { shape: [4, 2], path: 'w' });
    const after = new Variable(new Float32Array(8).fill(5));
    const optimizer = make();
    optimizer.build([w]);
    const indices = new Int32Array([2]);
    const g = new SparseGradient({ indices, values: [1, 1] });
    optimizer.apply([g]);
    const before = optimizer.serializeState();
    for (const bad of [-1, -3, -13, 4, 2 ** 31 - 1, -(2 ** 31)]) {
      indices[0] = bad;
      assert.throws(() => optimizer.apply([g]), new RegExp(`'w'.*index ${bad} is not a row`));
    }
    assert.deepEqual(optimizer.serializeState(), before);
    for (const v of [...around, after]) assert.ok(v.value.every((x) => x === 5));
    for (const each of [optimizer, w, after, ...around]) each.dispose();
  }
});

test('legacySparse moves only the rows of a sparse gradient', () => {
  const step = (options) => {
    const w = new Variable(randomFloats(12, 1), { shape: [4, 3] });
    const optimizer = new Adamax({ ...options, learningRate: 0.1 });
    optimizer.apply([randomFloats(12, 2)], [w]);
    const before = w.value.slice();
    optimizer.apply([new SparseGradient({ indices: [2], values: [1, 1, 1] })], [w]);
    return [0, 1, 2, 3].map((row) => w.value[3 * row] !== before[3 * row]);
  };
  assert.deepEqual(step({}), [true, true, true, true]);
  assert.deepEqual(step({ legacySparse: true }), [false, false, true, false]);
});

test('legacySparse over state of bfloat16: the rows are stepped as a variable of them alone', () => {
  const [width, height, given] = [37, 200, [3, 4, 77, 199]]; // an odd width: a row begins at any element
  const stateDtype = { dtype: 'bfloat16', minSize: 0 };
  for (const options of [{}, { clipvalue: 0.3, weightDecay: 0.1 }, { lossScaleFactor: 3 }]) {
    const start = randomFloats(width * height, 1);
    const rowsOf = (x) =>
      Float32Array.from(given.flatMap((row) => [...x.slice(row * width, (row + 1) * width)]));
    const whole = new Variable(start, { shape: [height, width], path: 'whole' });
    const alone = new Variable(rowsOf(start), { path: 'alone' });
    const [legacy, plain] = [true, false].map(
      (legacySparse) => new Adamax({ ...options, stateDtype, legacySparse, learningRate: 0.1 }),
    );
    for (let t = 0; t < 4; t++) {
      const values = randomFloats(width * given.length, 10 + t);
      legacy.apply([new SparseGradient({ indices: given, values })], [whole]);
      plain.apply([values], [alone]);
    }
    const [, , ...found] = legacy.getWeights();
    const [, , ...expected] = plain.getWeights();
    [whole.value, ...found].forEach((values, k) => {
      assertSameBits(rowsOf(values), [alone.value, ...expected][k], `array ${k}`);
    });
    assertSameBits(whole.value.slice(0, 3 * width), start.slice(0, 3 * width));
    assert.ok(found.every((slot) => slot.slice(0, 3 * width).every((x) => x === 0)));
    for (const each of [legacy, plain, whole, alone]) each.dispose();
  }
});

test("with clip: 'rows' a global norm still clips, and sees the sums", () => {
  const clipped = (clip) => {
    const table = new Float32Array(12).fill(1);
    const bias = Float32Array.of(1, 1);
    const optimizer = new Adamax({ globalClipnorm: 0.5, learningRate: 0.1, epsilon: 1 });
    const variables = [new Variable(table, { path: 'table', shape: [4, 3] }), bias];
    const rows = { indices: [2, 0, 2], values: [3, 4, 5, 6, 7, 8, 9, 10, 11] };
    optimizer.apply([new SparseGradient({ ...rows, clip }), Float32Array.of(1, -2)], variables);
    return [variables[0].value.slice(), bias];
  };
  const [table, bias] = clipped('rows');
  const [expected, expectedBias] = clipped('sum');
  assertSameBits(table, expected);
  assertSameBits(bias, expectedBias);
  assert.ok(Math.abs(table[6] - 1) < 0.05, 'the gradient was clipped');
});
