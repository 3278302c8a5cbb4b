// TensorFlow.js' own published tests of its Adam and Adamax, run against ours under compat 'tfjs': the test files
// of the npm package, unchanged, with tf.train pointed at us and Jasmine replaced by a few lines.
//
// Which of the published files apply: adam_optimizer_test and adamax_optimizer_test, all of both. optimizer_test
// tests the base class by the numbers of SGD, which we do not have; the others are tests of other optimizers.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { build } from 'esbuild';
import { Adam, Adamax, init } from '../../dist/index.js';
import { tfOptimizer } from '../../dist/tfjs.js';
import { root } from './helpers.mjs';
import { backends, tf } from './tfjs/setup.mjs';

before(() => init());

const made = [];
const ours = (optimizer) => made[made.push(tfOptimizer(optimizer)) - 1];
/** Ours, with the arguments of tf.train. */
const train = {
  adam: (learningRate, beta1, beta2, epsilon) =>
    ours(new Adam({ compat: 'tfjs', learningRate, beta1, beta2, epsilon })),
  adamax: (learningRate, beta1, beta2, epsilon, decay) =>
    ours(new Adamax({ compat: 'tfjs', learningRate, beta1, beta2, epsilon, decay })),
};

/** What the files import, in place of the modules they name. */
const stand = {
  '../index': `
    const { tf, train, Ours } = globalThis.published;
    module.exports = { ...tf, train, AdamOptimizer: Ours, AdamaxOptimizer: Ours };`,
  '../jasmine_util':
    'module.exports = { ALL_ENVS: {}, describeWithFlags: (_name, _envs, tests) => tests() };',
  '../test_util': 'module.exports = globalThis.published.tf.test_util;',
};

/** The tests of a published file, as [name, run] pairs. */
async function testsOf(file) {
  const { outputFiles } = await build({
    entryPoints: [`${root}node_modules/@tensorflow/tfjs-core/dist/optimizers/${file}.js`],
    bundle: true,
    format: 'iife',
    write: false,
    plugins: [
      {
        name: 'stand-ins',
        setup({ onResolve, onLoad }) {
          onResolve({ filter: /^\.\.\/(index|jasmine_util|test_util)$/ }, ({ path }) => ({
            path,
            namespace: 'stand',
          }));
          onLoad({ filter: /.*/, namespace: 'stand' }, ({ path }) => ({ contents: stand[path] }));
        },
      },
    ],
  });
  const found = [];
  globalThis.published = { tf, train, Ours: train.adam(0.1).constructor };
  new Function('it', 'expect', outputFiles[0].text)((name, run) => found.push([name, run]), expect);
  return found;
}

/** Numbers are counts of tensors: tfjs' optimizers keep their state in tensors, and ours need fewer. */
const expect = (actual) => ({
  toBe: (expected) =>
    typeof expected === 'number'
      ? assert.ok(actual <= expected, `${actual} > ${expected}`)
      : assert.equal(actual, expected),
  toEqual: (expected) => assert.deepEqual(actual, expected),
});

for (const [file, count] of [
  ['adam_optimizer_test', 3],
  ['adamax_optimizer_test', 2],
]) {
  test(`${file}, as published`, async (t) => {
    const tests = await testsOf(file);
    assert.equal(tests.length, count, tests.map(([name]) => name).join(', '));
    globalThis.expect = () => ({ nothing() {} }); // expectArraysClose tells Jasmine that it was called
    for (const backend of backends)
      for (const [name, run] of tests)
        await t.test(`${name} (${backend})`, async () => {
          await tf.setBackend(backend);
          const { engine } = tf;
          engine().startScope();
          try {
            await run();
          } finally {
            engine().endScope();
            tf.disposeVariables();
            for (const optimizer of made.splice(0)) optimizer.dispose(); // the tests count tensors from none
          }
        });
  });
}
