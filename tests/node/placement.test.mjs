// Where parameters and gradients lie must not show in the numbers: in the engine, in plain arrays, in a mixture,
// at every size round the widths of the loops and the tiles, and at every address.
import { before, test } from 'node:test';
import { Adafactor, Adam, Adamax, AdamW, init, Muon, Variable } from '../../dist/index.js';
import { assertSameBits, randomFloats, valuesOf } from './helpers.mjs';
import { referenceAdam, referenceAdamax } from './reference.mjs';

const STEPS = 3;
const range = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => from + i);
const SIZES = [...range(0, 70), 127, 128, 129, 1000, ...range(16383, 16385), 32769, 40000, 100003];

before(() => init());

/** A copy that starts at an address which is no multiple of 16. */
function shifted(values) {
  const array = new Float32Array(values.length + 3).subarray(3);
  array.set(values);
  return array;
}

const parameter = {
  resident: (values, name) => new Variable(values, { name }),
  plain: (values) => values.slice(),
  shifted: (values) => shifted(values),
};

/** Each way to hand over a gradient; `resident` is the variable's own buffer. */
const gradient = {
  resident: (g, w) => {
    w.gradient.set(g);
    return w.gradient;
  },
  plain: (g) => g,
  shifted,
  // Engine memory too, but not the variable's own: another variable's values.
  stranger: (g) => new Variable(g).value,
};

const ways = [
  ['resident', 'resident'],
  ['resident', 'plain'],
  ['resident', 'shifted'],
  ['plain', 'plain'],
  ['shifted', 'shifted'],
  ['plain', 'stranger'],
  ['resident', 'stranger'],
];

/** Final parameters after a few steps of `sizes` variables, each of them placed by `wayOf(i)`. */
function train(make, sizes, wayOf) {
  const optimizer = make();
  const variables = sizes.map((n, i) => parameter[wayOf(i)[0]](randomFloats(n, n + 7 * i), `v${i}`));
  for (let k = 0; k < STEPS; k++) {
    const grads = sizes.map((n, i) => gradient[wayOf(i)[1]](randomFloats(n, 1000 * k + n + i), variables[i]));
    optimizer.apply(grads, variables);
  }
  const final = variables.map((v) => Float32Array.from(valuesOf(v)));
  optimizer.dispose();
  for (const v of variables) if (v instanceof Variable) v.dispose();
  return final;
}

const optimizers = {
  Adam: () => new Adam(),
  'Adam with amsgrad, clipnorm, decay and average': () =>
    new Adam({ amsgrad: true, clipnorm: 0.5, weightDecay: 0.01, useEma: true, emaOverwriteFrequency: 2 }),
  'Adam with accumulation and clipvalue': () => new Adam({ gradientAccumulationSteps: 2, clipvalue: 0.3 }),
  'AdamW with loss scale and globalClipnorm': () => new AdamW({ lossScaleFactor: 3, globalClipnorm: 1 }),
  Adamax: () => new Adamax(),
  'Adafactor with decay and average': () => new Adafactor({ weightDecay: 0.01, useEma: true }),
  'Muon with clipnorm': () => new Muon({ clipnorm: 0.5 }),
  'Adamax with everything': () =>
    new Adamax({
      clipnorm: 1,
      weightDecay: 0.1,
      useEma: true,
      lossScaleFactor: 8,
      gradientAccumulationSteps: 2,
    }),
};

for (const [name, make] of Object.entries(optimizers)) {
  test(`${name}: every size alone gives the same bits wherever it lies`, () => {
    for (const n of SIZES) {
      const [expected] = train(make, [n], () => ways[0]);
      for (const way of ways.slice(1)) {
        const [got] = train(make, [n], () => way);
        assertSameBits(got, expected, `size ${n}, parameters and gradients ${way.join(' and ')}`);
      }
    }
  });

  test(`${name}: variables that lie in different places step together as if they lay in one`, () => {
    const sizes = [5, 16385, 64, 3, 40000, 1, 0, 129];
    const expected = train(make, sizes, () => ways[0]);
    const got = train(make, sizes, (i) => ways[i % ways.length]);
    expected.forEach((values, i) => {
      assertSameBits(got[i], values, `variable ${i}`);
    });
  });
}

/** The same training with the formulas written out in JavaScript. */
function reference(update, n) {
  const w = randomFloats(n, n);
  const [m, v] = [new Float32Array(n), new Float32Array(n)];
  for (let k = 0; k < STEPS; k++) update({ w, g: randomFloats(n, 1000 * k + n), m, v }, k + 1);
  return w;
}

for (const [name, make, update] of [
  ['Adam', () => new Adam(), referenceAdam],
  ['Adamax', () => new Adamax(), referenceAdamax],
]) {
  test(`${name}: every size agrees with the formulas written out in float32`, () => {
    for (const n of SIZES) {
      const [got] = train(make, [n], () => ['resident', 'plain']);
      assertSameBits(got, reference(update, n), `size ${n}`);
    }
  });
}

test('only what a subarray covers is changed', () => {
  const whole = randomFloats(100, 5);
  const before = whole.slice();
  const part = whole.subarray(10, 47);
  new Adam().apply([randomFloats(37, 6)], [part]);
  assertSameBits(whole.subarray(0, 10), before.subarray(0, 10), 'before');
  assertSameBits(whole.subarray(47), before.subarray(47), 'behind');
});

test('the values themselves may be the gradient, as for half the sum of squares', () => {
  for (const n of SIZES) {
    const [w, same, plain] = [
      new Variable(randomFloats(n, 4)),
      new Variable(randomFloats(n, 4)),
      randomFloats(n, 4),
    ];
    const optimizers = [new Adam(), new Adam(), new Adam()];
    for (let k = 0; k < STEPS; k++) {
      optimizers[0].apply([w.value], [w]);
      optimizers[1].apply([same.value.slice()], [same]);
      optimizers[2].apply([plain], [plain]);
    }
    assertSameBits(w.value, same.value, `size ${n}`);
    assertSameBits(plain, same.value, `size ${n}, plain`);
    for (const each of [w, same, ...optimizers]) each.dispose();
  }
});

test('gradients are read, not changed', () => {
  const g = randomFloats(40000, 8);
  const kept = g.slice();
  const w = new Variable(40000);
  w.gradient.set(g);
  const options = { lossScaleFactor: 4, clipnorm: 0.1, gradientAccumulationSteps: 2 };
  new Adam(options).apply([g], [new Float32Array(40000)]);
  new Adam(options).apply([w.gradient], [w]);
  assertSameBits(g, kept);
  assertSameBits(w.gradient, kept);
  w.dispose();
});
