// What only a bundler finds in the published packages of TensorFlow.js: gradients and chained operations. Their bundle
// brings a second copy of the core with it, on purpose.
import { build } from 'esbuild';
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
