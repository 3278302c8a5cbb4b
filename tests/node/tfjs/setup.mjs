// TensorFlow.js in Node for the tests: core, layers, the cpu and wasm backends, and what only a bundler
// finds in the published packages: gradients and chained operations. Their bundle brings a second copy of the core
// with it, on purpose.

import * as tf from '@tensorflow/tfjs-core';
import { build } from 'esbuild';
import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-backend-wasm';
import { root } from '../helpers.mjs';

const { outputFiles } = await build({
  stdin: {
    contents: `
      import '@tensorflow/tfjs-core/dist/register_all_gradients';
      import '@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops';`,
    resolveDir: root,
  },
  bundle: true,
  format: 'esm',
  platform: 'node',
  mainFields: ['module', 'main'],
  write: false,
});
await import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString('base64')}`);

tf.enableProdMode(); // no banner

export { tf };
export const layers = await import('@tensorflow/tfjs-layers');
export const backends = ['cpu', 'wasm'];
