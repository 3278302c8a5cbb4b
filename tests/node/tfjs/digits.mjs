// The digits as tensors, and dense networks on them: for comparisons of one optimizer with another under tfjs.
import { digits } from '../digits.mjs';
import { generator } from '../helpers.mjs';
import { layers, tf } from './setup.mjs';

/** `size` images from `from` on, cyclic: { x: [size, 64], y: [size, 10] }. */
export function batch(from, size) {
  const { images, classes } = digits(from, size);
  return { x: tf.tensor2d(images, [size, 64]), y: tf.tensor2d(classes, [size, 10]) };
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
