// Configurations: Keras' JSON in and out, both spellings of every option, options as live properties.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import * as library from '../../dist/index.js';
import {
  Adam,
  Adamax,
  AdamMultilr,
  AdamW,
  constraints,
  init,
  LossScaleOptimizer,
  MultiOptimizer,
  OptimizerMap,
  optimizers,
  schedules,
  Variable,
} from '../../dist/index.js';
import { loadFolder } from './conformance/load.mjs';
import { assertRefused, assertSameBits, randomFloats, root } from './helpers.mjs';

before(() => init());

const classes = { ...library };
const text = (value) => JSON.stringify(value);

test('every configuration that Keras wrote is read and written back, key by key, in the same order', async () => {
  let count = 0;
  for (const { kind, body } of await loadFolder(`${root}tests/vectors`)) {
    for (const { id, config, source = '', optimizer } of body[kind]) {
      if (!config?.name || !(optimizer in classes) || /tf_keras|capreolus/.test(source)) continue;
      const given = structuredClone(config);
      const written = classes[optimizer].fromConfig(given).getConfig();
      assert.equal(text(written), text(config), id);
      assert.equal(text(given), text(config), `${id}: the given config was changed`);
      count++;
    }
  }
  assert.ok(count > 700, `${count} configurations`);
});

test('both spellings make the same optimizer, in constructors and in fromConfig', () => {
  const camel = {
    learningRate: 0.02,
    beta1: 0.8,
    beta2: 0.99,
    epsilon: 1e-6,
    weightDecay: 0.1,
    globalClipnorm: 2,
    useEma: true,
    emaMomentum: 0.9,
    emaOverwriteFrequency: 3,
    lossScaleFactor: 8,
    gradientAccumulationSteps: 4,
  };
  const snake = {
    learning_rate: 0.02,
    beta_1: 0.8,
    beta_2: 0.99,
    epsilon: 1e-6,
    weight_decay: 0.1,
    global_clipnorm: 2,
    use_ema: true,
    ema_momentum: 0.9,
    ema_overwrite_frequency: 3,
    loss_scale_factor: 8,
    gradient_accumulation_steps: 4,
  };
  for (const Class of [Adam, AdamW, Adamax]) {
    const expected = text(new Class(camel).getConfig());
    assert.equal(text(new Class(snake).getConfig()), expected);
    assert.equal(text(Class.fromConfig(camel).getConfig()), expected);
    assert.equal(text(Class.fromConfig(snake).getConfig()), expected);
  }
});

test('defaults are Keras’', () => {
  const config = new Adam().getConfig();
  assert.equal(config.learning_rate, Math.fround(0.001));
  assert.deepEqual([config.beta_1, config.beta_2, config.epsilon], [0.9, 0.999, 1e-7]);
  assert.equal(config.weight_decay, null);
  assert.equal(new AdamW().getConfig().weight_decay, 0.004);
  assert.deepEqual([new Adam().name, new AdamW().name, new Adamax().name], ['adam', 'adam_w', 'adamax']);
});

test('a learning rate is kept as float32, as in Keras', () => {
  const optimizer = new Adam({ learningRate: 0.1 });
  assert.equal(optimizer.learningRate, Math.fround(0.1));
  optimizer.learningRate = 0.3;
  assert.equal(optimizer.learningRate, Math.fround(0.3));
  assert.equal(optimizer.getConfig().learning_rate, Math.fround(0.3));
});

test('options are live: what is set between two steps holds for the second', () => {
  const changes = {
    learningRate: 0.5,
    beta1: 0.5,
    beta2: 0.9,
    epsilon: 0.1,
    weightDecay: 0.3,
    clipnorm: 0.1,
  };
  for (const [option, value] of Object.entries(changes)) {
    const [changed, same] = [randomFloats(9, 1), randomFloats(9, 1)];
    const [a, b] = [new Adam({ weightDecay: 0.1 }), new Adam({ weightDecay: 0.1 })];
    a.apply([randomFloats(9, 2)], [changed]);
    b.apply([randomFloats(9, 2)], [same]);
    a[option] = value;
    assert.equal(a[option], option === 'learningRate' ? Math.fround(value) : value, option);
    a.apply([randomFloats(9, 3)], [changed]);
    b.apply([randomFloats(9, 3)], [same]);
    assert.notDeepEqual(changed, same, `${option} has no effect`);
  }
});

test('a schedule is written as Keras writes it, and read back', () => {
  const learningRate = new schedules.CosineDecay({ initialLearningRate: 0.1, decaySteps: 10 });
  const config = new Adam({ learningRate }).getConfig();
  assert.deepEqual(Object.keys(config.learning_rate), ['module', 'class_name', 'config', 'registered_name']);
  assert.equal(config.learning_rate.module, 'keras.optimizers.schedules');
  assert.equal(config.learning_rate.registered_name, null);
  const again = Adam.fromConfig(JSON.parse(text(config)));
  assert.equal(text(again.getConfig()), text(config));
  assert.equal(again.learningRate, learningRate.at(0));
});

test('a schedule of one’s own is read through customObjects', () => {
  class Halving extends schedules.LearningRateSchedule {
    constructor({ start }) {
      super();
      this.start = start;
    }
    at(step) {
      return this.start / 2 ** step;
    }
    getConfig() {
      return { start: this.start };
    }
  }
  const config = JSON.parse(text(new Adam({ learningRate: new Halving({ start: 4 }) }).getConfig()));
  const { module, class_name: name, registered_name: registered } = config.learning_rate;
  assert.deepEqual([module, name, registered], [null, 'Halving', 'Halving']);
  assert.throws(() => Adam.fromConfig(config), /Halving/);
  Object.assign(config.learning_rate, { registered_name: 'mine>Halving' }); // as Keras registers it in a package
  assert.equal(Adam.fromConfig(config, { 'mine>Halving': Halving }).learningRate, 4);
  const inPackage = { ...config, learning_rate: { ...config.learning_rate, class_name: 'mine>Halving' } };
  assert.equal(Adam.fromConfig(inPackage, { Halving }).learningRate, 4);
  const optimizer = Adam.fromConfig(config, { Halving });
  const w = Float32Array.of(0);
  const rates = [0, 1, 2].map(() => {
    const rate = optimizer.learningRate;
    optimizer.apply([Float32Array.of(1)], [w]);
    return rate;
  });
  assert.deepEqual(rates, [4, 2, 1]);
});

test('a function as learning rate gets the raw count, once per apply', () => {
  const seen = [];
  const learningRate = (iteration) => {
    seen.push(iteration);
    return 0.1;
  };
  const optimizer = new Adam({ learningRate, weightDecay: 0.1, gradientAccumulationSteps: 2 });
  const variables = [randomFloats(2, 1), randomFloats(3, 2)];
  for (let k = 0; k < 4; k++) optimizer.apply([randomFloats(2, k), randomFloats(3, k)], variables);
  assert.deepEqual(seen, [0, 1, 2, 3]);
  assert.equal(optimizer.learningRate, Math.fround(0.1));
});

test('a LossScaleOptimizer has exactly four keys, with its inner optimizer serialized', () => {
  const optimizer = new LossScaleOptimizer(new Adamax({ learningRate: 0.5 }), { initialScale: 8 });
  const config = optimizer.getConfig();
  assert.deepEqual(Object.keys(config), ['name', 'inner_optimizer', 'initial_scale', 'dynamic_growth_steps']);
  assert.equal(config.inner_optimizer.class_name, 'Adamax');
  assert.equal(text(LossScaleOptimizer.fromConfig(config).getConfig()), text(config));
});

test('classes of the user’s that extend one round others come back as themselves', () => {
  class Scaled extends LossScaleOptimizer {}
  class Several extends MultiOptimizer {}
  class ByPath extends OptimizerMap {}
  for (const [Class, made] of [
    [Scaled, new Scaled(new Adam(), { initialScale: 8 })],
    [Several, new Several(new OptimizerMap(new Adam(), { a: new Adamax() }), { lossScaleFactor: 2 })],
    [ByPath, new ByPath(new Adam(), { a: new Adamax() })],
  ]) {
    const again = Class.fromConfig(made.getConfig());
    assert.equal(again.constructor, Class);
    assert.equal(text(again.getConfig()), text(made.getConfig()));
  }
  const saved = optimizers.serialize(new Scaled(new Adam()));
  assert.equal(optimizers.deserialize(saved, { Scaled }).constructor, Scaled);
});

test('what is within others is given in one spelling', () => {
  const map = { default_optimizer: 'Adam' };
  for (const [Class, config, option] of [
    [LossScaleOptimizer, { inner_optimizer: 'Adam', innerOptimizer: 'SGD' }, 'innerOptimizer'],
    [MultiOptimizer, { optimizer_map: { config: map }, optimizerMap: { config: map } }, 'optimizerMap'],
    [OptimizerMap, { ...map, defaultOptimizer: 'SGD' }, 'defaultOptimizer'],
    [OptimizerMap, { ...map, optimizerMap: {}, optimizer_map: {} }, 'optimizerMap'],
  ])
    assertRefused(
      () => Class.fromConfig(config),
      TypeError,
      new RegExp(`${Class.name}.fromConfig: '${option}' and .* are two spellings of one option`),
    );
});

test('AdamMultilr keeps its patterns, and a schedule among them', () => {
  const schedule = new schedules.ExponentialDecay({ initialLearningRate: 1, decaySteps: 1, decayRate: 0.5 });
  const options = {
    decay: 0.1,
    patternLrs: [
      { patterns: ['bias', 'gamma$'], lr: 0.1 },
      { patterns: ['^emb'], lr: schedule },
    ],
  };
  const config = JSON.parse(text(new AdamMultilr(options).getConfig()));
  assert.deepEqual(config.pattern_lrs[0].patterns, ['bias', 'gamma$']);
  const again = AdamMultilr.fromConfig(config);
  assert.equal(text(again.getConfig()), text(config));
  const [a, b] = [options, config].map((given) => {
    const w = new Variable(randomFloats(4, 1), { path: 'emb/table' });
    const optimizer = new AdamMultilr(given);
    for (let k = 0; k < 3; k++) optimizer.apply([randomFloats(4, k)], [w]);
    return w.value.slice();
  });
  assertSameBits(b, a);
});

test('our own options are in the configuration when they are not the default', () => {
  assert.equal('adaptive_epsilon' in new Adam().getConfig(), false);
  const config = new Adam({ adaptiveEpsilon: true, compat: 'torch' }).getConfig();
  assert.equal(config.adaptive_epsilon, true);
  assert.equal(config.compat, 'torch');
  assert.equal(text(Adam.fromConfig(config).getConfig()), text(config));
});

test('optimizers.get, serialize and deserialize go round', () => {
  const optimizer = new AdamW({ learningRate: 0.5, amsgrad: true });
  const serialized = optimizers.serialize(optimizer);
  assert.deepEqual(Object.keys(serialized), ['module', 'class_name', 'config', 'registered_name']);
  assert.equal(serialized.module, 'keras.optimizers');
  const again = optimizers.deserialize(JSON.parse(text(serialized)));
  assert.ok(again instanceof AdamW);
  assert.equal(text(optimizers.serialize(again)), text(serialized));
  assert.equal(optimizers.get(optimizer), optimizer);
  assert.ok(optimizers.get('adamax') instanceof Adamax);
  assert.ok(optimizers.get(serialized) instanceof AdamW);
});

test('constraints go round, and are taken in Keras’ form', () => {
  for (const [name, config] of Object.entries({
    NonNeg: {},
    MaxNorm: { max_value: 3, axis: 1 },
    UnitNorm: { axis: 0 },
    MinMaxNorm: { min_value: 0.1, max_value: 2, rate: 0.5, axis: 0 },
  })) {
    assert.deepEqual(constraints[name].fromConfig(config).getConfig(), config);
    const options = { shape: [2, 3] };
    const step = (constraint) => {
      const w = new Variable(randomFloats(6, 1), { ...options, constraint });
      new Adam({ learningRate: 1 }).apply([randomFloats(6, 2)], [w]);
      return w.value.slice();
    };
    assertSameBits(step({ class_name: name, config }), step(new constraints[name](config)), name);
  }
});

test('configs of older versions of Keras, and of other writers', () => {
  const legacy = {
    name: 'Adam',
    learning_rate: 0.01,
    decay: 0.0,
    beta_1: 0.9,
    beta_2: 0.999,
    epsilon: 1e-7,
    amsgrad: false,
  };
  const get = (config, name = 'Adam') => optimizers.get({ class_name: name, config });
  assert.equal(get(legacy).learningRate, Math.fround(0.01));
  assert.equal(Adam.fromConfig({ ...legacy, epsilon: null, name: null }).epsilon, 1e-7);
  assert.equal(get({ lr: 0.25, decay: 0, epsilon: null }, 'Adamax').learningRate, 0.25);
  assert.throws(
    () => get({ lr: 1, learning_rate: 1 }),
    /'lr' is the old name of 'learning_rate'; the config has both/,
  );
  assert.throws(() => new Adam({ lr: 1 }), /unknown option 'lr'.*Did you mean 'learningRate'/);
  assert.throws(
    () => get({ ...legacy, decay: 0.5 }),
    /decay 0\.5 .*InverseTimeDecay\(\{ initialLearningRate: 0\.01, decaySteps: 1, decayRate: 0\.5 \}\).*AdamMultilr/,
  );
  assert.equal(get({ ...legacy, decay: 0.5 }, 'AdamMultilr').decay, 0.5);
  assert.throws(
    () => get({ learning_rate: 0.1, decay: 1e-6 }, 'SGD'),
    /decayRate: 0\.000001 \}\), which has the same numbers\.$/,
  );
  for (const key of ['decay', 'schedule_decay'])
    assert.throws(
      () => get({ learning_rate: 0.1, [key]: 0.004 }, 'Nadam'),
      /decay 0\.004 is that of its momentum, .*compat: 'torch' with momentumDecay 0\.004/,
    );
  const scalar = (value) => ({ class_name: '__numpy__', config: { value, dtype: 'float32' } });
  assert.equal(get({ learning_rate: scalar(0.5), beta_1: scalar(0.25) }).beta1, 0.25);
  const pieces = { boundaries: [scalar(1), 2], values: scalar([0.5, 0.25, 0.125]) };
  const piecewise = get({ learning_rate: { class_name: 'PiecewiseConstantDecay', config: pieces } });
  assert.equal(piecewise.learningRate, 0.5);
  assert.equal(get({}, 'Custom>AdamW').weightDecay, 0.004);
  assert.throws(() => get({ weight_decay: 0.1 }, 'Addons>AdamW'), /TensorFlow Addons/);
  const wrapped = {
    inner_optimizer: { class_name: 'Adam', config: legacy },
    dynamic: true,
    initial_scale: 8,
    dynamic_growth_steps: 3,
  };
  for (const name of ['LossScaleOptimizer', 'LossScaleOptimizerV3', 'Custom>LossScaleOptimizerV3']) {
    const o = get(wrapped, name);
    assert.deepEqual([o.dynamicScale, o.dynamicGrowthSteps, o.learningRate], [8, 3, Math.fround(0.01)]);
  }
  assert.throws(
    () => get({ ...wrapped, dynamic: false }, 'LossScaleOptimizer'),
    /fixed scale \(number 8\).*lossScaleFactor/,
  );
  const old = {
    optimizer: wrapped.inner_optimizer,
    loss_scale: {
      class_name: 'DynamicLossScale',
      config: { initial_loss_scale: 4, increment_period: 9, multiplier: 2 },
    },
  };
  assert.deepEqual([get(old, 'LossScaleOptimizer').dynamicScale], [4]);
  const model = {
    format: 'layers-model',
    modelTopology: { training_config: { optimizer_config: { class_name: 'Adam', config: { lr: 0.5 } } } },
  };
  assert.equal(optimizers.get(model).learningRate, 0.5);
});
