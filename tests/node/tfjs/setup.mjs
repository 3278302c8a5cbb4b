// TensorFlow.js in Node for the tests: core, layers, the cpu and wasm backends, and what gradients.mjs adds.
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-backend-wasm';
import './gradients.mjs';

tf.enableProdMode(); // no banner

export { tf };
export const layers = await import('@tensorflow/tfjs-layers');
export const backends = ['cpu', 'wasm'];
