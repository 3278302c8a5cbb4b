// The examples of the documentation, run as they stand there, in this checkout under the package's own name.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { root, runModule } from './helpers.mjs';

/** What each example of a page prints, in order. */
const printed = {
  'any-library.md': ['true', 'true', /^(true|no WebGPU here)$/],
  'distributed.md': ['24', 'true', 'true'],
  'files.md': ['6 sequential/hidden/kernel', '6 6'],
  'monitor.md': ['13.69 0.000867 250'],
  'python.md': ['weight bias late', '8 7 7 4'],
  'tensorflow.md': ['19'],
  'webgpu.md': ['0.900 wasm'],
};

/** tfjs as one package is large; its parts are what the tests have. */
const inParts = (code) =>
  code.replace(
    "import * as tf from '@tensorflow/tfjs';",
    "import { layers, tf as core } from './tests/node/tfjs/setup.mjs'; const tf = { ...core, ...layers };",
  );

for (const [page, expected] of Object.entries(printed)) {
  const text = readFileSync(`${root}docs/${page}`, 'utf8');
  const examples = [...text.matchAll(/^```js\n(import[\s\S]*?)^```/gm)].map(([, code]) => code);
  test(`${page} has ${expected.length} examples that run`, () =>
    assert.equal(examples.length, expected.length));
  examples.forEach((code, k) => {
    test(`${page}, example ${k + 1}: under 40 lines, and it prints what it says`, () => {
      assert.ok(code.split('\n').length < 40, `${code.split('\n').length} lines`);
      assert.match(
        runModule(inParts(code)),
        expected[k] instanceof RegExp ? expected[k] : new RegExp(`^${expected[k]}$`),
      );
    });
  });
}
