// There and back again (docs/python.md): what a page saves is what PyTorch has read, under DistributedDataParallel with
// two processes, and what came back goes on as it would there. The scripts of tests/python made tests/fixtures/cluster.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { before, test } from 'node:test';
import { init } from '../../dist/index.js';
import { openKeras } from '../../dist/keras.js';
import { openTorch, saveTorch } from '../../dist/torch.js';
import { gradients, trained, trainedKeras, variablesOf, weightsOf } from './cluster.mjs';
import { within } from './conformance/compare.mjs';
import { assertSameBits, root } from './helpers.mjs';

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

test('h5py sees in a .keras file what was trained, and so does the page that opens it', async () => {
  const { optimizer, variables } = await trainedKeras(read('vectors/keras-files/adam.keras'));
  const seen = json('keras.json');
  assert.equal(seen.optimizer, 'Adam');
  const state = optimizer.variables;
  for (const [k, { path, shape, value }] of state.entries()) {
    const found = seen.datasets[`optimizer/vars/${k}`];
    assert.deepEqual(found.shape, shape, path);
    assertSameBits(
      Float32Array.from(found.values),
      Float32Array.from(typeof value === 'number' ? [value] : value),
      path,
    );
  }
  const again = await openKeras(read('fixtures/cluster/page.keras'));
  for (const [k, { path, value }] of variables.entries())
    assertSameBits(again.variables[k].value, value, path);
  const lists = Object.entries(seen.datasets).filter(([path]) => !path.startsWith('optimizer/'));
  for (const { path, value } of variables)
    assert.ok(
      lists.some(
        ([, { values }]) => values.length === value.length && values.every((x, i) => x === value[i]),
      ),
      `${path} is in none of ${lists.map(([path]) => path).join(', ')}`,
    );
});

test('the page shows the script as it was run', () => {
  const script = readFileSync(`${root}tests/python/torch_cluster.py`, 'utf8');
  const page = readFileSync(`${root}docs/python.md`, 'utf8');
  const blocks = [...page.matchAll(/^```python\n([\s\S]*?)^```/gm)].map(([, code]) => code);
  assert.ok(blocks.length > 0);
  for (const block of blocks)
    for (const part of block.trim().split('\n\n\n')) assert.ok(script.includes(part), part);
});
