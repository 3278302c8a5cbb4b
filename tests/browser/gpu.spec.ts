// WebGPU in a browser: conformance cases with all variables on the GPU, moves and a loss, over the software adapter
// that Chromium has with the flags below.
import { expect, test } from '@playwright/test';
import { open } from './gpu-page.ts';

test.use({
  launchOptions: async ({ launchOptions }, use) => {
    const flags = ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader'];
    await use({ ...launchOptions, args: [...(launchOptions.args ?? []), ...flags] });
  },
});

test.beforeEach(async ({ page }) => {
  await open(page);
  const adapter = await page.evaluate(async () => Boolean(await navigator.gpu?.requestAdapter()));
  test.skip(!adapter, 'this browser has no WebGPU adapter, not even a software one');
});

for (const file of [
  'adam',
  'adamax',
  'adam-random',
  'adamax-random',
  'loss-scale',
  'constraints',
  'tf-keras',
])
  test(`${file}.json: every case within the tolerance`, async ({ page }) => {
    test.setTimeout(180_000);
    const { count, failed } = await page.evaluate(async (name) => {
      const library = await import('/dist/index.js' as string);
      const { initWebGPU } = await import('/dist/webgpu.js' as string);
      const { compareCase, TOLERANCE } = await import('/tests/gpu/case.mjs' as string);
      const { exceptions } = await import('/tests/gpu/exceptions.mjs' as string);
      const { cases } = await (await fetch(`/tests/vectors/${name}.json`)).json();
      const gpu = await initWebGPU();
      const failed: string[] = [];
      const queue = [...cases];
      const make = (c: { optimizer: string; config: object }) => library[c.optimizer].fromConfig(c.config);
      const worker = async () => {
        for (let c = queue.shift(); c; c = queue.shift()) {
          if (exceptions[c.id]) continue;
          const { worst, where } = await compareCase(c, library, gpu, make);
          if (!(worst <= TOLERANCE)) failed.push(`${c.id}: ${worst}, ${where}`);
        }
      };
      await Promise.all(Array.from({ length: 8 }, worker));
      await gpu.sync();
      gpu.dispose();
      return { count: cases.length, failed };
    }, file);
    expect(count).toBeGreaterThan(0);
    expect(failed).toEqual([]);
  });

test('offload, a lost device, and the training goes on in the engine', async ({ page }) => {
  const told = await page.evaluate(async () => {
    const { Adam, Variable } = await import('/dist/index.js' as string);
    const { initWebGPU } = await import('/dist/webgpu.js' as string);
    const gpu = await initWebGPU();
    const v = new Variable(new Float32Array(5000).fill(1), { name: 'v' });
    const optimizer = new Adam({ learningRate: 0.5 });
    optimizer.build([v]);
    await optimizer.offload(gpu, { minSize: 1 });
    optimizer.apply([new Float32Array(5000).fill(2)]);
    const [values, state] = [await v.read(), await optimizer.readState()];
    const placed = v.placement;
    gpu.device.destroy();
    await gpu.lost;
    const message = await optimizer.onload().catch((error: Error) => error.message);
    v.assign(values);
    optimizer.loadState(state);
    optimizer.apply([new Float32Array(5000).fill(2)]);
    return {
      placed,
      first: values[4999],
      message,
      second: v.value[4999],
      iterations: optimizer.iterations,
    };
  });
  expect(told.placed).toBe('gpu');
  expect(told.first).toBeCloseTo(0.5, 4);
  expect(told.message).toMatch(/lost.*'v'/s);
  expect(told.second).toBeCloseTo(0, 4);
  expect(told.iterations).toBe(2);
});
