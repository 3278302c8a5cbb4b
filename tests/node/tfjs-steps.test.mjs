// Steps under TensorFlow.js, with every option of the optimizers and with gradients that are missing: what the same
// optimizer gives on variables of the engine, bit for bit.
import assert from 'node:assert/strict';
import { afterEach, before, test } from 'node:test';
import {
  Adafactor,
  Adam,
  Adamax,
  AdamMultilr,
  AdamW,
  init,
  LossScaleOptimizer,
  Muon,
  SparseGradient,
  schedules,
  Variable,
} from '../../dist/index.js';
import { tfOptimizer } from '../../dist/tfjs.js';
import { every, stored } from './every.mjs';
import { assertRefused, assertSameBits, randomFloats } from './helpers.mjs';
import { onEach } from './tfjs/each.mjs';
import { tf } from './tfjs/setup.mjs';

before(() => init());
afterEach(() => tf.disposeVariables());

const sizes = { 'a/kernel': [3, 7], 'a/bias': [7], 'b/kernel': [5000, 4], scalar: [] };
const sizeOf = (shape) => shape.reduce((a, b) => a * b, 1);
const named = () =>
  Object.entries(sizes).map(([name, shape], k) =>
    tf.variable(tf.tensor(randomFloats(sizeOf(shape), k), shape), true, name),
  );
const gradientsAt = (t) =>
  Object.fromEntries(
    Object.entries(sizes).map(([name, shape], k) => [name, randomFloats(sizeOf(shape), 100 * t + k)]),
  );

/** Steps under tfjs and on plain variables with the same gradients; `missing(t)` names those without one. */
function assertSameAsPlain(make, { steps = 6, missing = () => [] } = {}) {
  const variables = named();
  const plain = variables.map((v) => new Variable(v.dataSync().slice(), { path: v.name, shape: v.shape }));
  const [ours, optimizer] = [tfOptimizer(make()), make()];
  ours.build(variables);
  optimizer.build(plain);
  for (let t = 0; t < steps; t++) {
    const all = gradientsAt(t);
    for (const name of missing(t)) all[name] = null;
    const tensors = Object.entries(all).map(([name, g]) => ({
      name,
      tensor: g && tf.tensor(g, sizes[name]),
    }));
    ours.applyGradients(t % 2 ? tensors : Object.fromEntries(tensors.map((x) => [x.name, x.tensor])));
    tf.dispose(tensors.map(({ tensor }) => tensor));
    optimizer.apply(
      plain.map(({ path }) => all[path]),
      plain,
    );
    variables.forEach((v, k) => {
      assertSameBits(v.dataSync(), plain[k].value, `${v.name} after step ${t + 1}`);
    });
  }
  const [state, expected] = [ours.optimizer, optimizer].map((o) => o.variables);
  expected.forEach(({ path, value }, k) => {
    assert.equal(state[k].path, path);
    if (typeof value === 'number') assert.equal(state[k].value, value, path);
    else assertSameBits(state[k].value, value, path);
  });
  ours.dispose();
}

const options = {
  'Adam by default': () => new Adam(),
  'Adamax by default': () => new Adamax(),
  amsgrad: () => new Adam({ amsgrad: true }),
  'a schedule': () =>
    new Adam({
      learningRate: new schedules.ExponentialDecay({
        initialLearningRate: 0.1,
        decaySteps: 2,
        decayRate: 0.5,
      }),
    }),
  'a function as rate': () => new Adam({ learningRate: (t) => 0.1 / (1 + t) }),
  clipnorm: () => new Adam({ clipnorm: 0.5 }),
  clipvalue: () => new Adamax({ clipvalue: 0.1 }),
  globalClipnorm: () => new AdamW({ globalClipnorm: 1 }),
  'an average that overwrites': () => new Adam({ useEma: true, emaMomentum: 0.5, emaOverwriteFrequency: 3 }),
  accumulation: () => new Adam({ gradientAccumulationSteps: 3 }),
  'a loss scale that is no power of two': () => new Adam({ lossScaleFactor: 3, clipnorm: 0.25 }),
  'rates by pattern': () => new AdamMultilr({ patternLrs: [{ patterns: ['bias'], lr: 0.5 }] }),
  'dynamic loss scaling': () => new LossScaleOptimizer(new Adam(), { dynamicGrowthSteps: 2 }),
  'decay with exclusions': () => {
    const optimizer = new AdamW({ weightDecay: 0.1 });
    optimizer.excludeFromWeightDecay({ varNames: ['bias'] });
    return optimizer;
  },
};
for (const [name, make] of Object.entries(options)) {
  onEach(`the bits of plain arrays: ${name}`, () => assertSameAsPlain(make));
}

for (const { name, Class, options } of [...every, ...stored])
  onEach(`the bits of plain arrays: ${name}`, () =>
    assertSameAsPlain(() => new Class({ ...options, learningRate: 0.01 }), { steps: 3 }),
  );

test('state moves with the variables from backend to backend, and begins where they come in', async () => {
  await tf.setBackend('cpu');
  for (const { name, Class, options } of [...every, ...stored]) {
    const make = () => new Class({ ...options, learningRate: 0.01 });
    const [ours, optimizer] = [tfOptimizer(make()), make()];
    const values = [0, 1].map((k) => randomFloats(40, k));
    const plain = values.map((v, k) => new Variable(v, { path: `v${k}` }));
    optimizer.build(plain);
    const variables = values.map((v, k) => tf.variable(tf.tensor1d(v), true, `v${k}`));
    for (const [t, backend] of ['cpu', 'wasm', 'unheard-of', 'wasm', 'cpu'].entries()) {
      await tf.setBackend(backend);
      // The second one comes at the second step, on another backend.
      const grads = [0, 1].map((k) => (t === 0 && k === 1 ? null : randomFloats(40, 10 * t + k)));
      ours.applyGradients(grads.flatMap((g, k) => (g ? [{ name: `v${k}`, tensor: tf.tensor1d(g) }] : [])));
      optimizer.apply(grads);
      variables.forEach((v, k) => {
        assertSameBits(v.dataSync(), plain[k].value, `${name}: v${k} on ${backend}`);
      });
    }
    for (const each of [ours, optimizer, ...variables, ...plain]) each.dispose();
  }
});

const gaps = (t) => (t % 2 ? ['a/bias'] : t % 3 ? ['b/kernel', 'scalar'] : []);
for (const name of ['Adam by default', 'an average that overwrites', 'accumulation']) {
  onEach(`the bits of plain arrays without some gradients: ${name}`, () =>
    assertSameAsPlain(options[name], { steps: 8, missing: gaps }),
  );
}

for (const [how, share] of Object.entries({
  'the variables themselves': (v) => v,
  'clones of them': (v) => v.clone(),
  'tensors on their data': (v) => v.reshape(v.shape),
}))
  onEach(`gradients that are ${how} count as they are before the step`, () => {
    const values = [0, 1, 2].map((k) => randomFloats(5000, k));
    const plain = values.map((v, k) => new Variable(v, { path: `v${k}` }));
    const variables = values.map((v, k) => tf.variable(tf.tensor1d(v), true, `v${k}`));
    const [ours, expected] = [tfOptimizer(new Adam()), new Adam()];
    expected.build(plain);
    const tensors = tf.memory().numTensors;
    for (let t = 0; t < 3; t++) {
      const given = variables.map((_, k) => share(variables[(k + t) % 3])); // of itself, too
      ours.applyGradients(variables.map(({ name }, k) => ({ name, tensor: given[k] })));
      tf.dispose(given.filter((g) => !variables.includes(g)));
      expected.apply(plain.map((_, k) => plain[(k + t) % 3].value.slice()));
      variables.forEach((v, k) => {
        assertSameBits(v.dataSync(), plain[k].value, `v${k} after step ${t + 1}`);
      });
    }
    assert.equal(tf.memory().numTensors, tensors);
    for (const each of [ours, expected, ...plain]) each.dispose();
  });

for (const [name, make] of Object.entries({
  clipnorm: () => new Adam({ clipnorm: 0.1, lossScaleFactor: 3 }),
  globalClipnorm: () => new Adam({ globalClipnorm: 0.1 }),
  'clipnorm over what was gathered': () => new Adam({ clipnorm: 0.1, gradientAccumulationSteps: 2 }),
  'a rule that reads whole variables': () => new Muon({ clipnorm: 0.1 }),
  'a rule in two passes': () => new Adafactor({ globalClipnorm: 0.1 }),
}))
  onEach(`rows of a gradient have the norm that they have elsewhere: ${name}`, () => {
    const shape = [130, 8];
    const plain = new Variable(randomFloats(1040, 1), { path: 'rows', shape });
    const variable = tf.variable(tf.tensor2d(plain.value.slice(), shape), true, 'rows');
    const [ours, expected] = [tfOptimizer(make()), make()];
    expected.build([plain]);
    for (let t = 0; t < 4; t++) {
      const gradient = new SparseGradient({
        indices: [129, 3 + t, 77, 3 + t],
        values: randomFloats(32, 10 + t),
      });
      ours.applyGradients([{ name: 'rows', tensor: gradient }]);
      expected.apply([gradient]);
      assertSameBits(variable.dataSync(), plain.value, `step ${t + 1}`);
    }
    for (const each of [ours, expected, plain]) each.dispose();
  });

onEach('an Adamax of single rows steps these alone, or says that it cannot', (backend) => {
  const make = () => new Adamax({ legacySparse: true });
  const plain = new Variable(randomFloats(40, 1), { path: 'lazy', shape: [10, 4] });
  const variable = tf.variable(tf.tensor2d(plain.value.slice(), [10, 4]), true, 'lazy');
  const [ours, expected] = [tfOptimizer(make()), make()];
  expected.build([plain]);
  const steps = [0, 1].map((t) => new SparseGradient({ indices: [t, 7], values: randomFloats(8, t) }));
  const step = (gradient) => ours.applyGradients([{ name: 'lazy', tensor: gradient }]);
  if (backend === 'wasm') {
    assertRefused(() => step(steps[0]), RangeError, /legacySparse/);
    assert.equal(ours.optimizer.built, false);
  } else
    for (const gradient of steps) {
      step(gradient);
      expected.apply([gradient]);
    }
  assertSameBits(variable.dataSync(), plain.value);
  for (const each of [ours, expected, plain]) each.dispose();
});
