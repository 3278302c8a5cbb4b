// There and back again (docs/python.md): what a page saves is what PyTorch has read, under DistributedDataParallel with
// two processes, and what Keras has read, also under its fit with two processes; what came back goes on as it would there.
// The scripts of tests/python made tests/fixtures/cluster and keras-cluster.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { before, test } from 'node:test';
import { init } from '../../dist/index.js';
import { openTorch, saveTorch } from '../../dist/torch.js';
import { gradients, trained, variablesOf, weightsOf } from './cluster.mjs';
import { within } from './conformance/compare.mjs';
import { assertSameBits, assertSameSnapshot, root, snapshot } from './helpers.mjs';
import { unpack } from './keras-archive.mjs';
import * as keras from './keras-cluster.mjs';
import { fit } from './keras-fit.mjs';

before(() => init());

const read = (path) => new Uint8Array(readFileSync(`${root}tests/${path}`));
const json = (name) => JSON.parse(readFileSync(`${root}tests/fixtures/cluster/${name}`, 'utf8'));
const tolerance = 1e-6;

test('the page saves what PyTorch has loaded', () => {
  const { variables, optimizer } = trained();
  assert.deepEqual(saveTorch(optimizer, variables), read('fixtures/cluster/page.safetensors'));
  assert.deepEqual(weightsOf(variables), json('page.json'));
});

test('after four steps of two processes it goes on as PyTorch does, each parameter at its own step', () => {
  const { after, later } = json('cluster.json');
  const variables = variablesOf(after);
  const optimizer = openTorch(read('fixtures/cluster/cluster.safetensors'), variables);
  const steps = optimizer.variables.filter(({ path }) => path.endsWith('_step')).map(({ value }) => value);
  assert.deepEqual(steps, [7, 7, 4]);
  assert.equal(optimizer.learningRate, 0.0625);
  for (let t = 0; t < 3; t++) optimizer.apply(gradients(variables, true));
  for (const { path, value } of variables)
    assert.equal(within(value, Float32Array.from(later[path]), tolerance), null, path);
});

test('the four steps of the cluster are the page’s own', () => {
  const { variables, optimizer } = trained();
  for (let t = 0; t < 4; t++) optimizer.apply(gradients(variables, true));
  for (const { path, value } of variables)
    assert.equal(within(value, Float32Array.from(json('cluster.json').after[path]), tolerance), null, path);
});

const flat = (values) =>
  values.map(({ value }) => Float32Array.from(typeof value === 'number' ? [value] : value));
function assertSame(got, expected, message) {
  assert.equal(got.length, expected.length, message);
  for (const [k, values] of expected.entries())
    assertSameBits(got[k], Float32Array.from(values), `${message}, ${k}`);
}

for (const name of keras.names) {
  const file = (kind) => read(`fixtures/keras-cluster/${name}.${kind}.keras`);
  const { source, cases } = JSON.parse(
    readFileSync(`${root}tests/fixtures/keras-cluster/steps.json`, 'utf8'),
  );
  const steps = cases[name];

  test(`${name}: what Keras has loaded is what the page saves`, async () => {
    const page = await keras.paged(file('start'));
    const again = await keras.opened(file('page'));
    assertSameSnapshot(snapshot(again.optimizer, again.variables), snapshot(page.optimizer, page.variables));
    assert.deepEqual(unpack(page.saved).entries, unpack(file('page')).entries);
    assert.deepEqual(again.optimizer.getConfig(), page.optimizer.getConfig());
  });

  test(`${name}: the steps of Keras are those of the page, bit for bit, and so is what comes back`, async () => {
    assert.match(source, /^Keras 3\.\d+\.\d+, numpy$/);
    const page = await keras.paged(file('start'));
    for (const [t, { variables, state }] of steps.entries()) {
      keras.train(page, keras.pageSteps + t, keras.pageSteps + t + 1);
      assertSame(flat(page.variables), variables, `weights after step ${t}`);
      assertSame(flat(page.optimizer.variables), state, `state after step ${t}`);
    }
    const returned = await keras.opened(file('back'));
    assertSameSnapshot(
      snapshot(returned.optimizer, returned.variables),
      snapshot(page.optimizer, page.variables),
    );
    for (const each of [returned, page]) keras.train(each, 6, 9);
    assertSame(flat(returned.variables), flat(page.variables), 'afterwards');
  });
}

for (const name of ['adamw', 'adamax'])
  test(`${name}: two processes under Keras' fit come to what the page comes to, and back`, async () => {
    const { source, cases } = JSON.parse(
      readFileSync(`${root}tests/fixtures/keras-cluster/fit.json`, 'utf8'),
    );
    assert.match(source, /^Keras 3\.\d+\.\d+, torch .*, gloo, 2 processes$/);
    const { after, later, iterations } = cases[name];
    const assertNear = ({ variables }, expected, message) => {
      for (const [k, { value, path }] of variables.entries())
        assert.equal(within(value, Float32Array.from(expected[k]), tolerance), null, `${message}, ${path}`);
    };
    const page = await keras.opened(read(`fixtures/keras-cluster/${name}.page.keras`));
    const before = flat(page.variables);
    fit(page, 2);
    assertNear(page, after, 'after two epochs');
    assert.ok(before.some((values, k) => within(values, Float32Array.from(after[k]), 0.01)));
    assert.equal(page.optimizer.iterations, iterations);
    const returned = await keras.opened(read(`fixtures/keras-cluster/${name}.fit.keras`));
    assertSame(flat(returned.variables), after, 'saved by Keras');
    for (const each of [returned, page]) fit(each, 1);
    assertNear(returned, later, 'after one more');
    assertNear(page, later, 'after three epochs');
  });

test('the page shows the scripts as they were run', () => {
  const script = ['torch_cluster', 'keras_cluster', 'keras_fit']
    .map((name) => readFileSync(`${root}tests/python/${name}.py`, 'utf8'))
    .join('\n');
  const page = readFileSync(`${root}docs/python.md`, 'utf8');
  const blocks = [...page.matchAll(/^```python\n([\s\S]*?)^```/gm)].map(([, code]) => code);
  assert.ok(blocks.length > 0);
  for (const block of blocks)
    for (const part of block.trim().split('\n\n\n')) assert.ok(script.includes(part), part);
});
