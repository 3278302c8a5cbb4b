// Steps that come with the same arrays again, of which the optimizer looks only at what can have changed: they have
// the bits of steps with fresh arrays, and notice whatever has changed in between.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { Adam, Adamax, init, Variable } from '../../dist/index.js';
import {
  assertSameBits,
  assertSameSnapshot,
  randomFloats,
  snapshot,
  valuesOf,
  warningsOf,
} from './helpers.mjs';

before(() => init());

const sizes = [5, 1, 0, 1000, 16384, 1023, 64, 1024, 40000, 3, 900, 17];
const initial = () => sizes.map((n, k) => randomFloats(n, k + 1));
const gradientsAt = (call) => sizes.map((n, k) => randomFloats(n, 100 * call + k + 7));

// What may happen between two calls, by call number. `null` at some place: that variable has no gradient.
const changes = {
  3: (o) => (o.weightDecay = 0.01),
  5: (o) => (o.clipnorm = 0.5),
  7: (o) => (o.learningRate = 0.05),
  9: (o) => (o.clipnorm = null),
  10: (o) => (o.globalClipnorm = 1),
  12: (o) => (o.lossScaleFactor = 3),
};
const missing = { 4: [0, 3], 6: [8], 8: [1, 2, 11] };

/** Runs 14 calls; `listOf` makes the list of gradients of a call from its values. */
function run(options, parameters, listOf) {
  const optimizer = new Adam({ learningRate: 0.1, ...options });
  optimizer.build(parameters);
  for (let call = 0; call < 14; call++) {
    changes[call]?.(optimizer);
    const values = gradientsAt(call);
    for (const k of missing[call] ?? []) values[k] = null;
    optimizer.apply(listOf(values));
  }
  const result = snapshot(optimizer, parameters);
  optimizer.dispose();
  return result;
}

/** The same arrays in every call, in the same list where nothing is missing. */
function kept(arrays, freeze) {
  const whole = freeze ? Object.freeze([...arrays]) : [...arrays];
  return (values) => {
    for (const [k, g] of values.entries()) if (g) arrays[k].set(g);
    return values.includes(null) ? values.map((g, k) => g && arrays[k]) : whole;
  };
}

for (const options of [{}, { useEma: true }, { gradientAccumulationSteps: 2 }, { amsgrad: true }]) {
  test(`the same arrays again are as good as fresh ones: ${JSON.stringify(options)}`, () => {
    warningsOf(() => {
      const expected = run(options, initial(), (values) => values);
      for (const resident of [false, true])
        for (const own of resident ? [false, true] : [false])
          for (const freeze of [false, true]) {
            const parameters = initial().map((w, k) =>
              resident ? new Variable(w, { name: k ? `variable_${k}` : 'variable' }) : w,
            );
            const arrays = sizes.map((n) => new Float32Array(n));
            let list = null; // building may make the memory grow: own gradients are taken at the first call
            const result = run(options, parameters, (values) => {
              list ??= kept(own ? parameters.map((p) => p.gradient) : arrays, freeze);
              return list(values);
            });
            assertSameSnapshot(result, expected);
            if (resident) for (const p of parameters) p.dispose();
          }
    });
  });
}

test('step() notices a gradient that is touched for the first time, and a memory that grows', () => {
  const variables = [3, 4].map((n, k) => new Variable(n, { name: `w${k}` }));
  const optimizer = new Adamax({ learningRate: 1 });
  optimizer.build(variables);
  variables[0].gradient.fill(1);
  warningsOf(() => {
    optimizer.step();
    optimizer.step();
  });
  assert.deepEqual([...variables[1].value], [0, 0, 0, 0]);
  variables[1].gradient.fill(1);
  optimizer.step();
  assert.ok(variables[1].value.every((x) => x < 0));
  const { buffer } = variables[0].value;
  const more = [];
  while (variables[0].value.buffer === buffer) more.push(new Variable(1 << 20));
  const copies = variables.map((v) => v.value.slice());
  optimizer.step();
  for (const [k, v] of variables.entries()) assert.ok(v.value.every((x, i) => x < copies[k][i]));
  for (const each of [optimizer, ...variables, ...more]) each.dispose();
});

test('step() notices a variable that was disposed', () => {
  const variables = ['kept', 'gone'].map((name) => new Variable(3, { name }));
  const optimizer = new Adam();
  optimizer.build(variables);
  for (const v of variables) v.gradient.fill(1);
  optimizer.step();
  variables[1].dispose();
  const before = variables[0].value.slice();
  assert.throws(() => optimizer.step(), /'gone' has been disposed/);
  assertSameBits(variables[0].value, before);
  assert.equal(optimizer.rawIterations, 1);
  for (const each of [optimizer, variables[0]]) each.dispose();
});

test('another gradient in the same list is another gradient', () => {
  const [w, expected] = [new Float32Array(8), new Float32Array(8)];
  const [one, other] = [w, expected].map((array) => {
    const optimizer = new Adam();
    optimizer.build([array]);
    return optimizer;
  });
  const list = [null];
  for (const seed of [1, 1, 2, 3]) {
    list[0] = randomFloats(8, seed);
    one.apply(list);
    other.apply([list[0]]);
  }
  assertSameBits(w, expected);
});

test('an array of the same list whose buffer was transferred is refused, and nothing has changed', () => {
  const lost = {
    "an array's gradient": [false, (_, gradients) => gradients[1], /The gradient of 'variable_1' must have/],
    "a Variable's gradient": [true, (_, gradients) => gradients[1], /The gradient of 'variable_1' must have/],
    'an array': [false, (parameters) => parameters[1], /'variable_1' has been detached/],
  };
  for (const freeze of [false, true])
    for (const size of [8, 5000])
      for (const [what, [resident, which, message]] of Object.entries(lost)) {
        const parameters = [0, 1].map(() => (resident ? new Variable(size) : new Float32Array(size)));
        const gradients = parameters.map(() => new Float32Array(size).fill(1));
        const list = freeze ? Object.freeze([...gradients]) : gradients;
        const optimizer = new Adam();
        optimizer.build(parameters);
        optimizer.apply(list);
        optimizer.apply(list);
        const expected = snapshot(optimizer, [parameters[0]]);
        const { buffer } = which(parameters, gradients);
        structuredClone(buffer, { transfer: [buffer] });
        assert.throws(() => optimizer.apply(list), message, what);
        assertSameSnapshot(snapshot(optimizer, [parameters[0]]), expected);
        for (const each of resident ? [optimizer, ...parameters] : [optimizer]) each.dispose();
      }
});

test('a list of stale views is refused when the memory has grown', () => {
  const variable = new Variable(4, { name: 'w' });
  const optimizer = new Adam();
  optimizer.build([variable]);
  const list = Object.freeze([variable.gradient.fill(1)]);
  optimizer.apply(list);
  const more = [];
  while (list[0].length) more.push(new Variable(1 << 20));
  const before = Float32Array.from(valuesOf(variable));
  assert.throws(() => optimizer.apply(list), /the memory has grown: read it anew/);
  assertSameBits(variable.value, before);
  optimizer.apply([variable.gradient]);
  assert.ok(variable.value.every((x, i) => x < before[i]));
  for (const each of [optimizer, variable, ...more]) each.dispose();
});
