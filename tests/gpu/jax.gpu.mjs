// jax-js, tfjs and simdescent on one GPUDevice: arrays of jax-js are stepped in place, and a buffer of jax-js is a
// tensor of tfjs without a copy.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { globals } from 'webgpu';
import { Adam, Adamax, init, Variable } from '../../dist/index.js';
import { jaxOptimizer } from '../../dist/jax.js';
import { tfOptimizer } from '../../dist/tfjs.js';
import { initWebGPU } from '../../dist/webgpu.js';
import { randomFloats } from '../node/helpers.mjs';
import { entry } from './adapter.mjs';

const adapter = await entry.requestAdapter();
Object.assign(globalThis, globals);
Object.defineProperty(globalThis, 'navigator', { value: { gpu: entry, userAgent: '' }, configurable: true });
const jax = await import('@jax-js/jax');
const { numpy: np, tree } = jax;

describe('jax-js on the GPU', { skip: adapter ? false : 'no WebGPU adapter here' }, () => {
  let gpu;
  before(async () => {
    await init();
    await jax.init('webgpu');
    jax.defaultDevice('webgpu');
    gpu = await initWebGPU({ device: jax.getWebGPUDevice() });
  });
  after(() => gpu.sync());

  const narrow = { stateDtype: { dtype: 'int8', minSize: 100 } };
  for (const options of [{}, narrow])
    test(`gradients of jax-js, steps of ours, in place: ${Object.keys(options)}`, async () => {
      const solver = jaxOptimizer(new Adam({ learningRate: 0.1, ...options }), { gpu });
      const expected = new Adam({ learningRate: 0.1, ...options });
      const plain = new Variable(randomFloats(1000, 1), { path: 'w' });
      expected.build([plain]);
      const params = { w: await np.array(randomFloats(1000, 1), { shape: [20, 50] }).blockUntilReady() };
      const loss = ({ w }) => np.sum(np.square(w.sub(3)));
      for (let k = 0; k < 20; k++) {
        solver.step(params, jax.grad(loss)(tree.ref(params)));
        expected.apply([plain.value.map((x) => 2 * (x - 3))]);
      }
      await gpu.sync();
      assert.equal(params.w.refCount, 1);
      const values = await params.w.data();
      values.forEach((x, i) => {
        assert.ok(Math.abs(x - plain.value[i]) < 1e-4, `${x} instead of ${plain.value[i]}`);
      });
      solver.dispose();
    });

  test('one device for jax-js, tfjs and us', async () => {
    const { tf } = await import('../node/tfjs/setup.mjs');
    const { WebGPUBackend } = await import('@tensorflow/tfjs-backend-webgpu');
    const device = jax.getWebGPUDevice();
    if (tf.findBackendFactory('webgpu')) tf.removeBackend('webgpu');
    tf.registerBackend('webgpu', () => new WebGPUBackend(device, adapter.info));
    assert.ok(await tf.setBackend('webgpu'));
    assert.equal(tf.backend().device, gpu.device);
    const array = await np.array([1, 2, 3, 4]).blockUntilReady();
    const buffer = array.ref.gpuBufferSync();
    const w = tf.variable(tf.tensor({ buffer, zeroCopy: true }, [4]));
    tfOptimizer(new Adamax({ learningRate: 0.5 }), { gpu }).minimize(() => w.square().sum(), false, [w]);
    assert.ok(
      (await w.data()).every((x, i) => Math.abs(x - (i + 0.5)) < 1e-6),
      String(await w.data()),
    );
    assert.deepEqual([...(await array.data())], [1, 2, 3, 4]); // tfjs' variable has gone on with data of its own
    tf.removeBackend('webgpu');
  });

  test('what cannot be is said', async () => {
    const w = await np.array([1, 2]).blockUntilReady();
    assert.throws(() => jaxOptimizer(new Adam()).step(w, np.array([1, 1])), /initWebGPU/);
    const solver = jaxOptimizer(new Adam(), { gpu });
    solver.step(w, np.array([1, 1]));
    assert.throws(() => solver.step(np.array([1, 2]), np.array([1, 1])), /first step/);
    assert.throws(() => solver.step(w, np.array([1, 1, 1])), /\[2\].*\[3\]/);
    assert.throws(() => solver.init(w.ref), /step\(\)/);
    const other = jaxOptimizer(new Adam(narrow), { gpu }); // what lives in the engine's buffers may be narrow
    assert.throws(() => other.init(w.ref), /'int8'.*arrays of jax-js/);
    await gpu.sync();
  });
});
