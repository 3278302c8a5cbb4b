// TensorFlow.js with its wasm and cpu backends, its wasm files served by this page. It is large: whoever needs it
// imports this file when it is asked for.
import '@tensorflow/tfjs-backend-cpu';
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import plainWasm from '@tensorflow/tfjs-backend-wasm/wasm-out/tfjs-backend-wasm.wasm?url';
import '@tensorflow/tfjs-core/dist/register_all_gradients';
import simdWasm from '@tensorflow/tfjs-backend-wasm/wasm-out/tfjs-backend-wasm-simd.wasm?url';
import * as tf from '@tensorflow/tfjs-core';

setWasmPaths({
  'tfjs-backend-wasm.wasm': plainWasm,
  'tfjs-backend-wasm-simd.wasm': simdWasm,
  // Never fetched: see below.
  'tfjs-backend-wasm-threaded-simd.wasm': simdWasm,
});
tf.enableProdMode();
// One thread, as our own engine has; its threads would need a script that a strict policy refuses.
tf.env().set('WASM_HAS_MULTITHREAD_SUPPORT', false);

export { tf };

export async function ready(backend: 'wasm' | 'cpu'): Promise<void> {
  if (!(await tf.setBackend(backend)))
    throw new Error(`TensorFlow.js could not start its ${backend} backend.`);
}
