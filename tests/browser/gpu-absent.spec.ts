// What a page without a WebGPU adapter is told: Chromium has none here without its flags.
import { expect, test } from '@playwright/test';
import { open } from './gpu-page.ts';

test('a page without an adapter: null, or an error that says so', async ({ page }) => {
  await open(page);
  const found = await page.evaluate(async () => {
    const { initWebGPU } = await import('/dist/webgpu.js' as string);
    const adapter = await navigator.gpu?.requestAdapter();
    const refused = await initWebGPU().then(
      () => 'a GPU',
      (error: Error) => error.message,
    );
    return { adapter: Boolean(adapter), optional: await initWebGPU({ optional: true }), refused };
  });
  test.skip(found.adapter, 'this machine has a GPU of its own');
  expect(found.optional).toBeNull();
  expect(found.refused).toMatch(/WebGPU/);
});
