// Every optimizer on one resident variable beside Adam, beside the stream of the yardsticks for as many bytes, and
// beside the same optimizer of TensorFlow.js on its wasm backend where it has one. A matrix, because that is what some
// of them are about; Muon's products are of another kind than a loop, so that it is measured on small ones alone.
import * as library from '../../dist/index.js';
import { rowsOf } from './steps.mjs';
import { gradientOf, weightsOf } from './variants/data.mjs';
import { moduleVariants } from './variants/modules.mjs';

export const ruleSizes = [2 ** 10, 2 ** 20, 2 ** 24];
const classes = { ...library };
const mostForMuon = 2 ** 16;

const cases = [
  ['Adam', {}],
  ['AdamW', {}],
  ['Adam', { amsgrad: true }],
  ['Adamax', {}],
  ['SGD', {}, 'sgd'],
  ['SGD', { momentum: 0.9 }, 'momentum'],
  ['SGD', { momentum: 0.9, nesterov: true }],
  ['RMSprop', {}, 'rmsprop'],
  ['RMSprop', { centered: true, momentum: 0.9, epsilon: 0.1 }],
  ['Adagrad', {}, 'adagrad'],
  ['Adadelta', {}, 'adadelta'],
  ['Nadam', {}],
  ['RAdam', {}],
  ['Ftrl', {}],
  ['Lion', {}],
  ['ScheduleFreeAdamW', {}],
  ['Lamb', {}],
  ['Adafactor', {}],
  ['Muon', {}],
];

const labelOf = (name, options) =>
  [name, ...Object.keys(options).filter((key) => key !== 'epsilon')].join(', ');

function resident([name, options], size) {
  const rows = 2 ** Math.floor(Math.log2(size) / 2);
  const variable = new library.Variable(weightsOf(size), { shape: [rows, size / rows] });
  variable.gradient.set(gradientOf(size));
  const optimizer = new classes[name](options);
  optimizer.build([variable]);
  const sizes = optimizer.variables.map(({ shape }) => (shape.length ? shape.reduce((n, x) => n * x) : 0));
  return {
    name: labelOf(name, options),
    // Weights and state are read and written, the gradient is read: the least that a step can move.
    bytes: 4 * (3 + (2 * sizes.reduce((sum, n) => sum + n)) / size),
    run: () => optimizer.step(),
    dispose() {
      optimizer.dispose();
      variable.dispose();
    },
  };
}

/** tf.train's own, with its defaults for all but the rate. */
async function ofTfjs(own, size) {
  const tf = await import('@tensorflow/tfjs-core');
  const { tfjsOptimizer } = await import('./variants/tfjs.mjs');
  const make = own === 'momentum' ? () => tf.train.momentum(0.01, 0.9) : () => tf.train[own](0.01);
  return tfjsOptimizer('wasm', `tfjs wasm ${own}`, size, make);
}

/** Rows of { group, rule, size, variant, ns, … }, one optimizer after another: 16 Mi of all at once would be 3 GiB. */
export async function* rules({ sizes, timing, beside }) {
  for (const size of sizes) {
    for (const each of cases) {
      const [name, , own] = each;
      if (name === 'Muon' && size > mostForMuon) continue;
      const variants = [resident(cases[0], size), ...(each === cases[0] ? [] : [resident(each, size)])];
      const { bytes } = variants.at(-1);
      if (own && beside.includes('tfjs')) variants.push(await ofTfjs(own, size));
      const stream = moduleVariants('adam', size).find(({ name }) => name === 'stream');
      const rows = await rowsOf({ group: 'rules', rule: 'rules', size }, [stream, ...variants], size, timing);
      const [streamed, adam] = rows;
      const least = (streamed.ns * bytes) / variants[0].bytes; // the stream moves what Adam does
      for (const row of rows.slice(each === cases[0] ? 1 : 2))
        yield { ...row, bytes, ratios: { adam: row.ns / adam.ns, stream: row.ns / least } };
    }
  }
}
