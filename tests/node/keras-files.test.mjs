// simdescent/keras against real .keras files: opened, their optimizers go on as Keras' did; saved, everything that
// was not trained is as it was; and what is no such file is refused.
import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { Adam, Adamax, init, optimizers, Variable } from '../../dist/index.js';
import { openKeras, saveKeras } from '../../dist/keras.js';
import { within } from './conformance/compare.mjs';
import { assertRefused, assertSameBits, assertSameSnapshot, root, runModule, snapshot } from './helpers.mjs';
import { pack, repack, unpack, withConfig } from './keras-archive.mjs';

before(() => init());

const folder = join(root, 'tests/vectors/keras-files');
const { cases } = JSON.parse(readFileSync(join(folder, 'index.json'), 'utf8'));
const read = (file) => new Uint8Array(readFileSync(join(folder, file)));
const adamFile = read('adam.keras');
// The files are from Keras' torch backend, whose order of operations differs in the last bits from the one we follow.
const tolerance = 1e-6;

const variablesOf = (file) =>
  file.variables.map(
    ({ value, path, shape, constraint }) => new Variable(value, { path, shape, constraint }),
  );
const gradientsOf = (step) => step.grads.map((grad) => grad && Float32Array.from(grad));

async function opened(bytes, options) {
  const file = await openKeras(bytes, options);
  const variables = variablesOf(file);
  file.build(variables);
  return { file, variables, optimizer: file.optimizer };
}

const refused = (promise, Type, ...patterns) =>
  assert.rejects(promise, (error) => {
    assert.equal(error.constructor, Type, error.stack);
    for (const pattern of patterns) assert.match(error.message, pattern);
    return true;
  });

// .h5 files are in keras-kinds.test.mjs; what LoRA trains is not in a file as it was.
const known = cases.filter(({ file }) => file.endsWith('.keras') && file !== 'lora.keras');
for (const recorded of known) {
  const { file: name, saved, steps } = recorded;

  test(`${name}: weights and state are those that Keras saved`, async () => {
    const { file, optimizer } = await opened(read(name));
    assert.deepEqual(
      file.variables.map(({ path, shape }) => ({ path, shape })),
      recorded.variables.map(({ path, shape }) => ({ path, shape })),
    );
    file.variables.forEach(({ value, path }, k) => {
      assertSameBits(value, Float32Array.from(saved.variables[k]), path);
    });
    assert.deepEqual(
      optimizer.variables.map(({ path }) => path),
      saved.optimizer_variables.map(({ path }) => path),
    );
    saved.optimizer_variables.forEach(({ path, values, shape }, k) => {
      const { value, shape: ours } = optimizer.variables[k];
      assert.deepEqual(ours, shape, path);
      assertSameBits(typeof value === 'number' ? [value] : value, Float32Array.from(values), path);
    });
    const { config } = recorded.optimizer;
    for (const [key, value] of Object.entries(optimizer.getConfig()))
      if (key !== 'inner_optimizer') assert.deepEqual(value, config[key], key);
  });

  test(`${name}: goes on as in Keras, also after being saved on the way`, async () => {
    let { variables, optimizer } = await opened(read(name));
    for (const [k, step] of steps.entries()) {
      optimizer.apply(gradientsOf(step));
      variables.forEach((variable, i) => {
        const expected = Float32Array.from(recorded.variables_after_step[k][i]);
        assert.equal(within(variable.value, expected, tolerance), null, `step ${k}, ${variable.path}`);
      });
      if (k !== 2 || recorded.begins_anew) continue; // it would do so again
      const before = snapshot(optimizer, variables);
      const again = await opened(await saveKeras(read(name), optimizer, variables));
      assertSameSnapshot(snapshot(again.optimizer, again.variables), before);
      ({ variables, optimizer } = again);
    }
    assert.equal(optimizer.iterations, recorded.iterations_final);
  });

  test(`${name}: saving replaces the values and nothing else`, async () => {
    const { variables, optimizer } = await opened(read(name));
    for (const step of steps.slice(0, 3)) optimizer.apply(gradientsOf(step));
    const bytes = read(name);
    const old = unpack(bytes);
    const result = unpack(await saveKeras(bytes, optimizer, variables));
    assert.deepEqual(bytes, read(name), 'the given bytes');
    assert.deepEqual(Object.keys(result.files), Object.keys(old.files));
    assert.equal(result.text, old.text);
    assert.deepEqual(result.files['metadata.json'], old.files['metadata.json']);
    assert.deepEqual(Object.keys(result.entries), Object.keys(old.entries));
    let changed = 0;
    for (const [path, { attributes, metadata, value }] of Object.entries(old.entries)) {
      assert.deepEqual(result.entries[path].attributes, attributes, path);
      assert.deepEqual(result.entries[path].metadata, metadata, path);
      if (!assertEqual(result.entries[path].value, value)) changed++;
    }
    assert.ok(changed > variables.length, `${changed} datasets changed`);
  });

  test(`${name}: plain arrays do as well, and stay in place`, async (t) => {
    const file = await openKeras(read(name).buffer);
    if (file.variables.some(({ constraint }) => constraint)) return t.skip('an array has no constraint');
    if (/Adafactor|Muon/.test(JSON.stringify(recorded.optimizer))) return t.skip('an array is no matrix');
    const arrays = file.variables.map(({ value }) => value.slice());
    if (['adafactor.keras', 'muon.keras'].includes(name)) {
      const told =
        /state in the file is that of 'embedding\/embeddings' with the shape \[9, 4\]; give Variables/;
      assertRefused(() => file.build(arrays), RangeError, told);
      assert.equal(file.optimizer.built, false);
      file.build(variablesOf(file));
      return;
    }
    file.build(arrays);
    const twin = await opened(read(name));
    for (const step of steps.slice(0, 2)) {
      file.optimizer.apply(gradientsOf(step));
      twin.optimizer.apply(gradientsOf(step));
    }
    arrays.forEach((array, k) => {
      assertSameBits(array, twin.variables[k].value);
    });
    const [a, b] = [
      unpack(await saveKeras(read(name), file.optimizer, arrays)),
      unpack(await saveKeras(read(name), twin.optimizer, twin.variables)),
    ];
    assert.deepEqual(a.entries, b.entries);
  });
}

function assertEqual(a, b) {
  try {
    assert.deepEqual(a, b);
    return true;
  } catch {
    return false;
  }
}

test('options that changed are written into the config as Python writes them', async () => {
  const { variables, optimizer } = await opened(adamFile);
  optimizer.learningRate = 1;
  optimizer.clipnorm = 2;
  optimizer.emaOverwriteFrequency = 3;
  const { text } = unpack(await saveKeras(adamFile, optimizer, variables));
  const expected = unpack(adamFile)
    .text.replace('"learning_rate": 0.009999999776482582', '"learning_rate": 1.0')
    .replace('"clipnorm": null', '"clipnorm": 2.0')
    .replace('"ema_overwrite_frequency": null', '"ema_overwrite_frequency": 3');
  assert.equal(text, expected);
  const wrapped = read('loss-scale-adam.keras');
  const scaled = await opened(wrapped);
  scaled.optimizer.learningRate = 2;
  assert.equal(
    unpack(await saveKeras(wrapped, scaled.optimizer, scaled.variables)).text,
    unpack(wrapped).text.replace('"learning_rate": 0.009999999776482582', '"learning_rate": 2.0'),
  );
});

test('what is excluded from weight decay is saved beside the config, and comes back', async () => {
  for (const name of ['adam.keras', 'adam-small.h5', 'loss-scale-adam.keras']) {
    const file = await openKeras(read(name));
    const inner = file.optimizer.innerOptimizer ?? file.optimizer;
    const variables = variablesOf(file);
    inner.weightDecay = 0.5;
    inner.excludeFromWeightDecay({ varNames: ['bias'], varList: [variables[0]] });
    file.build(variables);
    const saved = await saveKeras(read(name), file.optimizer, variables);
    const again = await opened(saved);
    const step = () => variables.map(({ size }) => new Float32Array(size).fill(0.25));
    for (const optimizer of [file.optimizer, again.optimizer]) optimizer.apply(step());
    variables.forEach((variable, k) => {
      assertSameBits(again.variables[k].value, variable.value, `${name}: ${variable.path}`);
    });
    const twice = await saveKeras(saved, again.optimizer, again.variables);
    if (!name.endsWith('.keras')) continue;
    const beside =
      ', "simdescent": {"exclude_from_weight_decay": {"var_paths": ["sequential/hidden/kernel"], "var_names": ["bias"]}}';
    const { text } = unpack(twice);
    assert.equal(text.split(beside).length, 2);
    assert.equal(text, unpack(saved).text);
    assert.equal(
      text.replace(beside, '').replace(/("weight_decay": )0.5/, '$1null'),
      unpack(read(name)).text,
    );
  }
});

test('what Python allows in JSON is read and kept', async () => {
  const strange = (text) =>
    text.replace('"loss_weights": null', '"loss_weights": [NaN, -Infinity, 1.0, "\\u00e4\\""]');
  const bytes = withConfig(adamFile, strange);
  const { variables, optimizer } = await opened(bytes);
  optimizer.beta1 = 0.5;
  const { text } = unpack(await saveKeras(bytes, optimizer, variables));
  assert.equal(text, unpack(bytes).text.replace('"beta_1": 0.9', '"beta_1": 0.5'));
});

test('bytes that are no .keras file are refused', async () => {
  await refused(openKeras('model.keras'), TypeError, /Uint8Array or ArrayBuffer, got "model.keras"/);
  await refused(openKeras(new Uint8Array(0)), RangeError, /0 bytes are no \.keras file/);
  await refused(openKeras(adamFile.subarray(0, 9000)), RangeError, /no \.keras file/);
  await refused(
    openKeras(
      repack(new Uint8Array(readFileSync(join(folder, 'adam.keras'))), {
        'model.weights.h5': new Uint8Array(99),
      }),
    ),
    RangeError,
    /model\.weights\.h5 is no HDF5 file/,
  );
  const cut = unpack(adamFile).files['model.weights.h5'].subarray(0, 9000);
  await refused(openKeras(repack(adamFile, { 'model.weights.h5': cut })), RangeError, /damaged or cut off/);
  await refused(
    openKeras(withConfig(adamFile, (text) => text.slice(0, -5))),
    RangeError,
    /config\.json is no JSON/,
  );
});

test('a file without a usable optimizer is refused', async () => {
  const without = withConfig(adamFile, (text) => text.replace('"compile_config"', '"compile"'));
  await refused(openKeras(without), RangeError, /has no optimizer .*compile the model/);
  const unknown = withConfig(adamFile, (text) =>
    text.replace('"class_name": "Adam"', '"class_name": "Rprop"'),
  );
  await refused(openKeras(unknown), RangeError, /Unknown optimizer 'Rprop'.*Known: .*Adam, AdamW, Adamax/);
  const several = withConfig(adamFile, (text) => {
    const config = JSON.parse(text);
    const default_optimizer = config.compile_config.optimizer;
    const optimizer_map = { class_name: 'OptimizerMap', config: { default_optimizer, optimizer_map: {} } };
    config.compile_config.optimizer = { class_name: 'MultiOptimizer', config: { optimizer_map } };
    return JSON.stringify(config);
  });
  await refused(openKeras(several), RangeError, /MultiOptimizer has 10 variables, and 12 are expected/);
  const amsgrad = withConfig(adamFile, (text) => text.replace('"amsgrad": false', '"amsgrad": true'));
  await refused(openKeras(amsgrad), RangeError, /10 variables, and 14 are expected/);
});

test('LoRA: the matrices begin as zeros, as in Keras, go on as there, and are saved in the kernels', async () => {
  const { saved, steps, ...recorded } = cases.find(({ file }) => file === 'lora.keras');
  const bytes = read('lora.keras');
  const { file, optimizer, variables } = await opened(bytes);
  assert.deepEqual(
    file.variables.map(({ path, shape }) => ({ path, shape })),
    recorded.variables.map(({ path, shape }) => ({ path, shape })),
  );
  file.variables.forEach(({ value, path }, k) => {
    assertSameBits(value, Float32Array.from(saved.variables[k]), path);
  });
  saved.optimizer_variables.forEach(({ path, values }, k) => {
    assert.equal(optimizer.variables[k].path, path);
    const { value } = optimizer.variables[k];
    assertSameBits(typeof value === 'number' ? [value] : value, Float32Array.from(values), path);
  });
  for (const [k, step] of steps.entries()) {
    optimizer.apply(gradientsOf(step));
    variables.forEach((variable, i) => {
      const expected = Float32Array.from(recorded.variables_after_step[k][i]);
      assert.equal(within(variable.value, expected, tolerance), null, `step ${k}, ${variable.path}`);
    });
  }
  const result = await saveKeras(bytes, optimizer, variables);
  const { entries } = unpack(result);
  const kernels = Object.entries(recorded.kernels_saved_again);
  assert.equal(kernels.length, 4);
  for (const [path, values] of kernels)
    assert.equal(within(entries[path].value, Float32Array.from(values), tolerance), null, path);
  assert.deepEqual(Object.keys(entries), Object.keys(unpack(bytes).entries));
  const again = await opened(result);
  assert.ok(
    again.file.variables.every(({ path, value }) => !/lora/.test(path) || value.every((x) => x === 0)),
  );
  assert.deepEqual(again.optimizer.getWeights(), optimizer.getWeights());
  const order = again.file.variables.map(({ path }) => path).filter((path) => path !== 'mixed/lora_kernel_a');
  await refused(openKeras(result, { order }), RangeError, /22 variables, and 20 are expected/);
});

const multiFile = read('multi-optimizer.keras');
const multiFiles = [multiFile, read('loss-scale-multi.keras')];
const severalOf = (optimizer) => optimizer.innerOptimizer ?? optimizer;

test('a MultiOptimizer: whose paths are with the name of the model or without, as the state has it', async () => {
  let order;
  for (const given of multiFiles) {
    const byPattern = (from, to) => withConfig(given, (text) => text.replaceAll(from, to));
    const expected = await opened(given);
    for (const [prefix, path] of [
      ['', 'hidden/kernel'],
      ['sequential/', 'sequential/hidden/kernel'],
    ]) {
      const bytes = byPattern('(.*/)?', prefix);
      const { file, optimizer, variables } = await opened(bytes);
      assert.equal(file.variables[0].path, path);
      assert.deepEqual(optimizer.getWeights(), expected.optimizer.getWeights());
      const again = await opened(await saveKeras(bytes, optimizer, variables));
      assertSameSnapshot(snapshot(again.optimizer, again.variables), snapshot(optimizer, variables));
    }
    order = expected.file.variables.map(({ path }) => path);
    const count = expected.optimizer.variables.length;
    await refused(
      openKeras(byPattern('(.*/)?', ''), { order }),
      RangeError,
      new RegExp(`${count} variables, and ${count - 4} are expected .*optimizer_map`),
    );
    await refused(
      openKeras(byPattern('(.*/)?head/.*', 'tail/.*')),
      RangeError,
      new RegExp(`${count} variables, and ${count - 2} are expected`),
    );
  }

  // Without slots both fit, and mean something else.
  const config = JSON.parse(unpack(multiFile).text);
  const sgd = { class_name: 'SGD', config: { learning_rate: 0.5 } };
  const optimizer_map = { 'sequential/head/.*': sgd, 'hidden/.*': sgd };
  const map = { class_name: 'OptimizerMap', config: { default_optimizer: sgd, optimizer_map } };
  config.compile_config.optimizer = { class_name: 'MultiOptimizer', config: { optimizer_map: map } };
  const shapes = [[7, 5], [5], [5, 4], [4], [4, 3], [3]];
  const datasets = {};
  for (const [k, shape] of shapes.entries())
    datasets[`layers/dense${['', '_1', '_2'][k >> 1]}/vars/${k & 1}`] = { shape };
  for (let k = 0; k < 8; k++)
    datasets[`optimizer/vars/${k}`] = { shape: [], values: [k], dtype: k & 1 ? '<f' : '<i' };
  const bytes = pack(config, datasets);
  await refused(openKeras(bytes), RangeError, /with the model's name before them and without.*option order/);
  const { optimizer } = await opened(bytes, { order });
  assert.deepEqual(optimizer.getWeights(), [0, 0, 2, 3, 4, 5, 6, 7]);
});

test('a MultiOptimizer: variables of any name go where the file has them, and saving says where they are not', async () => {
  for (const given of multiFiles) {
    const { file, optimizer, variables } = await opened(given);
    const other = await openKeras(given);
    const strangers = other.variables.map(({ value }, k) => new Variable(value, { path: `head/${k}` }));
    other.build(strangers);
    const grads = variables.map(({ size }) => new Float32Array(size).fill(0.25));
    for (const each of [optimizer, other.optimizer]) each.apply(grads);
    strangers.forEach((variable, k) => {
      assertSameBits(variable.value, variables[k].value);
    });
    const saved = await saveKeras(given, other.optimizer, strangers);
    assert.deepEqual(unpack(saved).entries, unpack(await saveKeras(given, optimizer, variables)).entries);

    const config = JSON.parse(unpack(given).text).compile_config.optimizer;
    const byHand = optimizers.deserialize(config);
    const swapped = file.variables.map(({ value, shape }, k) => {
      const path = k === 1 ? 'middle/bias' : k === 3 ? 'hidden/bias' : file.variables[k].path;
      return new Variable(value, { path, shape });
    });
    byHand.build(swapped);
    await refused(
      saveKeras(given, byHand, swapped),
      RangeError,
      /'sequential\/hidden\/bias' belongs to the optimizer 'sgd' .*, and was built with 'adam_1'/,
    );
  }
});

test('a MultiOptimizer: options of the optimizers within are saved', async () => {
  for (const given of multiFiles) {
    const { optimizer, variables } = await opened(given);
    const [adam, , , sgd] = severalOf(optimizer).optimizers;
    adam.learningRate = 0.5;
    sgd.momentum = 0.25;
    const saved = await saveKeras(given, optimizer, variables);
    const again = severalOf((await opened(saved)).optimizer).optimizers;
    assert.equal(again[0].learningRate, 0.5);
    assert.equal(again[3].momentum, 0.25);
    const { config } = JSON.parse(unpack(saved).text).compile_config.optimizer;
    assert.deepEqual(config, optimizer.getConfig());
  }
});

test('a MultiOptimizer: each state is in the file once more for every optimizer round it', async () => {
  for (const given of multiFiles) {
    const { optimizer, variables } = await opened(given);
    optimizer.apply(variables.map(({ size }) => new Float32Array(size).fill(0.25)));
    const { entries } = unpack(await saveKeras(given, optimizer, variables));
    const several = severalOf(optimizer);
    const group = several === optimizer ? 'optimizer' : 'optimizer/inner_optimizer';
    const names = ['adam', 'rm_sprop', 'adam_1', 'sgd'];
    const flat = (value) => Float32Array.from([value].flatMap((x) => (ArrayBuffer.isView(x) ? [...x] : x)));
    for (const [path, { variables: state }] of [
      ['optimizer', optimizer],
      [group, several],
      ...several.optimizers.map((one, k) => [`${group}/optimizers/${names[k]}`, one]),
    ])
      for (const [k, { value }] of state.entries())
        assertSameBits(flat(entries[`${path}/vars/${k}`].value), flat(value), `${path} ${k}`);
  }
});

test('variables of another count, kind or shape are refused, and then can be corrected', async () => {
  const file = await openKeras(adamFile);
  const variables = variablesOf(file);
  const build = (given) => async () => file.build(given);
  await refused(build(variables.slice(1))(), RangeError, /takes the 4 trainable weights of the file, got 3/);
  await refused(build(null)(), TypeError, /array of variables, got null/);
  await refused(
    build([...variables.slice(1), [1, 2, 3]])(),
    RangeError,
    /variables\[0\] has the shape \[5\], and 'sequential\/hidden\/kernel' in the file has \[7, 5\]/,
  );
  await refused(
    build([...variables.slice(0, 3), [1, 2, 3]])(),
    TypeError,
    /variables\[3\] must be a Variable/,
  );
  const transposed = new Variable(35, { path: 'x', shape: [5, 7] });
  await refused(build([transposed, ...variables.slice(1)])(), RangeError, /\[5, 7\].*\[7, 5\]/);
  assert.equal(file.optimizer.built, false);
  file.build(variables);
  assert.equal(file.optimizer.rawIterations, 5);
  await refused(build(variables)(), Error, /built already/);
});

test('saving refuses what does not fit the file', async () => {
  const { variables, optimizer } = await opened(adamFile);
  await refused(saveKeras(adamFile, {}, variables), TypeError, /takes an optimizer, got an Object/);
  await refused(saveKeras(adamFile, new Adam(), variables), Error, /not built/);
  const adamax = new Adamax();
  adamax.build(variables);
  await refused(saveKeras(adamFile, adamax, variables), RangeError, /file's optimizer is Adam, got Adamax/);
  await refused(saveKeras(adamFile, optimizer, variables.slice(1)), RangeError, /got 3 variables/);
  const torch = new Adam({ compat: 'torch' });
  torch.build(variables);
  await refused(saveKeras(adamFile, torch, variables), RangeError, /no option 'compat'/);
  const amsgrad = new Adam({ amsgrad: true });
  amsgrad.build(variables);
  await refused(saveKeras(adamFile, amsgrad, variables), RangeError, /has 10 variables, and 14 are expected/);
  const scheduled = new Adam({ learningRate: () => 0.1 });
  scheduled.build(variables);
  await refused(
    saveKeras(adamFile, scheduled, variables),
    Error,
    /function as learning rate cannot be saved/,
  );
});

test('before init(), and without the optional packages, an error says what to do', () => {
  const early = runModule(`
    import { openKeras } from './dist/keras.js';
    await openKeras(new Uint8Array(3)).catch((error) => console.log(error.message));`);
  assert.match(early, /await init\(\)/);
  const empty = mkdtempSync(join(tmpdir(), 'simdescent-peers-'));
  try {
    cpSync(join(root, 'dist'), join(empty, 'dist'), { recursive: true });
    const told = runModule(`
      import { init } from ${JSON.stringify(`${empty}/dist/index.js`)};
      import { openKeras } from ${JSON.stringify(`${empty}/dist/keras.js`)};
      await init();
      await openKeras(new Uint8Array(3)).catch((error) => console.log(error.message, error.cause.code));`);
    assert.match(told, /needs the package 'fflate'.*npm install fflate ERR_MODULE_NOT_FOUND/);
    cpSync(join(root, 'node_modules/fflate'), join(empty, 'node_modules/fflate'), { recursive: true });
    const next = runModule(`
      import { readFileSync } from 'node:fs';
      import { init } from ${JSON.stringify(`${empty}/dist/index.js`)};
      import { openKeras } from ${JSON.stringify(`${empty}/dist/keras.js`)};
      await init();
      const bytes = readFileSync('tests/vectors/keras-files/adam.keras');
      await openKeras(bytes).catch((error) => console.log(error.message));`);
    assert.match(next, /needs the package 'h5wasm'.*npm install h5wasm/);
  } finally {
    rmSync(empty, { recursive: true, force: true });
  }
});
