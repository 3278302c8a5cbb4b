// Files of Keras that are whole and not as they should be: archives in another order or with more in them, configs with
// anything anywhere, states that are partly there. Each opens with the same numbers, or an error says what is wrong
// with it, in our words. Damaged bytes are damaged-files.test.mjs; wrong options, keras-files.test.mjs.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { before, test } from 'node:test';
import { strToU8, unzipSync, zipSync } from 'fflate';
import { init } from '../../dist/index.js';
import { openKeras, saveKeras } from '../../dist/keras.js';
import { openTorch } from '../../dist/torch.js';
import { assertSameSnapshot, root, snapshot } from './helpers.mjs';
import { contentsOf, makeHdf5, pack, unpack, withConfig } from './keras-archive.mjs';
import { opened } from './keras-cluster.mjs';

before(() => init());

const read = (file) => new Uint8Array(readFileSync(`${root}tests/vectors/keras-files/${file}`));
const adam = read('adam.keras');
const scaled = read('loss-scale-multi.keras');
const several = read('multi-optimizer.keras');

const refused = (bytes, Type, pattern) =>
  assert.rejects(openKeras(bytes), (error) => {
    assert.equal(error.constructor, Type, error.stack);
    assert.match(error.message, pattern);
    return true;
  });

test('bytes that were given away are said to be', async () => {
  const bytes = Uint8Array.from(adam);
  structuredClone(bytes, { transfer: [bytes.buffer] });
  for (const given of [bytes, bytes.buffer])
    await refused(given, Error, /^openKeras: the array of bytes has been detached/);
  assert.throws(() => openTorch(bytes, []), /^Error: openTorch: the array of bytes has been detached/);
});

/** The same file with other datasets. */
function remade(bytes, change) {
  const { text, entries } = unpack(bytes);
  const datasets = {};
  const names = {};
  for (const [path, { metadata, value, attributes }] of Object.entries(entries)) {
    if (attributes.name) names[path] = attributes.name.value;
    if (!metadata) continue;
    const values = ArrayBuffer.isView(value) ? [...value] : [Number(value)];
    datasets[path] = { shape: metadata.shape, values, dtype: metadata.type === 0 ? '<i' : '<f' };
  }
  change(datasets);
  for (const path of Object.keys(names))
    if (!Object.keys(datasets).some((dataset) => dataset.startsWith(path))) delete names[path];
  return pack(text, datasets, names);
}
const without =
  (...paths) =>
  (datasets) => {
    for (const dataset of Object.keys(datasets))
      if (paths.some((path) => `${dataset}/`.startsWith(`${path}/`))) delete datasets[dataset];
  };
const withFirst = (path, value, more) => (datasets) => {
  datasets[path] = { ...datasets[path], ...more, values: [value, ...datasets[path].values.slice(1)] };
};

test('archives in another order, compressed, with more in them', async () => {
  const files = unzipSync(adam);
  const { optimizer, variables } = await opened(adam);
  const expected = snapshot(optimizer, variables);
  for (const odd of [
    zipSync(Object.fromEntries(Object.entries(files).reverse())),
    zipSync(files, { level: 9 }),
    zipSync({ '__MACOSX/._config.json': strToU8('x'), ...files, 'assets/words.txt': strToU8('a') }),
    zipSync({ 'assets/': new Uint8Array(0), ...files, 'config.json': strToU8(`\ufeff${unpack(adam).text}`) }),
    remade(adam, () => {}),
  ]) {
    const found = await opened(odd);
    assertSameSnapshot(snapshot(found.optimizer, found.variables), expected);
    const again = await opened(await saveKeras(odd, found.optimizer, found.variables));
    assertSameSnapshot(snapshot(again.optimizer, again.variables), expected);
  }
  const within = Object.fromEntries(Object.entries(files).map(([name, file]) => [`model/${name}`, file]));
  await refused(zipSync(within), RangeError, /has no config\.json, only .*model\/config\.json/);
});

/** The JSON with each of its values replaced in turn. */
function* replaced(text, values) {
  const paths = [];
  const walk = (value, path) => {
    if (path.length > 0) paths.push(path);
    if (typeof value === 'object' && value !== null)
      for (const key of Object.keys(value)) walk(value[key], [...path, key]);
  };
  walk(JSON.parse(text), []);
  for (const path of paths)
    for (const value of values) {
      const config = JSON.parse(text);
      const parent = path.slice(0, -1).reduce((node, key) => node[key], config);
      parent[path.at(-1)] = value;
      yield [`${path.join('.')} = ${JSON.stringify(value)}`, JSON.stringify(config)];
    }
}

/** It opens, or the error is one of ours. */
async function inOurWords(bytes, what) {
  try {
    await openKeras(bytes);
    return 1;
  } catch (error) {
    assert.ok(error instanceof TypeError || error instanceof RangeError, `${what}: ${error.stack}`);
    const engines = /Cannot (read|convert)|not (a function|iterable|defined)|Invalid array/;
    assert.doesNotMatch(error.message, engines, what);
    return 0;
  }
}
async function quietly(work) {
  const { warn } = console;
  console.warn = () => {};
  try {
    return await work();
  } finally {
    console.warn = warn;
  }
}

test('a config with anything anywhere: it opens, or an error in our words', async () => {
  await quietly(async () => {
    for (const [bytes, values] of [
      [adam, [null, 5]],
      [scaled, [[null]]],
    ]) {
      let [all, open] = [0, 0];
      for (const [what, text] of replaced(unpack(bytes).text, values)) {
        open += await inOurWords(
          withConfig(bytes, () => text),
          what,
        );
        all++;
      }
      assert.ok(open > all / 4 && open < all, `${open} of ${all} open`);
    }
    const h5 = read('adam-small.h5');
    const entries = contentsOf(h5);
    const datasets = {};
    const attributes = {};
    for (const [path, entry] of Object.entries(entries)) {
      const own = Object.entries(entry.attributes).map(([name, { value }]) => [name, value]);
      attributes[path === '/' ? '' : path] = Object.fromEntries(own);
      const { metadata, value } = entry;
      if (!metadata) continue;
      const values = ArrayBuffer.isView(value) ? [...value].map(Number) : [Number(value)];
      datasets[path] = { shape: metadata.shape, values };
    }
    const config = attributes[''].model_config;
    assert.ok(await inOurWords(makeHdf5(datasets, {}, attributes), 'as it is'));
    for (const [what, text] of replaced(config, [null]))
      await inOurWords(
        makeHdf5(datasets, {}, { ...attributes, '': { ...attributes[''], model_config: text } }),
        what,
      );
  });
  const broken = withConfig(adam, (text) => {
    const config = JSON.parse(text);
    config.config.layers[1] = null;
    return JSON.stringify(config);
  });
  await refused(broken, RangeError, /in the model's config a layer must be .*class_name.*, got "null"/);
});

test('counts and scales that no optimizer has are refused when the file is opened', async () => {
  const at = 'optimizer/vars';
  for (const [bytes, change, pattern] of [
    [adam, withFirst(`${at}/0`, 2.5, { dtype: '<f' }), /iteration in the file is 2\.5/],
    [adam, withFirst(`${at}/0`, -1), /iteration in the file is -1/],
    [scaled, withFirst(`${at}/2`, 0.5, { dtype: '<f' }), /step_counter in the file is 0\.5/],
    [scaled, withFirst(`${at}/3`, 0), /dynamic_scale in the file is 0/],
    [scaled, withFirst(`${at}/3`, 1e-46, { dtype: '<d' }), /dynamic_scale in the file is 1e-46/],
  ])
    await refused(remade(bytes, change), RangeError, pattern);
});

test('a state of which a part is missing is no state that begins anew', async () => {
  for (const [bytes, group] of [
    [several, 'optimizer'],
    [scaled, 'optimizer/inner_optimizer'],
    [read('loss-scale-adam.keras'), 'optimizer/inner_optimizer'],
  ])
    await refused(
      remade(bytes, without('optimizer/vars')),
      RangeError,
      new RegExp(`has a state in '${group}.*/vars', .* beside that in 'optimizer/vars', where there is none`),
    );
  for (const [bytes, group] of [
    [several, 'optimizer/optimizers'],
    [scaled, 'optimizer/inner_optimizer/optimizers'],
  ]) {
    await refused(
      remade(bytes, without(`${group}/adam_1`)),
      RangeError,
      new RegExp(`by its optimizer_map: '${group}/adam_1/vars' has 0 variables instead of 5`),
    );
    const place = bytes === several ? 6 : 10;
    await refused(
      remade(bytes, (datasets) => {
        datasets[`optimizer/vars/${place}`].shape = [1, 3];
      }),
      RangeError,
      new RegExp(
        `'optimizer/vars/${place}' has the shape \\[1, 3\\], and momentum of .*head/bias has \\[3\\]`,
      ),
    );
    await refused(
      remade(bytes, without('optimizer/vars/7')),
      RangeError,
      /variables, and \d+ are expected .* by its optimizer_map\. If these/,
    );
  }
});

test('what only Python can read is named', async () => {
  const withMap = (optimizer_map) =>
    withConfig(scaled, (text) => {
      const config = JSON.parse(text);
      config.compile_config.optimizer.config.inner_optimizer.config.optimizer_map = optimizer_map;
      return JSON.stringify(config);
    });
  for (const map of [
    { module: 'builtins', class_name: 'function', config: 'select', registered_name: 'function' },
    { class_name: '__lambda__', config: { value: ['4wEA', null, null] } },
  ])
    await refused(withMap(map), TypeError, /optimizer_map is a function of Python/);
  const own = withConfig(adam, (text) => text.replace('"class_name": "Adam"', '"class_name": "MyAdam"'));
  await refused(own, RangeError, /Unknown optimizer 'MyAdam'.*pass your own classes as customObjects/);
});
