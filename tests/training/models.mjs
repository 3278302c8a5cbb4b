// The two models that `npm run dtypes` trains: the demo's network on its digits, and a model of characters of about a
// million parameters. Each gives its losses, step by step, for an optimizer that steps the Variables it is given.
import { readFileSync } from 'node:fs';
import { tf } from '../node/tfjs/setup.mjs';
import { letters, textOf } from './grammar.mjs';

/** @param demo demo/compare.ts, bundled @param sd the package */
export function digits(demo, sd, root) {
  const { training } = demo.splitDigits(new Uint8Array(readFileSync(`${root}/demo/data/digits.bin`)));
  const batch = 64;
  return {
    name: 'digits',
    parameters: 2410,
    minSize: 0,
    steps: 220,
    rate: 0.005,
    train(optimizer, seed, steps) {
      const variables = demo
        .initialTensors(seed)
        .map(
          (values, k) =>
            new sd.Variable(values, { path: demo.tensors[k].path, shape: demo.tensors[k].shape }),
        );
      const [weights, gradients] = ['value', 'gradient'].map((what) => variables.map((v) => v[what]));
      const network = new demo.Network(batch);
      const batches = new demo.BatchStream(training, batch, seed);
      optimizer.build(variables);
      const losses = [];
      for (let t = 0; t < steps; t++) {
        losses.push(network.lossAndGradients(batches.next(), weights, gradients));
        optimizer.step();
      }
      optimizer.dispose();
      for (const v of variables) v.dispose();
      return losses;
    },
  };
}

const context = 12;
const width = letters.length;
const shapes = [[context * width, 1024], [1024], [1024, 512], [512], [512, width], [width]];

/** The next character from the twelve before it: 348-1024-512-29, by TensorFlow.js' wasm backend. */
export async function characters(demo, sd) {
  await tf.setBackend('wasm');
  const text = textOf(60_000, demo.uniformNumbers(1));
  const codes = Uint8Array.from(text, (c) => letters.indexOf(c));
  const batch = 16; // more would take minutes a run
  const logits = (x, [w1, b1, w2, b2, w3, b3]) =>
    tf.add(tf.matMul(tf.relu(tf.add(tf.matMul(tf.relu(tf.add(tf.matMul(x, w1), b1)), w2), b2)), w3), b3);
  const gradientsOf = (x, y) =>
    tf.valueAndGrads((...p) => tf.neg(tf.mean(tf.sum(tf.mul(y, tf.logSoftmax(logits(x, p))), 1))));
  return {
    name: 'characters',
    parameters: shapes.reduce((sum, shape) => sum + shape.reduce((a, b) => a * b), 0),
    minSize: 4096,
    steps: 150,
    rate: 0.001,
    train(optimizer, seed, steps) {
      const random = demo.uniformNumbers(seed);
      const variables = shapes.map((shape, k) => {
        const limit = shape.length > 1 ? Math.sqrt(6 / (shape[0] + shape[1])) : 0;
        const values = Float32Array.from(
          { length: shape.reduce((a, b) => a * b) },
          () => limit * (2 * random() - 1),
        );
        return new sd.Variable(values, { path: `layer${k >> 1}/${k % 2 ? 'bias' : 'kernel'}`, shape });
      });
      optimizer.build(variables);
      const losses = [];
      const [inputs, targets] = [new Float32Array(batch * context * width), new Float32Array(batch * width)];
      for (let t = 0; t < steps; t++) {
        inputs.fill(0);
        targets.fill(0);
        for (let row = 0; row < batch; row++) {
          const at = Math.floor(random() * (codes.length - context - 1));
          for (let k = 0; k < context; k++) inputs[(row * context + k) * width + codes[at + k]] = 1;
          targets[row * width + codes[at + context]] = 1;
        }
        tf.tidy(() => {
          const x = tf.tensor2d(inputs, [batch, context * width]);
          const y = tf.tensor2d(targets, [batch, width]);
          const parameters = variables.map(({ value, shape }) => tf.tensor(value.slice(), shape));
          const { value, grads } = gradientsOf(x, y)(parameters);
          losses.push(value.dataSync()[0]);
          grads.forEach((gradient, k) => {
            variables[k].gradient.set(gradient.dataSync());
          });
        });
        optimizer.step();
      }
      optimizer.dispose();
      for (const v of variables) v.dispose();
      return losses;
    },
  };
}
