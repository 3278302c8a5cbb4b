// Constraints that cannot be kept: one of the user's own that throws or gives nonsense, an axis that is not there.
// What the built-in ones compute is held by the recorded vectors.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { Adam, constraints, init, Variable } from '../../dist/index.js';
import { assertRefused, assertSameBits, assertSameSnapshot, randomFloats, snapshot } from './helpers.mjs';

before(() => init());

test('a function of one’s own is applied after every update, to a copy, with the shape', () => {
  const seen = [];
  let copy;
  const constraint = (values, shape) => {
    seen.push([...shape]);
    copy = values.fill(9);
    return [1, 2, 3, 4];
  };
  const w = new Variable([5, 6, 7, 8], { shape: [2, 2], constraint });
  const optimizer = new Adam();
  for (let k = 0; k < 2; k++) optimizer.apply([randomFloats(4, k)], [w]);
  assert.deepEqual(seen, [
    [2, 2],
    [2, 2],
  ]);
  copy.fill(9); // also afterwards it is nobody's
  assertSameBits(w.value, Float32Array.of(1, 2, 3, 4));
});

test('axes of a norm: neighbours, in any order, from the front or from the end', () => {
  const shape = [2, 3, 4];
  const project = (axis) => {
    const w = new Variable(randomFloats(24, 1), { shape, constraint: new constraints.UnitNorm({ axis }) });
    new Adam({ learningRate: 0 }).apply([new Float32Array(24)], [w]);
    return w.value.slice();
  };
  for (const same of [
    [0, -3, [0]],
    [2, -1],
    [
      [0, 1],
      [1, 0],
      [-3, -2],
      [-2, 0],
    ],
    [
      [0, 1, 2],
      [-1, 0, 1],
    ],
  ]) {
    const [expected, ...others] = same.map(project);
    for (const [k, got] of others.entries()) assertSameBits(got, expected, `axis ${same[k + 1]}`);
  }
  const norms = [0, 1, 2, 3].map((k) => Math.hypot(...project([0, 1]).filter((_, i) => i % 4 === k)));
  for (const norm of norms) assert.ok(Math.abs(norm - 1) < 1e-6, `${norm}`);
  for (const axis of [3, -4, [0, 2], [1, 1], [0, 3]])
    assertRefused(() => project(axis), RangeError, /UnitNorm: axis/, /neighbouring axes/, /\[2,3,4\]/);
});

test('a constraint that throws leaves everything as it was', () => {
  let calls = 0;
  const constraint = (values) => {
    calls++;
    if (calls > 1) throw new Error('the user’s own error');
    return values.fill(7);
  };
  const variables = [new Variable([1, 2]), new Variable([3, 4], { name: 'bounded', constraint })];
  const optimizer = new Adam({ useEma: true });
  optimizer.apply([randomFloats(2, 1), randomFloats(2, 2)], variables);
  const before = snapshot(optimizer, variables);
  assertRefused(
    () => optimizer.apply([randomFloats(2, 3), randomFloats(2, 4)], variables),
    Error,
    /the user’s own error/,
  );
  assertSameSnapshot(snapshot(optimizer, variables), before);
});

test('a constraint that gives no array of the same size is refused and leaves everything as it was', () => {
  for (const bad of [undefined, 5, 'values', new Float32Array(3)]) {
    let answer = (values) => values;
    const constraint = (values) => answer(values);
    const variables = [new Variable([3, 4], { name: 'bounded', constraint })];
    const optimizer = new Adam();
    optimizer.apply([randomFloats(2, 1)], variables);
    const before = snapshot(optimizer, variables);
    answer = () => bad;
    assert.throws(() => optimizer.apply([randomFloats(2, 2)], variables), /constraint/);
    assertSameSnapshot(snapshot(optimizer, variables), before);
  }
});

test('a constraint over an axis that the variable does not have is refused before anything is stepped', () => {
  const constraint = { class_name: 'MaxNorm', config: { axis: 1 } };
  assert.throws(() => {
    const w = new Variable(6, { name: 'w', constraint });
    const optimizer = new Adam();
    try {
      optimizer.apply([randomFloats(6, 1)], [w]);
    } finally {
      assertSameBits(w.value, new Float32Array(6));
      assert.equal(optimizer.iterations, 0);
    }
  }, /MaxNorm.*axis/s);
});

test('a norm that overflows: MinMaxNorm gives NaN at every rate, as in Keras (0 * Inf); MaxNorm gives zeros', () => {
  const huge = () => new Variable([3e38, 3e38], { constraint: new constraints.MaxNorm({ maxValue: 1 }) });
  const step = (variable) => {
    new Adam({ learningRate: 0 }).apply([new Float32Array(2)], [variable]);
    return [...variable.value];
  };
  assert.deepEqual(step(huge()), [0, 0]);
  for (const rate of [1, 0.5]) {
    const constraint = new constraints.MinMaxNorm({ maxValue: 1, rate });
    assert.ok(step(new Variable([3e38, 3e38], { constraint })).every(Number.isNaN), `rate ${rate}`);
  }
  assert.deepEqual(
    step(new Variable([3, 4], { constraint: new constraints.MinMaxNorm() })).map(Math.fround),
    [
      Math.fround(3 * Math.fround(1 / Math.fround(5 + 1e-7))),
      Math.fround(4 * Math.fround(1 / Math.fround(5 + 1e-7))),
    ],
  );
});
