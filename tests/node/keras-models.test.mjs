// simdescent/keras with models of other shapes than the recorded files: which weights are trained, in which order,
// and what is said when the file does not tell. The files are made here, in the layout that Keras 3's saving_lib
// and layers write.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { Adam, init, LossScaleOptimizer, Variable } from '../../dist/index.js';
import { openKeras, saveKeras } from '../../dist/keras.js';
import { assertSameSnapshot, randomFloats, snapshot } from './helpers.mjs';
import { adamState, pack, unpack } from './keras-archive.mjs';

before(() => init());

const layer = (className, name, config = {}) => ({ class_name: className, config: { name, ...config } });
const compiled = (model, optimizer = 'adam') => ({ ...model, compile_config: { optimizer, loss: 'mse' } });
const weights = (group, ...shapes) =>
  Object.fromEntries(shapes.map((shape, k) => [`${group}/vars/${k}`, { shape }]));
const variablesOf = (file) =>
  file.variables.map(({ value, path, shape }) => new Variable(value, { path, shape }));
const gradientsFor = (variables, seed) => variables.map(({ size }, k) => randomFloats(size, seed + k));

/** A file, its weights as `expected` says, and the state of each of them found. */
async function assertMapped(bytes, expected) {
  const file = await openKeras(bytes);
  assert.deepEqual(
    file.variables.map(({ path, shape }) => `${path} ${shape.join('x')}`),
    expected,
  );
  const variables = variablesOf(file);
  file.build(variables);
  for (const [k, { path, shape }] of file.variables.entries())
    for (const [suffix, fill] of [
      ['momentum', k],
      ['velocity', k + 0.5],
    ]) {
      const name = `adam/${path.replaceAll('/', '_')}_${suffix}`;
      const entry = file.optimizer.variables.find((variable) => variable.path === name);
      assert.deepEqual(entry?.shape, shape, name);
      assert.ok(
        entry.value.every((x) => x === fill),
        `${name} is filled with ${fill}`,
      );
    }
  return { file, variables };
}

test('functional models: composite layers, frozen ones, moving statistics, models within', async () => {
  const inner = layer('Sequential', 'inner', {
    trainable: true,
    layers: [layer('InputLayer', 'in'), layer('Dense', 'deep')],
  });
  const model = layer('Functional', 'net', {
    trainable: true,
    layers: [
      layer('InputLayer', 'x'),
      layer('Embedding', 'emb', { trainable: true }),
      layer('Bidirectional', 'both', { trainable: true, layer: layer('GRU', 'gru', { trainable: true }) }),
      layer('BatchNormalization', 'norm', { trainable: true, center: true, scale: false }),
      layer('Dense', 'first', { trainable: false }),
      layer('MultiHeadAttention', 'attend', { trainable: true }),
      layer('Dropout', 'drop'),
      layer('LSTM', 'memory', { trainable: true }),
      layer('Dense', 'second', { trainable: true }),
      inner,
    ],
  });
  const all = {
    ...weights('layers/embedding', [9, 4]),
    ...weights('layers/bidirectional/backward_layer/cell', [4, 6], [2, 6], [2, 6]),
    ...weights('layers/bidirectional/forward_layer/cell', [4, 6], [2, 6], [2, 6]),
    ...weights('layers/batch_normalization', [4], [4], [4]),
    ...weights('layers/dense', [4, 4], [4]),
    ...weights('layers/multi_head_attention/key_dense', [4, 2, 3], [2, 3]),
    ...weights('layers/multi_head_attention/output_dense', [2, 3, 4], [4]),
    ...weights('layers/multi_head_attention/query_dense', [4, 2, 5], [2, 5]),
    ...weights('layers/multi_head_attention/_gate_dense', [4, 2, 7], [2, 7]),
    ...weights('layers/multi_head_attention/value_dense', [4, 2, 6], [2, 6]),
    'layers/dropout/seed_generator/vars/0': { shape: [2], dtype: '<i' },
    ...weights('layers/lstm/cell', [4, 12], [3, 12], [12]),
    ...weights('layers/dense_1', [3, 2], [2]),
    ...weights('layers/sequential/layers/dense', [2, 1], [1]),
  };
  const expected = [
    'emb/embeddings 9x4',
    ...['forward_gru', 'backward_gru'].flatMap((name) => [
      `both/${name}/cell/kernel 4x6`,
      `both/${name}/cell/recurrent_kernel 2x6`,
      `both/${name}/cell/bias 2x6`,
    ]),
    'norm/beta 4',
    'attend/query/kernel 4x2x5',
    'attend/query/bias 2x5',
    'attend/key_dense/kernel 4x2x3',
    'attend/key_dense/bias 2x3',
    'attend/_gate_dense/kernel 4x2x7',
    'attend/_gate_dense/bias 2x7',
    'attend/value_dense/kernel 4x2x6',
    'attend/value_dense/bias 2x6',
    'attend/output_dense/kernel 2x3x4',
    'attend/output_dense/bias 4',
    'memory/lstm_cell/kernel 4x12',
    'memory/lstm_cell/recurrent_kernel 3x12',
    'memory/lstm_cell/bias 12',
    'second/kernel 3x2',
    'second/bias 2',
    'inner/deep/kernel 2x1',
    'inner/deep/bias 1',
  ];
  const shapes = expected.map((line) => line.split(' ')[1].split('x').map(Number));
  const names = {
    'layers/lstm/cell/vars': 'lstm_cell',
    'layers/multi_head_attention/query_dense/vars': 'query',
    'layers/bidirectional/forward_layer/vars': 'forward_gru',
    'layers/bidirectional/backward_layer/vars': 'backward_gru',
  };
  await assertMapped(pack(compiled(model), { ...all, ...adamState(shapes) }, names), expected);
});

test('a file of Keras 2.13 is read: its names of groups, its int64 counter', async () => {
  const model = layer('Sequential', 'seq', {
    layers: [layer('InputLayer', 'in'), layer('Dense', 'a'), layer('Dense', 'b')],
  });
  const optimizer = {
    module: 'keras.optimizers',
    class_name: 'Custom>Adam',
    config: { name: 'Adam', learning_rate: 0.01, jit_compile: true, is_legacy_optimizer: false },
  };
  const bytes = pack(compiled(model, { ...optimizer, config: { ...optimizer.config, name: 'adam' } }), {
    ...weights('_layer_checkpoint_dependencies/dense', [2, 2], [2]),
    ...weights('_layer_checkpoint_dependencies/dense_1', [2, 2], [2]),
    ...adamState([[2, 2], [2], [2, 2], [2]], { iteration: 70_000_001, dtype: '<q' }),
  });
  const expected = ['seq/a/kernel 2x2', 'seq/a/bias 2', 'seq/b/kernel 2x2', 'seq/b/bias 2'];
  const { file, variables } = await assertMapped(bytes, expected);
  assert.equal(file.optimizer.rawIterations, 70_000_001);
  file.optimizer.apply(gradientsFor(variables, 1));
  const { entries, text } = unpack(await saveKeras(bytes, file.optimizer, variables));
  assert.equal(text, unpack(bytes).text);
  const found = Object.entries(entries).find(([path]) => path.endsWith('optimizer/vars/0'))[1];
  assert.deepEqual([found.value, found.metadata.size], [70_000_002n, 8]);
});

const twoDense = (optimizer) =>
  compiled(layer('Sequential', 'seq', { layers: [layer('Dense', 'a'), layer('Dense', 'b')] }), optimizer);
const twoDenseWeights = {
  ...weights('layers/dense', [2, 2], [2]),
  ...weights('layers/dense_1', [2, 2], [2]),
};
const unbuilt = (group, rate = 0.001) => ({
  [`${group}/vars/0`]: { shape: [], values: [0], dtype: '<i' },
  [`${group}/vars/1`]: { shape: [], values: [rate] },
});

test('a model compiled but never trained begins anew, and its state is saved', async () => {
  const scaled = {
    class_name: 'LossScaleOptimizer',
    config: {
      name: 'scaled',
      inner_optimizer: { class_name: 'Adam', config: { name: 'adam' } },
      initial_scale: 8.0,
    },
  };
  const own = {
    'optimizer/vars/2': { shape: [], values: [0], dtype: '<i' },
    'optimizer/vars/3': { shape: [], values: [8] },
  };
  const inner = {
    'optimizer/vars/4': { shape: [], values: [0], dtype: '<i' },
    'optimizer/vars/5': { shape: [], values: [0.001] },
  };
  const files = {
    adam: pack(twoDense('adam'), { ...twoDenseWeights, ...unbuilt('optimizer') }),
    'no state at all': pack(twoDense('adam'), twoDenseWeights),
    Nadam: pack(twoDense('nadam'), { ...twoDenseWeights, ...unbuilt('optimizer') }), // has a scalar more once built
    LossScaleOptimizer: pack(twoDense(scaled), {
      ...twoDenseWeights,
      ...unbuilt('optimizer'),
      ...own,
      ...inner,
      ...unbuilt('optimizer/inner_optimizer'),
    }),
  };
  for (const [name, bytes] of Object.entries(files)) {
    const file = await openKeras(bytes);
    const variables = variablesOf(file);
    file.build(variables);
    assert.equal(file.optimizer.rawIterations, 0, name);
    for (let k = 0; k < 3; k++) file.optimizer.apply(gradientsFor(variables, 10 * k));
    const saved = await saveKeras(bytes, file.optimizer, variables);
    assert.equal(unpack(saved).text, unpack(bytes).text, name);
    const again = await openKeras(saved);
    const copies = variablesOf(again);
    again.build(copies);
    assertSameSnapshot(snapshot(again.optimizer, copies), snapshot(file.optimizer, variables));
    const { entries } = unpack(saved);
    const state = Object.keys(entries).filter((path) => /(^|\/)optimizer\/vars\/\d+$/.test(path));
    assert.equal(state.length, file.optimizer.variables.length, name);
    if (!(file.optimizer instanceof LossScaleOptimizer)) continue;
    for (const [path, { value }] of Object.entries(entries)) {
      const [, k] = /inner_optimizer\/vars\/(\d+)$/.exec(path) ?? [];
      if (k)
        assert.deepEqual(
          value,
          entries[path.replace(/inner_optimizer\/vars\/\d+/, `vars/${Number(k) + 4}`)].value,
          path,
        );
    }
    assert.equal(Object.keys(entries).filter((path) => /inner_optimizer\/vars\/\d+$/.test(path)).length, 10);
  }
});

test('an optimizer given to compile() by name is written out only once its options have changed', async () => {
  const bytes = pack(twoDense('adam'), { ...twoDenseWeights, ...unbuilt('optimizer') });
  const file = await openKeras(bytes);
  const variables = variablesOf(file);
  file.build(variables);
  file.optimizer.learningRate = 2;
  const { optimizer } = JSON.parse(
    unpack(await saveKeras(bytes, file.optimizer, variables)).text,
  ).compile_config;
  assert.equal(optimizer.class_name, 'Adam');
  assert.deepEqual(optimizer.config, file.optimizer.getConfig());
});

test('saving in another order than built is refused, though the shapes agree', async () => {
  const bytes = pack(twoDense('adam'), { ...twoDenseWeights, ...unbuilt('optimizer') });
  const [a, b, c, d] = variablesOf(await openKeras(bytes));
  const optimizer = new Adam();
  optimizer.build([c, d, a, b]);
  await assert.rejects(
    saveKeras(bytes, optimizer, [a, b, c, d]),
    /variables\[0\] is the optimizer's variable 2/,
  );
  await assert.rejects(saveKeras(bytes, optimizer, [c, d, b, a]), RangeError);
  await saveKeras(bytes, optimizer, [c, d, a, b]);
});

test('what the file does not tell is said, not guessed', async () => {
  const own = compiled(layer('Sequential', 'seq', { layers: [layer('Mixer', 'mixer')] }));
  const parts = pack(own, { ...weights('layers/mixer/up', [2]), ...weights('layers/mixer/down', [2]) });
  await assert.rejects(
    openKeras(parts),
    /RangeError: openKeras: the order of the parts of 'seq\/mixer' \(down, up\) is not in the file, and Mixer is not known/,
  );
  const one = pack(own, { ...weights('layers/mixer/up', [2, 3]), ...adamState([[2, 3]]) });
  await assertMapped(one, ['seq/mixer/up/0 2x3']);
  const strange = pack(twoDense('adam'), { ...twoDenseWeights, ...weights('layers/other', [1]) });
  await assert.rejects(
    openKeras(strange),
    /'layers\/other\/vars\/0' in model\.weights\.h5 belongs to no layer/,
  );
  const half = pack(twoDense('adam'), {
    ...twoDenseWeights,
    'layers/dense/vars/1': { shape: [2], dtype: '<d' },
  });
  assert.equal((await openKeras(half)).variables[1].value.constructor, Float32Array);
  const whole = pack(twoDense('adam'), {
    ...twoDenseWeights,
    'layers/dense/vars/1': { shape: [2], dtype: '<i' },
  });
  await assert.rejects(openKeras(whole), /'seq\/a\/bias' is int32; only floating-point weights/);
  const shifted = pack(twoDense('adam'), { ...twoDenseWeights, ...adamState([[2, 2], [2], [2], [2, 2]]) });
  await assert.rejects(
    openKeras(shifted),
    /'optimizer\/vars\/6' in the file has the shape \[2\], and momentum of 'seq\/b\/kernel' has \[2, 2\]/,
  );
  const lost = pack(twoDense('adam'), {
    ...twoDenseWeights,
    ...adamState([[2, 2], [2], [2, 2], [2]], { rate: Number.NaN }),
  });
  await assert.rejects(openKeras(lost), /learning_rate in the file is NaN/);
});
