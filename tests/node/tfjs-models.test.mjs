// Our optimizers in models of TensorFlow.js' layers: training by fit, the same losses as tf.train's optimizers
// under compat 'tfjs', and models saved with their optimizer and loaded back.
import assert from 'node:assert/strict';
import { afterEach, before, test } from 'node:test';
import {
  Adadelta,
  Adafactor,
  Adagrad,
  Adam,
  Adamax,
  AdamMultilr,
  AdamW,
  init,
  LossScaleOptimizer,
  Muon,
  Nadam,
  RMSprop,
  SGD,
  schedules,
} from '../../dist/index.js';
import { registerOptimizer, tfOptimizer } from '../../dist/tfjs.js';
import { every, stored } from './every.mjs';
import { assertSameBits, randomFloats } from './helpers.mjs';
import { batch, losses, network } from './tfjs/digits.mjs';
import { backends, layers, tf } from './tfjs/setup.mjs';

before(() => init());
afterEach(() => tf.disposeVariables());

const tfjs = (options) => ({ compat: 'tfjs', ...options });
const pairs = {
  sgd: [() => new SGD(tfjs({ learningRate: 0.1 })), () => tf.train.sgd(0.1)],
  momentum: [() => new SGD(tfjs({ learningRate: 0.05, momentum: 0.9 })), () => tf.train.momentum(0.05, 0.9)],
  'momentum with nesterov': [
    () => new SGD(tfjs({ learningRate: 0.05, momentum: 0.9, nesterov: true })),
    () => tf.train.momentum(0.05, 0.9, true),
  ],
  rmsprop: [() => new RMSprop(tfjs({ learningRate: 0.001 })), () => tf.train.rmsprop(0.001)],
  'rmsprop with momentum': [
    () => new RMSprop(tfjs({ learningRate: 0.001, momentum: 0.5, rho: 0.8, epsilon: 1e-6 })),
    () => tf.train.rmsprop(0.001, 0.8, 0.5, 1e-6),
  ],
  adagrad: [
    () => new Adagrad(tfjs({ learningRate: 0.01, initialAccumulatorValue: 0.2 })),
    () => tf.train.adagrad(0.01, 0.2),
  ],
  adadelta: [() => new Adadelta(tfjs({ learningRate: 0.1 })), () => tf.train.adadelta(0.1)],
  adam: [() => new Adam({ compat: 'tfjs' }), () => tf.train.adam(0.001)],
  'adam with another epsilon': [
    () => new Adam({ compat: 'tfjs', epsilon: 1e-3, learningRate: 0.01 }),
    () => tf.train.adam(0.01, 0.9, 0.999, 1e-3),
  ],
  adamax: [() => new Adamax({ compat: 'tfjs', learningRate: 0.002 }), () => tf.train.adamax(0.002)],
  'adamax with decay': [
    () => new Adamax({ compat: 'tfjs', learningRate: 0.01, decay: 0.1 }),
    () => tf.train.adamax(0.01, 0.9, 0.999, undefined, 0.1),
  ],
};

async function assertSameLosses([ours, theirs], size) {
  const a = await losses(tfOptimizer(ours()), size);
  const b = await losses(theirs(), size);
  const apart = Math.max(...a.found.map((loss, k) => Math.abs(loss - b.found[k])));
  assert.ok(apart <= 1e-4, `the losses are ${apart} apart`);
  assert.ok(a.found.at(-1) < 0.95 * a.found[0], `no training: ${a.found[0]} to ${a.found.at(-1)}`);
  return a;
}

for (const backend of backends) {
  for (const [name, pair] of Object.entries(pairs))
    test(`the losses of tf.train.${name} on the digits, 100 steps (${backend})`, async () => {
      await tf.setBackend(backend);
      await assertSameLosses(pair, { hidden: [32], steps: 100 });
    });
}

// tf.train subtracts epsilon from the variance, too, and takes the root: a gradient of 0, as the digits' margins have,
// is NaN there. So this one is compared where no gradient is 0.
for (const backend of backends)
  test(`the losses of tf.train.rmsprop, centered, 100 steps (${backend})`, async () => {
    await tf.setBackend(backend);
    const train = (optimizer) => {
      const w = tf.variable(tf.tensor(randomFloats(24, 1), [8, 3]));
      const found = [];
      for (let t = 0; t < 100; t++) {
        const x = tf.tensor(randomFloats(128, 100 + t), [16, 8]);
        const loss = () =>
          x
            .matMul(w)
            .tanh()
            .sub(x.slice([0, 2], [16, 3]))
            .square()
            .mean();
        found.push(optimizer.minimize(loss, true).dataSync()[0]);
      }
      w.dispose();
      return found;
    };
    const options = { learningRate: 0.01, rho: 0.8, momentum: 0.5, epsilon: 1e-9, centered: true };
    const ours = train(tfOptimizer(new RMSprop(tfjs(options))));
    const theirs = train(tf.train.rmsprop(0.01, 0.8, 0.5, 1e-9, true));
    const apart = Math.max(...ours.map((loss, k) => Math.abs(loss - theirs[k])));
    assert.ok(apart <= 1e-4, `the losses are ${apart} apart`);
    assert.ok(ours.at(-1) < 0.5 * ours[0], `no training: ${ours[0]} to ${ours.at(-1)}`);
  });

// The cpu backend's own layers and optimizer take a second a step: all hundred only when asked for.
const long = Boolean(process.env.SIMDESCENT_LONG);
for (const [backend, steps] of [
  ['wasm', 100],
  ['cpu', long ? 100 : 4],
])
  test(`the losses of tf.train.adam with more than a million parameters, ${steps} steps (${backend})`, async () => {
    await tf.setBackend(backend);
    const { parameters } = await assertSameLosses(pairs.adam, { hidden: [1000, 950], steps });
    assert.ok(parameters > 1e6);
  });

test("compat 'tfjs' goes through configs, and decay goes with it alone", () => {
  const adamax = new Adamax({ compat: 'tfjs', decay: 0.1 });
  const again = Adamax.fromConfig(adamax.getConfig());
  assert.deepEqual([again.getConfig().compat, again.decay], ['tfjs', 0.1]);
  assert.equal('decay' in new Adamax().getConfig(), false);
  assert.throws(() => new Adamax({ decay: 0.1 }), { name: 'RangeError', message: /decay.*compat: 'tfjs'/ });
  assert.throws(() => new Adam({ compat: 'tf' }), {
    name: 'RangeError',
    message: /'keras' or 'torch' or 'tfjs'/,
  });
});

test('without compat the numbers are those of Keras, which are others', async () => {
  await tf.setBackend('cpu');
  const size = { hidden: [8], steps: 20 };
  const [keras, tfjs] = [
    await losses(tfOptimizer(new Adam()), size),
    await losses(tf.train.adam(0.001), size),
  ];
  assert.ok(keras.found.some((loss, k) => loss !== tfjs.found[k]));
});

for (const backend of backends)
  test(`model.fit trains, and leaves no tensor behind (${backend})`, async () => {
    await tf.setBackend(backend);
    const { x, y } = batch(0, 512);
    const model = network([32]);
    const optimizer = tfOptimizer(new AdamW({ learningRate: 0.01, clipnorm: 1 }));
    model.compile({ optimizer, loss: 'categoricalCrossentropy', metrics: ['accuracy'] });
    const fit = (epochs) => model.fit(x, y, { epochs, batchSize: 64, verbose: 0 });
    await fit(1);
    const { numTensors } = tf.memory();
    const { history } = await fit(8);
    assert.equal(tf.memory().numTensors, numTensors);
    assert.ok(history.acc.at(-1) > 0.9, String(history.acc));
    assert.equal(optimizer.iterations, 72);
    model.dispose();
    optimizer.dispose();
  });

const saved = {
  Adam: () => new Adam({ learningRate: 0.01, amsgrad: true, weightDecay: 0.1 }),
  Adamax: () => new Adamax({ learningRate: 0.01 }),
  'Adam of tf.train': () => new Adam({ compat: 'tfjs', epsilon: 1e-5 }),
  'Adam with a schedule, averages and accumulation': () =>
    new Adam({
      learningRate: new schedules.PiecewiseConstantDecay({ boundaries: [2, 4], values: [0.1, 0.01, 0.001] }),
      useEma: true,
      gradientAccumulationSteps: 2,
      name: 'my_adam',
    }),
  AdamMultilr: () => new AdamMultilr({ patternLrs: [{ patterns: ['dense_.*bias'], lr: 0.1 }] }),
  Adafactor: () => new Adafactor({ clipThreshold: 0.5 }),
  Muon: () => new Muon({ learningRate: 0.01 }),
  LossScaleOptimizer: () => new LossScaleOptimizer(new Adam(), { initialScale: 8, dynamicGrowthSteps: 2 }),
};

async function saveAndLoad(model, includeOptimizer = true) {
  let kept;
  const handler = tf.io.withSaveHandler(async (artifacts) => {
    kept = artifacts;
    return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } };
  });
  await model.save(handler, { includeOptimizer });
  // As a file would have it.
  const { weightData, ...json } = kept;
  return layers.loadLayersModel(tf.io.fromMemory({ ...JSON.parse(JSON.stringify(json)), weightData }));
}

for (const backend of backends)
  for (const [name, make] of Object.entries(saved))
    test(`a model saved with its optimizer goes on with the same bits: ${name} (${backend})`, async () => {
      await tf.setBackend(backend);
      registerOptimizer(tf);
      const model = network([8]);
      model.compile({ optimizer: tfOptimizer(make()), loss: 'categoricalCrossentropy' });
      const train = async (m, from) => {
        for (let k = from; k < from + 3; k++) {
          const { x, y } = batch(16 * k, 16);
          await m.trainOnBatch(x, y);
        }
      };
      await train(model, 0);
      const loaded = await saveAndLoad(model);
      assert.equal(loaded.optimizer.optimizer.constructor, make().constructor);
      assert.deepEqual(loaded.optimizer.getConfig(), model.optimizer.getConfig());
      assert.equal(loaded.optimizer.iterations, 3);
      await train(model, 3);
      await train(loaded, 3);
      const [after, expected] = [loaded, model].map((m) => m.getWeights().map((w) => w.dataSync()));
      after.forEach((w, k) => {
        assertSameBits(w, expected[k], `weight ${k}`);
      });
    });

test('a model saved before its first step starts when it is loaded', async () => {
  await tf.setBackend('cpu');
  registerOptimizer(tf);
  const model = network([8]);
  model.compile({
    optimizer: tfOptimizer(new LossScaleOptimizer(new Adam())),
    loss: 'categoricalCrossentropy',
  });
  const loaded = await saveAndLoad(model);
  const { x, y } = batch(0, 16);
  await loaded.trainOnBatch(x, y);
  assert.equal(loaded.optimizer.iterations, 1);
});

test('saving a model over and over does not leak', async () => {
  await tf.setBackend('cpu');
  const model = network([8]);
  model.compile({ optimizer: tfOptimizer(new Adamax()), loss: 'categoricalCrossentropy' });
  const { x, y } = batch(0, 16);
  await model.trainOnBatch(x, y);
  const save = () =>
    model.save(
      tf.io.withSaveHandler(async () => ({})),
      { includeOptimizer: true },
    );
  await save();
  const { numTensors } = tf.memory();
  for (let k = 0; k < 20; k++) await save();
  assert.equal(tf.memory().numTensors, numTensors);
  model.optimizer.dispose();
  assert.ok(tf.memory().numTensors < numTensors);
});

// tf.train.adamax has no state to give.
for (const [name, make, theirs, slots] of [
  ['sgd', () => new SGD(tfjs({ learningRate: 0.1 })), () => tf.train.sgd(0.1), []],
  [
    'momentum',
    () => new SGD(tfjs({ learningRate: 0.1, momentum: 0.5 })),
    () => tf.train.momentum(0.1, 0.5),
    ['momentum'],
  ],
  [
    'rmsprop',
    () => new RMSprop(tfjs({ learningRate: 0.01, momentum: 0.5 })),
    () => tf.train.rmsprop(0.01, 0.9, 0.5),
    ['rms', 'momentum'],
  ],
  [
    'rmsprop, centered',
    () => new RMSprop(tfjs({ learningRate: 0.01, centered: true })),
    () => tf.train.rmsprop(0.01, 0.9, 0, undefined, true),
    ['rms', 'momentum', 'mg'],
  ],
  ['adagrad', () => new Adagrad(tfjs({ learningRate: 0.1 })), () => tf.train.adagrad(0.1), ['accumulator']],
  [
    'adadelta',
    () => new Adadelta(tfjs({ learningRate: 0.1 })),
    () => tf.train.adadelta(0.1),
    ['accum_grad', 'accum_var'],
  ],
  ['adam', () => new Adam(tfjs({ learningRate: 0.1 })), () => tf.train.adam(0.1), ['m', 'v']],
])
  test(`a state of tf.train.${name} goes on here, and one of ours there`, async () => {
    await tf.setBackend('wasm');
    const run = async (first, second) => {
      const variables = ['x', 'y'].map((name) => tf.variable(tf.tensor1d([2, 4]), true, name));
      const [x, y] = variables;
      const step = (optimizer) => optimizer.minimize(() => x.square().sum().add(y.sum()), false, variables);
      for (let k = 0; k < 5; k++) step(first);
      const weights = await first.getWeights();
      assert.deepEqual(
        weights.map(({ name }) => name),
        ['iter', ...slots.flatMap((slot) => [`x/${slot}`, `y/${slot}`])],
      );
      await second.setWeights(weights.map(({ name, tensor }) => ({ name, tensor: tensor.clone() })));
      for (let k = 0; k < 5; k++) step(second);
      assert.equal(second.iterations, 10);
      const values = variables.flatMap((v) => [...v.dataSync()]);
      tf.dispose(variables);
      return values;
    };
    const ours = () => tfOptimizer(make());
    const [expected, here, there] = [
      await run(theirs(), theirs()),
      await run(theirs(), ours()),
      await run(ours(), theirs()),
    ];
    for (const values of [here, there])
      values.forEach((value, k) => {
        assert.ok(Math.abs(value - expected[k]) < 1e-5, `${values} instead of ${expected}`);
      });
  });

test('every state goes out and in, to the bit, whether the variables are known or not', async () => {
  await tf.setBackend('wasm');
  const start = () => tf.variable(tf.tensor1d([2, -4, 0.5]), true, 'v');
  const step = (optimizer, v) => optimizer.minimize(() => v.square().sum(), false, [v]);
  const halves = stored.filter(({ options }) => options.stateDtype.dtype === 'bfloat16');
  for (const { name, Class, options } of [...every, ...halves]) {
    const make = () => tfOptimizer(new Class({ ...options, learningRate: 0.01 }));
    const [first, second, third] = [make(), make(), make()];
    const v = start();
    for (let k = 0; k < 3; k++) step(first, v);
    const weights = (await first.getWeights()).map(({ name, tensor }) => ({ name, tensor: tensor.clone() }));
    const values = v.dataSync().slice();
    step(first, v);
    const expected = v.dataSync().slice();
    third.build([v]);
    for (const other of [second, third]) {
      await other.setWeights(weights);
      v.assign(tf.tensor1d(values));
      step(other, v);
      assertSameBits(v.dataSync(), expected, name);
      assert.equal(other.iterations, 4);
      other.dispose();
    }
    first.dispose();
    v.dispose();
  }
});

test('a state is refused where it means something else', async () => {
  await tf.setBackend('cpu');
  const x = tf.variable(tf.tensor1d([2, 4]), true, 'other/x');
  const step = (optimizer) => optimizer.minimize(() => x.square().sum(), false, [x]);
  const theirs = tf.train.momentum(0.1, 0.9);
  step(theirs);
  const momentum = await theirs.getWeights();
  for (const [ours, pattern] of [
    [new SGD({ momentum: 0.9 }), /momentum.*velocity/], // in which the rate is
    [new SGD(), /momentum.*none/],
    [new Nadam(), /variable/],
    [new RMSprop({ compat: 'tfjs' }), /momentum.*rms, momentum/],
  ]) {
    const optimizer = tfOptimizer(ours);
    await optimizer.setWeights(momentum);
    assert.throws(() => step(optimizer), { name: 'RangeError', message: pattern });
    assert.equal(ours.iterations, 1); // what was loaded is known at once
  }
  const adam = tfOptimizer(new Adam());
  await adam.setWeights([{ name: 'iter', tensor: tf.scalar(5) }]); // as tf.train.sgd saves it
  assert.throws(() => step(adam), { name: 'RangeError', message: /other\/x.*none/ });
});

test('a state that does not fit is an error at the first step, and at every one after it', async () => {
  await tf.setBackend('cpu');
  const x = tf.variable(tf.tensor1d([2, 4]), true, 'fits/x');
  const step = (optimizer) => optimizer.minimize(() => x.square().sum(), false, [x]);
  const adam = tfOptimizer(new Adam());
  step(adam);
  const weights = await adam.getWeights();
  const amsgrad = tfOptimizer(new Adam({ amsgrad: true }));
  await amsgrad.setWeights(weights);
  for (let k = 0; k < 2; k++)
    assert.throws(() => step(amsgrad), { name: 'RangeError', message: /m, v.*vhat/ });
  const before = tfOptimizer(new Adam());
  step(before);
  await assert.rejects(before.setWeights(weights.slice(1)), /iter/);
  const other = weights.map(({ name, tensor }) => ({
    name,
    tensor: name === 'iter' ? tensor : tf.ones([3]),
  }));
  await assert.rejects(before.setWeights(other), { name: 'RangeError', message: /\[3\].*fits\/x.*\[2\]/s });
  step(before);
  assert.equal(before.iterations, 2);
});

for (const backend of backends)
  for (const [name, make] of Object.entries(saved))
    test(`loaded and saved again before any step, nothing is lost: ${name} (${backend})`, async () => {
      await tf.setBackend(backend);
      registerOptimizer(tf);
      const model = network([8]);
      model.compile({ optimizer: tfOptimizer(make()), loss: 'categoricalCrossentropy' });
      const train = async (m, from) => {
        for (let k = from; k < from + 3; k++) {
          const { x, y } = batch(16 * k, 16);
          await m.trainOnBatch(x, y);
        }
      };
      await train(model, 0);
      const stateOf = async ({ optimizer }) =>
        (await optimizer.getWeights()).map(({ name, tensor }) => [
          name.replace(/_\d+\//, '/'),
          [...tensor.dataSync()],
        ]);
      const expected = await stateOf(model);
      let loaded = model;
      for (let k = 0; k < 3; k++) {
        loaded = await saveAndLoad(loaded);
        assert.deepEqual([loaded.optimizer.iterations, loaded.optimizer.optimizer.rawIterations], [3, 3]);
        assert.deepEqual(await stateOf(loaded), expected);
      }
      await train(model, 3);
      await train(loaded, 3);
      const [after, known] = [loaded, model].map((m) => m.getWeights().map((w) => w.dataSync()));
      after.forEach((w, k) => {
        assertSameBits(w, known[k], `weight ${k}`);
      });
    });

for (const backend of backends)
  for (const named of [false, true])
    for (const useEma of [false, true])
      test(`one optimizer over models that are made anew: ${named ? 'equal' : 'new'} names, useEma ${useEma} (${backend})`, async () => {
        await tf.setBackend(backend);
        const options = { learningRate: 0.1, useEma };
        const lasting = tfOptimizer(new Adam(options));
        const x = tf.ones([2, 3]);
        const y = tf.ones([2, 1]);
        const train = async (optimizer) => {
          const model = layers.sequential();
          const kernelInitializer = layers.initializers.ones();
          const layer = { units: 1, inputShape: [3], kernelInitializer, ...(named && { name: 'same' }) };
          model.add(layers.layers.dense(layer));
          model.compile({ optimizer, loss: 'meanSquaredError' });
          for (let k = 0; k < 3; k++) await model.trainOnBatch(x, y);
          const values = model.getWeights().map((w) => w.dataSync().slice());
          model.layers[0].dispose();
          return values;
        };
        for (let k = 0; k < 4; k++) {
          const fresh = tfOptimizer(new Adam(options));
          fresh.optimizer.iterations = 3 * k;
          const [got, expected] = [await train(lasting), await train(fresh)];
          got.forEach((w, j) => {
            assertSameBits(w, expected[j], `model ${k}, weight ${j}`);
          });
          assert.equal(lasting.optimizer.variables.length, fresh.optimizer.variables.length);
          fresh.dispose();
        }
        assert.equal(lasting.iterations, 12);
        const next = tf.variable(tf.ones([3]), true, 'next');
        assert.throws(() => lasting.applyGradients({ next: tf.ones([4]) }), /shape/);
        assert.equal(lasting.iterations, 12, 'a refused call after all models have gone');
        lasting.applyGradients({ next: tf.ones([3]) });
        assert.equal(lasting.iterations, 13);
        next.dispose();
      });

test('variables excluded from weight decay are so in a model that is loaded', async () => {
  await tf.setBackend('cpu');
  registerOptimizer(tf);
  for (const wrap of [(o) => o, (o) => new LossScaleOptimizer(o)]) {
    const inner = new AdamW({ learningRate: 0.1, weightDecay: 0.5 });
    inner.excludeFromWeightDecay({ varNames: ['bias'] });
    const model = layers.sequential();
    model.add(layers.layers.dense({ units: 1, inputShape: [1], biasInitializer: 'ones' }));
    model.compile({ optimizer: tfOptimizer(wrap(inner)), loss: 'meanSquaredError' });
    const loaded = await saveAndLoad(model);
    const x = tf.zeros([1, 1]);
    for (const m of [model, loaded]) {
      await m.trainOnBatch(x, m.predict(x));
      assert.equal(m.getWeights()[1].dataSync()[0], 1);
    }
  }
});

test('options that tfOptimizer does not know are refused', () => {
  for (const options of [{ compat: 'tfjs' }, { TF: tf }, null, new Map()])
    assert.throws(() => tfOptimizer(new Adam(), options), { name: 'TypeError', message: /tfOptimizer/ });
});
