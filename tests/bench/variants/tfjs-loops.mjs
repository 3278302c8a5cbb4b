// model.fit of TensorFlow.js on its wasm backend: with tf.train.adam, with ours in its place, and with an optimizer
// that does nothing.
import { Adam } from '../../../dist/index.js';
import { tfOptimizer } from '../../../dist/tfjs.js';
import { batch, network } from '../../node/tfjs/digits.mjs';
import { layers, tf } from '../../node/tfjs/setup.mjs';
import { hyper } from './data.mjs';

/** The gradients are computed all the same. */
class NoUpdate extends tf.Optimizer {
  static className = 'NoUpdate';
  applyGradients() {}
  dispose() {}
}

const { learningRate, beta1, beta2, epsilon } = hyper;
const optimizers = {
  'no update': () => new NoUpdate(),
  'tf.train.adam': () => tf.train.adam(learningRate, beta1, beta2, epsilon),
  ours: () => tfOptimizer(new Adam(hyper)),
};

/** A line through points, or a classifier. */
function problem(hidden, size) {
  if (hidden) return { ...batch(0, size), loss: 'categoricalCrossentropy', model: () => network(hidden) };
  const x = tf.linspace(-1, 1, size).reshape([size, 1]);
  const line = () => {
    const model = layers.sequential();
    model.add(layers.layers.dense({ units: 1, inputShape: [1] }));
    return model;
  };
  return { x, y: x.mul(2).add(1), loss: 'meanSquaredError', model: line };
}

export async function tfjsLoops({ hidden, steps, batchSize }) {
  await tf.setBackend('wasm');
  const { x, y, loss, model } = problem(hidden, steps * batchSize);
  const options = { batchSize, epochs: 1, shuffle: false, verbose: 0, yieldEvery: 'never' };
  return Object.entries(optimizers).map(([name, make]) => {
    const trained = model();
    const optimizer = make();
    trained.compile({ optimizer, loss });
    return {
      name,
      async turn(runs) {
        const start = performance.now();
        for (let k = 0; k < runs; k++) await trained.fit(x, y, options);
        return performance.now() - start;
      },
      dispose() {
        optimizer.dispose();
        trained.dispose();
      },
    };
  });
}
