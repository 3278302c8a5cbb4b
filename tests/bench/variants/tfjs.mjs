// Optimizers under TensorFlow.js on its cpu and wasm backends, its own and ours in their place: one variable, one
// gradient, applyGradients.
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-backend-wasm';
import { Adam, Adamax } from '../../../dist/index.js';
import { tfOptimizer } from '../../../dist/tfjs.js';
import { gradientOf, hyper, weightsOf } from './data.mjs';

const { learningRate, beta1, beta2, epsilon } = hyper;
tf.enableProdMode(); // no checks, no banner
let made = 0;

export const tfjs = (backend, rule, n) =>
  variantOf(backend, `tfjs ${backend}`, n, () => tf.train[rule](learningRate, beta1, beta2, epsilon));

const classes = { adam: Adam, adamax: Adamax };

export const oursInTfjs = (backend, rule, n) =>
  variantOf(backend, `ours in tfjs ${backend}`, n, () => tfOptimizer(new classes[rule](hyper)));

/** Any optimizer that tfjs takes. */
export const tfjsOptimizer = (backend, label, n, make) => variantOf(backend, label, n, make);

async function variantOf(backend, label, n, make) {
  const enter = () => tf.setBackend(backend);
  await enter();
  const optimizer = make();
  const name = `w${made++}`;
  const variable = tf.variable(tf.tensor1d(weightsOf(n)), true, name);
  const gradient = { [name]: tf.tensor1d(gradientOf(n)) };
  return {
    name: label,
    enter,
    run: () => optimizer.applyGradients(gradient),
    values: () => variable.dataSync(),
    dispose() {
      optimizer.dispose();
      variable.dispose();
      gradient[name].dispose();
    },
  };
}
