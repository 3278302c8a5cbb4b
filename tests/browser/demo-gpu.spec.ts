// The measurement where there is WebGPU: Chromium's software adapter stands in for a GPU. Its speed says nothing;
// that its numbers agree with the engine's does.
import { test as base, expect, type PlaywrightWorkerOptions } from '@playwright/test';
import { asTyped, figure, openPage, problems, watchPage } from './demo-page.ts';

const flags = ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader'];
const test = base.extend<object, Pick<PlaywrightWorkerOptions, 'launchOptions'>>({
  launchOptions: [
    async ({ launchOptions }, use) => {
      await use({ ...launchOptions, args: [...(launchOptions.args ?? []), ...flags] });
    },
    { scope: 'worker' },
  ],
});
watchPage();

for (const rule of ['adam', 'adamax']) {
  test(`${rule} is measured on the GPU, and says how far it is from the engine`, async ({ page }) => {
    await openPage(page, `#speed-size=16384&speed-rule=${rule}`);
    await page.locator('#speed-run').click();
    await expect(page.locator('#speed-state')).toHaveText('Complete', { timeout: 60_000 });
    const note = asTyped(await page.locator('#speed-webgpu-note').innerText());
    expect(Number(/at most (\S+) after/.exec(note)?.[1]), note).toBeLessThan(1e-5);
    expect(await figure(page.locator('#speed-webgpu-time'))).toBeGreaterThan(0);
    expect(problems).toEqual([]);
  });
}
