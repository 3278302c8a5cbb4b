// A model of TensorFlow.js on its wasm backend: one of our optimizers in compile(), saved with it, loaded, trained on.
import * as tf from '@tensorflow/tfjs';
import '@tensorflow/tfjs-backend-wasm';
import { Adam, init } from 'simdescent';
import { registerOptimizer, tfOptimizer } from 'simdescent/tfjs';

await init();
await tf.setBackend('wasm');
registerOptimizer(tf); // so that loadLayersModel knows them

// Exclusive or.
const xs = tf.tensor2d([0, 0, 0, 1, 1, 0, 1, 1], [4, 2]);
const ys = tf.tensor2d([0, 1, 1, 0], [4, 1]);
const kernelInitializer = tf.initializers.glorotUniform({ seed: 7 });
const model = tf.sequential({
  layers: [
    tf.layers.dense({ inputShape: [2], units: 8, activation: 'tanh', kernelInitializer }),
    tf.layers.dense({ units: 1, activation: 'sigmoid', kernelInitializer }),
  ],
});
model.compile({ optimizer: tfOptimizer(new Adam({ learningRate: 0.05 })), loss: 'binaryCrossentropy' });
await model.fit(xs, ys, { epochs: 50, verbose: 0 });

let saved; // a page would save to 'indexeddb://model'
const toMemory = tf.io.withSaveHandler(async (artifacts) => {
  saved = artifacts;
  return { modelArtifactsInfo: tf.io.getModelArtifactsInfoForJSON(artifacts) };
});
await model.save(toMemory, { includeOptimizer: true });

const again = await tf.loadLayersModel(tf.io.fromMemory(saved));
const tensors = tf.memory().numTensors;
await again.fit(xs, ys, { epochs: 250, verbose: 0 });
const answers = again.predict(xs).dataSync().map(Math.round);
console.log(tf.getBackend(), ...answers); // wasm 0 1 1 0
console.log(again.optimizer.optimizer.iterations); // 300
console.log(tf.memory().numTensors - tensors); // 1
