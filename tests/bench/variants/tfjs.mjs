// TensorFlow.js' own optimizers on its cpu and wasm backends: one variable, one gradient, applyGradients.
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-backend-wasm';
import { gradientOf, hyper, weightsOf } from './data.mjs';

const { learningRate, beta1, beta2, epsilon } = hyper;
tf.enableProdMode(); // no checks, no banner
let made = 0;

export async function tfjs(backend, rule, n) {
  const enter = () => tf.setBackend(backend);
  await enter();
  const optimizer = tf.train[rule](learningRate, beta1, beta2, epsilon);
  const name = `w${made++}`;
  const variable = tf.variable(tf.tensor1d(weightsOf(n)), true, name);
  const gradient = { [name]: tf.tensor1d(gradientOf(n)) };
  return {
    name: `tfjs ${backend}`,
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
