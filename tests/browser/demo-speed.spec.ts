// The measurement on the page: everybody who can run is measured, who cannot says why, and it can be stopped.
// Which is faster is not tested here: a loaded machine would decide.
import { expect, test } from '@playwright/test';
import { duration, figure, openPage, problems, watchPage } from './demo-page.ts';

watchPage();

test('everybody is measured, TensorFlow.js when asked for', async ({ page }) => {
  test.setTimeout(90_000);
  await openPage(page, '#speed-size=16384');
  await page.locator('#speed-run').click();
  const state = page.locator('#speed-state');
  await expect(state).toHaveText('Complete', { timeout: 30_000 });
  await expect(page.locator('#speed-tfjs-wasm-time')).toBeHidden();
  await page.locator('#speed-tfjs').check();
  await page.locator('#speed-run').click();
  await expect(page.locator('#speed-run')).toHaveText('Stop');
  await expect(state).toHaveText('Complete', { timeout: 60_000 });
  expect(await figure(page.locator('#speed-bandwidth'))).toBeGreaterThan(0);
  for (const id of ['js', 'resident', 'arrays', 'tfjs-wasm', 'tfjs-cpu']) {
    const milliseconds = await duration(page.locator(`#speed-${id}-time`));
    expect(milliseconds).toBeGreaterThan(0);
    const nanoseconds = 1e6 * (await duration(page.locator(`#speed-${id}-each`)));
    expect(Math.abs(nanoseconds - (1e6 * milliseconds) / 16384)).toBeLessThan(0.02 + 0.01 * nanoseconds);
    const moved = await figure(page.locator(`#speed-${id}-memory`));
    expect(Math.abs(moved - 28 / nanoseconds)).toBeLessThan(0.06 + 0.02 * moved);
  }
  await expect(page.locator('#speed-js-times')).toHaveText('1.0 ×');
  await expect(page.locator('#speed-threads-note')).toHaveText(/^(\d+ threads|not here: .+)$/);
  await expect(page.locator('#speed-webgpu-note')).toHaveText(
    /^not here: .*WebGPU adapter$|differs by at most/,
  );
  // Other figures would be about another size.
  await page.locator('#speed-size').selectOption('262144');
  await expect(page.locator('#speed-js-time')).toHaveText('–');
  await expect(page.locator('#speed-state')).toHaveText('Not measured yet');
  expect(problems).toEqual([]);
});

test('measuring can be stopped', async ({ page }) => {
  await openPage(page, '#speed-size=16777216');
  await page.locator('#speed-run').click();
  await page.locator('#speed-run').click();
  await expect(page.locator('#speed-state')).toHaveText('Stopped');
  await expect(page.locator('#speed-run')).toHaveText('Measure');
});
