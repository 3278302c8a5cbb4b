// tfjs' threaded wasm backend, which only a cross-origin isolated page has: its heap is shared memory, and our
// kernels step in it. tfjs comes as its own scripts, as on a page without a bundler.
import { readFile } from 'node:fs/promises';
import { expect, test } from '@playwright/test';

const root = new URL('../../', import.meta.url);
const types = { js: 'text/javascript', wasm: 'application/wasm' };
const isolated = {
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-embedder-policy': 'require-corp',
};
const tfjs = '/node_modules/@tensorflow';

test('the threaded wasm backend is stepped in its shared memory, with the bits of plain arrays', async ({
  page,
}) => {
  await page.route('https://threads.test/**', async (route) => {
    const path = new URL(route.request().url()).pathname.slice(1);
    const headers = { ...isolated, 'content-type': path ? types[path.split('.').pop()] : 'text/html' };
    const scripts = ['core/dist/tf-core', 'backend-wasm/dist/tf-backend-wasm']
      .map((file) => `<script src="${tfjs}/tfjs-${file}.min.js"></script>`)
      .join('');
    const body = path ? await readFile(new URL(path, root)) : `<!doctype html>${scripts}`;
    return route.fulfill({ body, headers });
  });
  await page.goto('https://threads.test/');
  const found = await page.evaluate(async (folder) => {
    const { tf } = globalThis;
    const { Adam, Variable, init } = await import('/dist/index.js');
    const { tfOptimizer } = await import('/dist/tfjs.js');
    await init();
    tf.wasm.setWasmPaths(`${folder}/tfjs-backend-wasm/dist/`);
    await tf.setBackend('wasm');
    const start = Float32Array.from({ length: 100_003 }, (_, i) => Math.sin(i));
    const w = tf.variable(tf.tensor1d(start), true, 'w');
    const plain = new Variable(start, { path: 'w' });
    const [ours, expected] = [tfOptimizer(new Adam({ clipnorm: 1 })), new Adam({ clipnorm: 1 })];
    expected.build([plain]);
    for (let k = 0; k < 5; k++) {
      const g = start.map((x) => x * (k - 2));
      const tensor = tf.tensor1d(g);
      ours.applyGradients({ w: tensor });
      tensor.dispose();
      expected.apply([g]);
    }
    const values = w.dataSync();
    const state = ours.optimizer.getWeights()[2];
    const wanted = expected.getWeights()[2];
    return {
      isolated: crossOriginIsolated,
      threads: tf.wasm.getThreadsCount(),
      memory: tf.backend().wasm.HEAPU8.buffer.constructor.name,
      differing: values.reduce((sum, x, i) => sum + (x !== plain.value[i]), 0),
      stateDiffering: state.reduce((sum, x, i) => sum + (x !== wanted[i]), 0),
      moved: values[1] !== start[1],
    };
  }, tfjs);
  expect(found).toEqual({
    isolated: true,
    threads: expect.any(Number),
    memory: 'SharedArrayBuffer',
    differing: 0,
    stateDiffering: 0,
    moved: true,
  });
});
