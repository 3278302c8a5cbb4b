// Tests on each backend of tfjs that Node has: cpu, wasm, and one that the adapter does not know.
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { backends, tf } from './setup.mjs';

const { MathBackendCPU } = createRequire(import.meta.url)('@tensorflow/tfjs-backend-cpu');
// The cpu backend under a name that nobody knows stands for all others.
tf.registerBackend('unheard-of', () => new MathBackendCPU());
tf.copyRegisteredKernels('cpu', 'unheard-of');

export const everywhere = [...backends, 'unheard-of'];
/** A test on each backend. */
export function onEach(name, run, list = everywhere) {
  for (const backend of list)
    test(`${name} (${backend})`, async () => {
      await tf.setBackend(backend);
      await run(backend);
    });
}
