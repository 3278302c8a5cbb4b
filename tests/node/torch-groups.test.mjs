// simdescent/torch and parameter groups that differ in any option, against PyTorch: tests/python/torch_groups.py drew and
// recorded them. They become a MultiOptimizer, go on as in torch, and torch has gone on with what was saved of them.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { before, test } from 'node:test';
import { init, MultiOptimizer } from '../../dist/index.js';
import { saveTorch } from '../../dist/torch.js';
import { within } from './conformance/compare.mjs';
import { assertSameBits, root } from './helpers.mjs';
import { gradientsOf, opened, paged, pageSteps } from './torch-groups.mjs';

before(() => init());

const folder = `${root}tests/fixtures/torch-groups/`;
const read = (file) => new Uint8Array(readFileSync(folder + file));
const json = (file) => JSON.parse(readFileSync(folder + file, 'utf8'));
const { cases } = json('index.json');
const pages = json('page.json');
const tolerance = 1e-6;

for (const recorded of cases) {
  const { file, grads, after, later } = recorded;

  test(`${file}: goes on as in torch`, () => {
    const { optimizer, variables } = opened(recorded, read(file), recorded.variables);
    assert.ok(optimizer instanceof MultiOptimizer);
    assert.equal(optimizer.optimizers.length, recorded.groups.length);
    for (const [t, step] of grads.entries()) {
      optimizer.apply(gradientsOf(step));
      variables.forEach(({ value, path }, k) => {
        assert.equal(within(value, Float32Array.from(after[t][k]), tolerance), null, `step ${t}, ${path}`);
      });
    }
  });

  test(`${file}: what is saved on the way is what torch has loaded and gone on with`, () => {
    const { optimizer, variables } = paged(recorded, read(file));
    const saved = saveTorch(optimizer, variables);
    assert.deepEqual(saved, read(`page-${file}`));
    assert.deepEqual(
      variables.map(({ value }) => [...value]),
      pages[file],
    );
    const again = opened(recorded, saved, pages[file]);
    for (const [t, step] of grads.slice(pageSteps).entries()) {
      for (const each of [optimizer, again.optimizer]) each.apply(gradientsOf(step));
      variables.forEach(({ value, path }, k) => {
        assertSameBits(again.variables[k].value, value, `step ${t}, ${path}`);
        assert.equal(within(value, Float32Array.from(later[t][k]), tolerance), null, `step ${t}, ${path}`);
      });
    }
  });
}
