// simdescent/keras with the kinds of file that people have: whole models and weights in one HDF5 file, folders, files of
// Keras 2, files whose name says something else. Each opens, goes on as in Keras, and is saved as what it was.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { unzipSync, zipSync } from 'fflate';
import { Adam, init, Muon, optimizers, schedules, Variable } from '../../dist/index.js';
import { kerasJson, openKeras, saveKeras } from '../../dist/keras.js';
import { within } from './conformance/compare.mjs';
import { assertSameBits, assertSameSnapshot, randomFloats, root, snapshot } from './helpers.mjs';
import { contentsOf, makeHdf5 } from './keras-archive.mjs';

await init();

const folder = join(root, 'tests/vectors/keras-files');
const { cases } = JSON.parse(readFileSync(join(folder, 'index.json'), 'utf8'));
const read = (file) => new Uint8Array(readFileSync(join(folder, file)));
const tolerance = 1e-6;

const variablesOf = (file) =>
  file.variables.map(
    ({ value, path, shape, constraint }) => new Variable(value, { path, shape, constraint }),
  );
async function opened(bytes, options) {
  const file = await openKeras(bytes, options);
  const variables = variablesOf(file);
  file.build(variables);
  return { file, variables, optimizer: file.optimizer };
}
const gradientsFor = (variables, seed) => variables.map(({ size }, k) => randomFloats(size, seed + k));
const refused = (promise, Type, ...patterns) =>
  assert.rejects(promise, (error) => {
    assert.equal(error.constructor, Type, error.stack);
    for (const pattern of patterns) assert.match(error.message, pattern);
    return true;
  });

function isKnown({ optimizer }) {
  try {
    optimizers.get(optimizer.class_name).dispose();
    return true;
  } catch {
    return false;
  }
}

for (const recorded of cases.filter((one) => one.file.endsWith('.h5') && isKnown(one))) {
  const { file: name, saved, steps } = recorded;
  test(`${name}: goes on as in Keras, also after being saved on the way, as what it was`, async () => {
    let { file, variables, optimizer } = await opened(read(name));
    assert.deepEqual(
      file.variables.map(({ path, shape }) => ({ path, shape })),
      recorded.variables.map(({ path, shape }) => ({ path, shape })),
    );
    saved.optimizer_variables.forEach(({ values }, k) => {
      const { value } = optimizer.variables[k];
      assertSameBits(typeof value === 'number' ? [value] : value, Float32Array.from(values));
    });
    for (const [k, step] of steps.entries()) {
      optimizer.apply(step.grads.map((grad) => Float32Array.from(grad)));
      variables.forEach((variable, i) => {
        const expected = Float32Array.from(recorded.variables_after_step[k][i]);
        assert.equal(within(variable.value, expected, tolerance), null, `step ${k}, ${variable.path}`);
      });
      if (k !== 2) continue;
      const before = snapshot(optimizer, variables);
      const bytes = await saveKeras(read(name), optimizer, variables);
      const [old, now] = [contentsOf(read(name)), contentsOf(bytes)];
      assert.deepEqual(Object.keys(now), Object.keys(old));
      for (const [path, { attributes, metadata }] of Object.entries(old)) {
        assert.deepEqual(now[path].attributes, attributes, path);
        assert.deepEqual(now[path].metadata, metadata, path);
      }
      ({ file, variables, optimizer } = await opened(bytes));
      assertSameSnapshot(snapshot(optimizer, variables), before);
    }
    assert.equal(optimizer.iterations, recorded.iterations_final);
  });
}

const layer = (className, name, config = {}) => ({ class_name: className, config: { name, ...config } });
const sequential = (...layers) => layer('Sequential', 'seq', { layers });
const adam2 = {
  module: 'keras.optimizers',
  class_name: 'Adam',
  config: { name: 'adam', learning_rate: 0.01, jit_compile: false, is_legacy_optimizer: false },
};
const keras2 = (model, datasets, optimizer = adam2) =>
  zipSync({
    'metadata.json': Buffer.from('{"keras_version": "2.15.0"}'),
    'config.json': Buffer.from(JSON.stringify({ ...model, compile_config: { optimizer } })),
    'model.weights.h5': makeHdf5(datasets),
  });
const weightsAt = (group, ...shapes) =>
  Object.fromEntries(shapes.map((shape, k) => [`${group}/vars/${k}`, { shape }]));
const filled = (shape, x) => ({ shape, values: Array(shape.reduce((a, b) => a * b, 1)).fill(x) });
/** As Keras 2.12 to 2.15: the count, (averages,) m and v of each variable; variable k's m is k + 0.25, its v k + 0.5. */
function state2(shapes, { iteration = 7, averages = false } = {}) {
  const entries = [{ shape: [], values: [BigInt(iteration)], dtype: '<q' }];
  if (averages) entries.push(...shapes.map((shape, k) => filled(shape, k + 0.75)));
  entries.push(...shapes.flatMap((shape, k) => [filled(shape, k + 0.25), filled(shape, k + 0.5)]));
  return Object.fromEntries(entries.map((entry, k) => [`optimizer/vars/${k}`, entry]));
}
function assertState2(optimizer, variables, { iteration = 7, rate = 0.01 } = {}) {
  assert.equal(optimizer.rawIterations, iteration);
  assert.equal(optimizer.learningRate, Math.fround(rate));
  const slots = optimizer.variables.filter(({ path }) => /(momentum|velocity)$/.test(path));
  assert.equal(slots.length, 2 * variables.length);
  slots.forEach(({ value }, k) => {
    const expected = Math.floor(k / 2) + (k % 2 ? 0.5 : 0.25);
    assert.ok(
      [value].flat().every((x) => (typeof x === 'number' ? x === expected : x.every((y) => y === expected))),
      `slot ${k}`,
    );
  });
}
const fourShapes = [[2, 2], [2], [2, 2], [2]];

for (const [what, groups, options] of [
  ['2.14, on Linux', ['layers/dense', 'layers/dense_1'], {}],
  [
    '2.13, layers counted twice',
    ['_layer_checkpoint_dependencies/dense', '_layer_checkpoint_dependencies/dense_2'],
    {},
  ],
  ['2.15, on Windows', ['layers\\dense', 'layers\\dense_1'], {}],
  ['2.14, with averages', ['layers/dense', 'layers/dense_1'], { averages: true }],
])
  test(`Keras ${what}: the state without a rate, and the same back`, async () => {
    const model = sequential(layer('InputLayer', 'in'), layer('Dense', 'a'), layer('Dense', 'b'));
    const optimizer = { ...adam2, config: { ...adam2.config, use_ema: Boolean(options.averages) } };
    const bytes = keras2(
      model,
      {
        ...weightsAt(groups[0], [2, 2], [2]),
        ...weightsAt(groups[1], [2, 2], [2]),
        ...state2(fourShapes, options),
      },
      optimizer,
    );
    const file = await opened(bytes);
    assert.deepEqual(
      file.variables.map(({ path }) => path),
      ['seq/a/kernel', 'seq/a/bias', 'seq/b/kernel', 'seq/b/bias'],
    );
    assertState2(file.optimizer, file.variables);
    file.optimizer.apply(gradientsFor(file.variables, 1));
    const before = snapshot(file.optimizer, file.variables);
    const saved = await saveKeras(bytes, file.optimizer, file.variables);
    const [old, now] = [bytes, saved].map((one) => contentsOf(unzipSync(one)['model.weights.h5']));
    assert.deepEqual(Object.keys(now), Object.keys(old));
    for (const path of Object.keys(old)) assert.deepEqual(now[path].metadata, old[path].metadata, path);
    const again = await opened(saved);
    assertSameSnapshot(snapshot(again.optimizer, again.variables), before);
  });

test('Keras 2.15, compiled and not trained: the state that is saved has no rate either', async () => {
  const model = sequential(layer('Dense', 'a'));
  const bytes = keras2(model, {
    ...weightsAt('layers/dense', [2, 2], [2]),
    'optimizer/vars/0': { shape: [], values: [0n], dtype: '<q' },
  });
  const file = await opened(bytes);
  file.optimizer.apply(gradientsFor(file.variables, 1));
  const saved = await saveKeras(bytes, file.optimizer, file.variables);
  const entries = contentsOf(unzipSync(saved)['model.weights.h5']);
  assert.equal(Object.keys(entries).filter((path) => /optimizer\/vars\/\d/.test(path)).length, 5);
  const again = await opened(saved);
  assertSameSnapshot(snapshot(again.optimizer, again.variables), snapshot(file.optimizer, file.variables));
});

/** A whole model in one HDF5 file, as Keras 2 wrote it. */
function legacy(model, layers, { optimizer, state = [], version = '2.10.0' }) {
  const datasets = {};
  const attributes = {
    '': {
      model_config: JSON.stringify(model),
      keras_version: version,
      training_config: JSON.stringify({ loss: 'mse', optimizer_config: optimizer }),
    },
    model_weights: { layer_names: Object.keys(layers) },
    optimizer_weights: { weight_names: state.map(([name]) => name) },
  };
  for (const [name, weights] of Object.entries(layers)) {
    attributes[`model_weights/${name}`] = { weight_names: weights.map(([weight]) => weight) };
    for (const [weight, shape] of weights) datasets[`model_weights/${name}/${weight}`] = { shape };
  }
  for (const [name, entry] of state) datasets[`optimizer_weights/${name}`] = entry;
  return makeHdf5(datasets, {}, attributes);
}
const twoDense = {
  a: [
    ['a/kernel:0', [2, 2]],
    ['a/bias:0', [2]],
  ],
  b: [
    ['b/kernel:0', [2, 2]],
    ['b/bias:0', [2]],
  ],
};
const names = ['a/kernel', 'a/bias', 'b/kernel', 'b/bias'];
const count = (name, iteration = 7) => [name, { shape: [], values: [BigInt(iteration)], dtype: '<q' }];

const legacyAdam = {
  name: 'Adam',
  learning_rate: 0.01,
  decay: 0.0,
  beta_1: 0.9,
  beta_2: 0.999,
  epsilon: 1e-7,
  amsgrad: false,
};
const bySlot = (name) => [
  ...names.map((path, k) => [name(path, 'm', k), filled(fourShapes[k], k + 0.25)]),
  ...names.map((path, k) => [name(path, 'v', k), filled(fourShapes[k], k + 0.5)]),
];
for (const [what, optimizer, state, version] of [
  [
    'TensorFlow 2.10',
    { class_name: 'Adam', config: legacyAdam },
    [count('Adam/iter:0'), ...bySlot((path, slot) => `Adam/${path}/${slot}:0`)],
    '2.10.0',
  ],
  [
    'Keras 2.2, with scalars for vhat',
    {
      class_name: 'Adam',
      config: { lr: 0.01, beta_1: 0.9, beta_2: 0.999, decay: 0.0, epsilon: 1e-7, amsgrad: false },
    },
    [
      count('Adam/iterations:0'),
      ...bySlot((_, slot, k) => `training/Adam/Variable_${k}${slot}:0`),
      ...names.map((_, k) => [`training/Adam/vhat_${k}:0`, filled([1], 0)]),
    ],
    '2.2.4',
  ],
  [
    'TensorFlow 2.13',
    { class_name: 'Custom>Adam', config: adam2.config },
    [
      count('iteration:0'),
      ...names.flatMap((path, k) => [
        [`Adam/m/${path}:0`, filled(fourShapes[k], k + 0.25)],
        [`Adam/v/${path}:0`, filled(fourShapes[k], k + 0.5)],
      ]),
    ],
    '2.13.1',
  ],
])
  test(`a whole model in .h5 of ${what}: state in its order, and saved in it`, async () => {
    const model = sequential(layer('Dense', 'a'), layer('Dense', 'b'));
    const bytes = legacy(model, twoDense, { optimizer, state, version });
    const file = await opened(bytes);
    assert.deepEqual(
      file.variables.map(({ path }) => path),
      names,
    );
    assertState2(file.optimizer, file.variables);
    file.optimizer.apply(gradientsFor(file.variables, 3));
    const saved = await saveKeras(bytes, file.optimizer, file.variables);
    const [old, now] = [bytes, saved].map((one) => contentsOf(one));
    assert.deepEqual(Object.keys(now), Object.keys(old));
    for (const path of Object.keys(old)) assert.deepEqual(now[path].attributes, old[path].attributes, path);
    const again = await opened(saved);
    assertSameSnapshot(snapshot(again.optimizer, again.variables), snapshot(file.optimizer, file.variables));
    file.optimizer.learningRate = 0.5;
    const changed = await opened(await saveKeras(bytes, file.optimizer, file.variables));
    assert.equal(changed.optimizer.learningRate, 0.5);
  });

test('whole models in .h5: a name with a backslash is one name, as it is in Keras', async () => {
  const weights = { 'a\\b': [['a\\b/kernel:0', [2, 2]]] };
  const state = [
    count('iteration:0'),
    ...['m', 'v'].map((slot) => [`${slot}/a\\b/kernel:0`, filled([2, 2], 0.5)]),
  ];
  const model = sequential(layer('Dense', 'a\\b'));
  const bytes = legacy(model, weights, { optimizer: adam2, state, version: '2.13.1' });
  const file = await opened(bytes);
  assert.equal(file.variables[0].path, 'a\\b/kernel');
  file.optimizer.apply(gradientsFor(file.variables, 3));
  const again = await opened(await saveKeras(bytes, file.optimizer, file.variables));
  assertSameSnapshot(snapshot(again.optimizer, again.variables), snapshot(file.optimizer, file.variables));
});

test('whole models in .h5: what is frozen, moving statistics, models within, nothing compiled', async () => {
  const inner = layer('Functional', 'inner', {
    layers: [layer('Dense', 'deep', { trainable: false }), layer('Dense', 'top')],
  });
  const model = layer('Functional', 'net', {
    layers: [layer('Dense', 'a', { trainable: false }), layer('BatchNormalization', 'norm'), inner],
  });
  const layers = {
    a: [['a/kernel:0', [2, 2]]],
    norm: ['gamma', 'beta', 'moving_mean', 'moving_variance'].map((name) => [`norm/${name}:0`, [2]]),
    inner: [
      ['top/kernel:0', [2, 1]],
      ['deep/kernel:0', [2, 2]],
    ],
  };
  const bytes = legacy(model, layers, { optimizer: { class_name: 'Adam', config: legacyAdam } });
  const file = await openKeras(bytes);
  assert.deepEqual(
    file.variables.map(({ path }) => path),
    ['norm/gamma', 'norm/beta', 'top/kernel'],
  );
  const variables = variablesOf(file);
  file.build(variables);
  assert.equal(file.optimizer.rawIterations, 0);
  file.optimizer.apply(gradientsFor(variables, 4));
  const trained = await opened(await saveKeras(bytes, file.optimizer, variables));
  assertSameSnapshot(snapshot(trained.optimizer, trained.variables), snapshot(file.optimizer, variables));
  const alone = legacy(model, layers, { optimizer: null });
  const weights = await openKeras(alone);
  assert.equal(weights.optimizer, null);
  assert.throws(() => weights.build(variables), /no optimizer, only weights/);
  variables[2].assign([5, 6]);
  const saved = await saveKeras(alone, null, variables);
  assert.deepEqual([...(await openKeras(saved)).variables[2].value], [5, 6]);
  await refused(saveKeras(alone, file.optimizer, variables), RangeError, /no optimizer, only weights/);
});

test('the files of a folder, an archive under another name, bytes that are something else', async () => {
  const files = unzipSync(read('adam.keras'));
  const { optimizer, variables } = await opened({ ...files });
  optimizer.apply(gradientsFor(variables, 2));
  const saved = await saveKeras({ ...files, 'assets/x': new Uint8Array(3) }, optimizer, variables);
  assert.deepEqual(Object.keys(saved).sort(), [
    'assets/x',
    'config.json',
    'metadata.json',
    'model.weights.h5',
  ]);
  const again = await opened(saved);
  assertSameSnapshot(snapshot(again.optimizer, again.variables), snapshot(optimizer, variables));
  await refused(openKeras({ 'config.json': files['config.json'] }), RangeError, /has no model\.weights\.h5/);
  const text = (what) => new TextEncoder().encode(what);
  await refused(
    openKeras(text('version https://git-lfs.github.com/spec/v1\noid')),
    RangeError,
    /pointer of Git LFS/,
  );
  await refused(openKeras(text('<!doctype html><title>404')), RangeError, /page of HTML/);
  await refused(
    openKeras(optimizer.serializeState()),
    RangeError,
    /a safetensors file, and no model saved by Keras/,
  );
});

test('a kernel that is stored twice is read once and written twice', async () => {
  const { variables, optimizer } = await opened(read('adam-spectral.keras'));
  optimizer.apply(gradientsFor(variables, 1));
  const entries = contentsOf(
    unzipSync(await saveKeras(read('adam-spectral.keras'), optimizer, variables))['model.weights.h5'],
  );
  const at = (path) => Object.entries(entries).find(([name]) => name.endsWith(path))[1].value;
  assert.deepEqual(at('spectral_normalization/vars/0'), at('spectral_normalization/layer/vars/0'));
  assertSameBits(at('spectral_normalization/vars/0'), variables[0].value);
});

test('constraints come with the variables, of every layer that has some', async () => {
  const max = { module: 'keras.constraints', class_name: 'MaxNorm', config: { max_value: 2, axis: 0 } };
  const model = sequential(
    layer('LSTM', 'memory', { kernel_constraint: max, recurrent_constraint: 'unit_norm' }),
    layer('Embedding', 'words', { embeddings_constraint: { class_name: 'NonNeg', config: {} } }),
    layer('Dense', 'own', { kernel_constraint: { class_name: 'Custom>Mine', config: { by: 3 } } }),
  );
  const bytes = keras2(model, {
    ...weightsAt('layers/lstm/cell', [2, 8], [2, 8], [8]),
    ...weightsAt('layers/embedding', [3, 2]),
    ...weightsAt('layers/dense', [2, 2], [2]),
  });
  await refused(
    openKeras(bytes),
    RangeError,
    /'seq\/own\/kernel' has the constraint "Custom>Mine".*customObjects/,
  );
  const Mine = (values) => values;
  const { variables } = await openKeras(bytes, { customObjects: { Mine } });
  const found = variables.map(
    ({ constraint }) => constraint && [constraint.constructor.name, constraint.getConfig()],
  );
  assert.deepEqual(found.slice(0, 4), [
    ['MaxNorm', { max_value: 2, axis: 0 }],
    ['UnitNorm', { axis: 0 }],
    undefined,
    ['NonNeg', {}],
  ]);
  assert.deepEqual([...variables[4].constraint.apply(Float32Array.of(5))], [5]);
});

test('weights that may be untrained are told by the state, where its shapes leave no choice', async () => {
  const model = sequential(layer('Custom>Mixer', 'mixer'), layer('Dense', 'last'));
  const own = weightsAt('layers/mixer', [2, 3], [3], [4]); // the last one is not trained
  const last = weightsAt('layers/dense', [3, 1], [1]);
  const { file } = await opened(keras2(model, { ...own, ...last, ...state2([[2, 3], [3], [3, 1], [1]]) }));
  assert.deepEqual(
    file.variables.map(({ path }) => path),
    ['seq/mixer/0', 'seq/mixer/1', 'seq/last/kernel', 'seq/last/bias'],
  );
  // Nothing has been trained.
  const told = [];
  const { warn } = console;
  console.warn = (text) => told.push(text);
  try {
    const fresh = await openKeras(keras2(model, { ...own, ...last }));
    assert.equal(fresh.variables.length, 5);
  } finally {
    console.warn = warn;
  }
  assert.match(told.join(), /which weights of 'layers\/mixer' are trained is not in the file.*option order/);
  // Muon's state does not tell how many weights it is of.
  const muon = { class_name: 'Muon', config: { name: 'muon' } };
  const entries = state2([[2, 3], [3]]);
  await refused(
    openKeras(keras2(model, { ...own, ...last, ...entries }, muon)),
    RangeError,
    /5 variables, and 10 are expected for the 5 .*If not all of these are trained \(layers\/mixer\), .*option order/,
  );
  // Two choices: the middle weight may be trained or the bias' twin.
  const twins = { ...weightsAt('layers/mixer', [2], [2]), ...weightsAt('layers/mixer_1', [2], [2]) };
  const two = sequential(layer('Mixer', 'one'), layer('Mixer', 'two'));
  const unclear = keras2(two, { ...twins, ...state2([[2], [2]]) });
  await refused(openKeras(unclear), RangeError, /more than one choice.*layers\/mixer.*option order/);
  const chosen = await opened(unclear, { order: ['seq/one/0', 'two/0'] });
  assert.deepEqual(
    chosen.file.variables.map(({ path }) => path),
    ['seq/one/0', 'two/0'],
  );
  assertState2(chosen.optimizer, chosen.variables);
});

test('frozen parts of an attention layer are told by the state', async () => {
  const model = sequential(layer('MultiHeadAttention', 'attend'), layer('Dense', 'last'));
  const parts = ['query', 'key', 'value', 'output'].map(
    (name) => `layers/multi_head_attention/${name}_dense`,
  );
  const datasets = Object.assign({}, ...parts.map((group, k) => weightsAt(group, [4, 2, k + 3], [2, k + 3])));
  const shapes = [
    [4, 2, 3],
    [2, 3],
    [4, 2, 5],
    [2, 5],
    [3, 1],
  ];
  const { file } = await opened(
    keras2(model, { ...datasets, ...weightsAt('layers/dense', [3, 1]), ...state2(shapes) }),
  );
  assert.deepEqual(
    file.variables.map(({ path }) => path),
    ['query', 'value']
      .flatMap((name) => [`seq/attend/${name}_dense/kernel`, `seq/attend/${name}_dense/bias`])
      .concat('seq/last/kernel'),
  );
});

test('a subclassed model needs an order, by path or by dataset, and is saved by it', async () => {
  const model = { class_name: 'Net', config: {}, registered_name: 'Custom>Net' };
  const bytes = keras2(model, {
    ...weightsAt('second', [3, 1], [1]),
    ...weightsAt('first', [2, 3], [3]),
    ...state2([[2, 3], [3], [3, 1], [1]]),
  });
  await refused(openKeras(bytes), RangeError, /order of the parts.*option order.*'first\/vars\/0'/);
  for (const order of [
    ['first/vars/0', 'first/vars/1', 'second/vars/0', 'second/vars/1'],
    ['first/0', 'first/1', 'second/0', 'second/1'],
    ['net/first/kernel', 'net/first/bias', 'net/second/kernel', 'net/second/bias'], // as model.trainable_variables
  ]) {
    const file = await opened(bytes, { order });
    assertState2(file.optimizer, file.variables);
    file.optimizer.apply(gradientsFor(file.variables, 1));
    const again = await opened(await saveKeras(bytes, file.optimizer, file.variables, { order }), { order });
    assertSameSnapshot(snapshot(again.optimizer, again.variables), snapshot(file.optimizer, file.variables));
  }
  await refused(openKeras(bytes, { order: ['first/0'] }), RangeError, /9 variables, and 4 are expected/);
  await refused(
    openKeras(bytes, { order: ['third/0'] }),
    RangeError,
    /no weight 'third\/0'; it has 'first\/0'/,
  );
  await refused(openKeras(bytes, { order: ['first/0', 'first/0'] }), RangeError, /'first\/0' is there twice/);
  await refused(
    openKeras(bytes, { order: 'first' }),
    TypeError,
    /order must be an array of paths, got "first"/,
  );
});

test('LoRA of a layer that is not known, or quantized, is refused by its name', async () => {
  const file = (type, dtype) =>
    keras2(sequential(layer(type, 'a', { lora_rank: 4 })), {
      'layers/dense/vars/0': { shape: [2, 2], dtype },
      'layers/mine/vars/0': { shape: [2, 2] },
    });
  const known =
    /'seq\/a', a (Dense|Mine), has LoRA matrices \(lora_rank 4\).*Dense, EinsumDense, Embedding and Conv/;
  await refused(openKeras(file('Dense', '<i')), RangeError, known);
  await refused(openKeras(file('Mine', '<f')), RangeError, known);
});

test('LoRA in a whole-model .h5: the matrices are in the file', async () => {
  const model = sequential(layer('Dense', 'a', { lora_rank: 1, lora_alpha: 2 }));
  const parts = ['bias', 'lora_kernel_a', 'lora_kernel_b', 'kernel'];
  const shapes = [[3], [2, 1], [1, 3], [2, 3]];
  const weights = { a: parts.map((name, k) => [`seq/a/${name}`, shapes[k]]) };
  const state = [count('adam/iteration'), ['adam/learning_rate', { shape: [], values: [0.5] }]].concat(
    [0, 0, 1, 1, 2, 2].map((k, at) => [
      `adam/${parts[k]}_${at & 1 ? 'velocity' : 'momentum'}`,
      filled(shapes[k], at),
    ]),
  );
  const bytes = legacy(model, weights, { optimizer: adam2, state, version: '3.16.0' });
  const file = await opened(bytes);
  assert.deepEqual(
    file.variables.map(({ path }) => path),
    parts.slice(0, 3).map((name) => `seq/a/${name}`),
  );
  file.optimizer.apply(gradientsFor(file.variables, 3));
  const saved = await saveKeras(bytes, file.optimizer, file.variables);
  const [old, now] = [bytes, saved].map((one) => contentsOf(one));
  const kernel = Object.keys(old).find((path) => path.endsWith('/kernel'));
  assert.deepEqual(now[kernel], old[kernel]);
  const again = await opened(saved);
  assertSameSnapshot(snapshot(again.optimizer, again.variables), snapshot(file.optimizer, file.variables));
});

test('weights alone of several classes: the state tells their order, where its shapes leave no choice', async () => {
  const datasets = {
    ...weightsAt('layers/conv2d', [2, 2, 1, 3], [3]),
    ...weightsAt('layers/batch_normalization', [3], [3], [3], [3]),
    ...weightsAt('layers/dense', [3, 4], [4]),
    ...weightsAt('layers/dense_1', [4, 1], [1]),
  };
  const shapes = [[2, 2, 1, 3], [3], [3], [3], [3, 4], [4], [4, 1], [1]];
  const bytes = makeHdf5({ ...datasets, ...state2(shapes) }, { 'optimizer/vars': 'adam' });
  const file = await opened(bytes);
  assert.deepEqual(
    file.variables.map(({ path }) => path),
    [
      'conv2d/kernel',
      'conv2d/bias',
      'batch_normalization/gamma',
      'batch_normalization/beta',
      'dense/kernel',
      'dense/bias',
      'dense_1/kernel',
      'dense_1/bias',
    ],
  );
  assertState2(file.optimizer, file.variables, { rate: 0.001 });
  const alone = await openKeras(makeHdf5(datasets));
  assert.equal(alone.optimizer, null);
  assert.equal(alone.variables.length, 8);
  const twins = { ...weightsAt('layers/dense', [2, 2]), ...weightsAt('layers/einsum_dense', [2, 2]) };
  const unclear = makeHdf5(
    {
      ...twins,
      ...state2([
        [2, 2],
        [2, 2],
      ]),
    },
    { 'optimizer/vars': 'adam' },
  );
  await refused(openKeras(unclear), RangeError, /more than one choice.*in which order.*layers\/dense/);
  const told = await opened(unclear, { order: ['einsum_dense/kernel', 'dense/kernel'] });
  assertState2(told.optimizer, told.variables, { rate: 0.001 });
});

test('weights alone: parts whose order nobody knows are not taken in any, and what a layer has tells its names', async () => {
  const square = [[2, 2], [2], [2, 2], [2]];
  const parts = { ...weightsAt('layers/two/b', [2, 2], [2]), ...weightsAt('layers/two/a', [2, 2], [2]) };
  const named = { 'optimizer/vars': 'adam' };
  const twins = makeHdf5({ ...parts, ...state2(square) }, named);
  await refused(openKeras(twins), RangeError, /order of the parts of 'two' \(a, b\) is not in the file/);
  const told = await opened(twins, { order: ['two/b/kernel', 'two/b/bias', 'two/a/kernel', 'two/a/bias'] });
  assertState2(told.optimizer, told.variables, { rate: 0.001 });
  assert.equal((await openKeras(makeHdf5(parts))).variables.length, 4); // without a state there is nothing to match
  const distinct = { ...weightsAt('layers/two/a', [2, 4], [4]), ...weightsAt('layers/two/b', [4, 1], [1]) };
  await opened(makeHdf5({ ...distinct, ...state2([[2, 4], [4], [4, 1], [1]]) }, named));

  // Without gamma, or beta; moving statistics are the last two.
  const norms = {
    ...weightsAt('layers/batch_normalization', [2], [2], [2]),
    ...weightsAt('layers/dense', [2, 1]),
  };
  const { file } = await opened(makeHdf5({ ...norms, ...state2([[2], [2, 1]]) }, named));
  assert.deepEqual(
    file.variables.map(({ path }) => path),
    ['batch_normalization/0', 'dense/kernel'],
  );
  assert.deepEqual([...file.variables[0].value], [0, 0]); // the first dataset
  const beta = await openKeras(makeHdf5({ ...norms, ...state2([[2], [2, 1]]) }, named), {
    order: ['batch_normalization/beta', 'dense/kernel'],
  });
  assert.deepEqual([...beta.variables[0].value], [0, 0]);
});

test('half types: bfloat16 and float16 as h5py writes them, there and back', async () => {
  for (const [name, values, rounded] of [
    [
      'bfloat16.keras',
      [1.5, -2.25, 0.00299072265625, 1000],
      [0.10009765625, 65536, -1.0011717677116394e-7, 3],
    ],
    [
      'float16.keras',
      [1.5, -2.25, 0.0030002593994140625, 1000],
      [0.0999755859375, 65504, -1.1920928955078125e-7, 3],
    ],
  ]) {
    const file = await opened(read(name));
    assertSameBits(file.variables[0].value, Float32Array.from(values));
    file.variables[0].assign([0.1, 65504, -1e-7, 3]);
    const again = await openKeras(await saveKeras(read(name), file.optimizer, file.variables));
    assertSameBits(again.variables[0].value, Float32Array.from(rounded));
  }
});

test('weights of other float types are converted, and written back in their own', async () => {
  const model = sequential(layer('Dense', 'a'));
  const values = [1 / 3, -2.5, 1e-3, 7];
  const datasets = {
    'layers/dense/vars/0': { shape: [2, 2], values, dtype: '<d' },
    'layers/dense/vars/1': { shape: [2], values: [1, 2] },
    ...state2([[2, 2], [2]]),
  };
  const bytes = keras2(model, datasets);
  const { warn } = console;
  const said = [];
  console.warn = (text) => said.push(text);
  const file = await opened(bytes).finally(() => {
    console.warn = warn;
  });
  assert.match(said.join(), /'seq\/a\/kernel' is float64 in the file, float32 here/);
  assertSameBits(file.variables[0].value, Float32Array.from(values));
  const entries = contentsOf(
    unzipSync(await saveKeras(bytes, file.optimizer, file.variables))['model.weights.h5'],
  );
  assert.deepEqual(
    Object.entries(entries).find(([path]) => path.endsWith('dense/vars/0'))[1].value,
    Float64Array.from(values, Math.fround),
  );
});

test('a rate that became a schedule takes its place out of the state, as in Keras', async () => {
  for (const name of ['adam.keras', 'loss-scale-adam.keras', 'adam-small.h5']) {
    const { optimizer, variables } = await opened(read(name));
    const inner = optimizer.innerOptimizer ?? optimizer;
    const scheduled = { initialLearningRate: 1, decaySteps: 10, decayRate: 0.5 };
    inner.learningRate = new schedules.ExponentialDecay(scheduled);
    optimizer.apply(gradientsFor(variables, 1));
    const saved = await saveKeras(read(name), optimizer, variables);
    const again = await opened(saved);
    assertSameSnapshot(snapshot(again.optimizer, again.variables), snapshot(optimizer, variables));
    const of = (bytes) =>
      Object.keys(contentsOf(name.endsWith('.h5') ? bytes : unzipSync(bytes)['model.weights.h5']));
    assert.equal(of(read(name)).length - of(saved).length, name.startsWith('loss') ? 2 : 1, name);
  }
});

test('progress is told, and the page goes on meanwhile', async () => {
  const calls = [];
  await openKeras(read('adam.keras'), { onProgress: (done, total) => calls.push([done, total]) });
  assert.equal(calls.at(-1)[0], calls.at(-1)[1]);
  assert.ok(calls.every(([done], k) => k === 0 || done > calls[k - 1][0]));
  await refused(openKeras(read('adam.keras'), { onProgress: 1 }), TypeError, /onProgress must be a function/);
});

test('configs as Python writes them', () => {
  const text = kerasJson(new Adam({ learningRate: 1, emaOverwriteFrequency: 3 }));
  assert.match(text, /"learning_rate": 1\.0, /);
  assert.match(text, /"ema_overwrite_frequency": 3, /);
  const { class_name: name, config } = JSON.parse(text);
  assert.deepEqual([name, config.learning_rate], ['Adam', 1]);
  assert.match(kerasJson(new Muon()), /"ns_steps": 5, /); // the range of a loop
  assert.equal(
    kerasJson({ momentum: 0, decay_steps: 3, name: 'ä' }),
    '{"momentum": 0.0, "decay_steps": 3, "name": "\\u00e4"}',
  );
});
