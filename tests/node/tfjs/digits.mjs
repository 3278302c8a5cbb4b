// The digits as tensors, and dense networks on them: for comparisons of one optimizer with another under tfjs.
import { readFileSync } from 'node:fs';
import { generator, root } from '../helpers.mjs';
import { layers, tf } from './setup.mjs';

const bytes = readFileSync(`${root}demo/data/digits.bin`);
const count = bytes.length / 65;

/** `size` images from `from` on, cyclic: { x: [size, 64], y: [size, 10] }. */
export function batch(from, size) {
  const rows = Array.from({ length: size }, (_, k) => (from + k) % count);
  const x = Float32Array.from(rows.flatMap((row) => [...bytes.subarray(row * 64, row * 64 + 64)]));
  const labels = rows.map((row) => bytes[count * 64 + row]);
  return {
    x: tf.tensor2d(
      x.map((pixel) => pixel / 16),
      [size, 64],
    ),
    y: tf.tidy(() => tf.oneHot(tf.tensor1d(labels, 'int32'), 10).toFloat()),
  };
}

/** A dense classifier with weights from a seed, the same for everybody who asks. */
export function network(hidden, seed = 1) {
  const next = generator(seed);
  const model = layers.sequential();
  const sizes = [64, ...hidden, 10];
  sizes.slice(1).forEach((units, k) => {
    const activation = k === hidden.length ? 'softmax' : 'relu';
    model.add(layers.layers.dense({ units, activation, inputShape: k ? undefined : [64] }));
  });
  model.setWeights(
    model.getWeights().map(({ shape }) => {
      const limit = shape.length > 1 ? Math.sqrt(6 / (shape[0] + shape[1])) : 0;
      const values = Float32Array.from(
        { length: shape.reduce((a, b) => a * b) },
        () => limit * (2 * next() - 1),
      );
      return tf.tensor(values, shape);
    }),
  );
  return model;
}

/** Losses of `steps` batches of 32 by model.trainOnBatch, and the milliseconds they took. */
export async function losses(optimizer, { hidden, steps }) {
  const model = network(hidden);
  model.compile({ optimizer, loss: 'categoricalCrossentropy' });
  const found = [];
  for (let k = 0; k < steps; k++) {
    const { x, y } = batch(k * 32, 32);
    found.push(await model.trainOnBatch(x, y));
    tf.dispose([x, y]);
  }
  const parameters = model.countParams();
  model.dispose();
  return { found, parameters };
}
