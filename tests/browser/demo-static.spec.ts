// The static build of the demo, as any file host would serve it: under a path of its own and without the headers
// that isolate a page. `npm run build:demo` makes it; this test builds it anew.
import { readFile } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import { expect, test } from '@playwright/test';
import { build } from 'vite';
import { goToDigits, openPage, problems, watchPage } from './demo-page.ts';

watchPage();

const root = new URL('../../', import.meta.url);
const types: Record<string, string> = {
  html: 'text/html',
  js: 'text/javascript',
  css: 'text/css',
  svg: 'image/svg+xml',
  wasm: 'application/wasm',
};

test('works from any path, without special headers and under its own policy', async ({ page }) => {
  test.setTimeout(90_000);
  process.env.SIMDESCENT_ADDRESS = 'https://files.test/some/folder/'; // as build:demo's --address says it
  await build({ configFile: new URL('vite.config.js', root).pathname, logLevel: 'error' });
  delete process.env.SIMDESCENT_ADDRESS;
  const asked: string[] = [];
  let transferred = 0;
  await page.route('http://files.test/**', async (route) => {
    const path = new URL(route.request().url()).pathname;
    if (!path.startsWith('/some/folder/')) return route.fulfill({ status: 404 });
    const name = path.slice('/some/folder/'.length) || 'index.html';
    asked.push(name);
    const body = await readFile(new URL(`build/demo/${name}`, root));
    transferred += name.endsWith('.png') ? body.length : gzipSync(body).length;
    await route.fulfill({
      body,
      contentType: types[name.split('.').pop() ?? ''] ?? 'application/octet-stream',
    });
  });
  await openPage(page, '', 'http://files.test/some/folder/');
  expect(await page.evaluate(() => crossOriginIsolated)).toBe(false);
  const meta = (name: string) => page.locator(`meta[property="og:${name}"]`).getAttribute('content');
  expect(await meta('url')).toBe('https://files.test/some/folder/');
  const picture = (await meta('image')) ?? '';
  expect(picture).toMatch(/^https:\/\/files\.test\/some\/folder\/.*\.png$/);
  await readFile(new URL(`build/demo/${picture.slice('https://files.test/some/folder/'.length)}`, root));
  // What the first screen takes, as hosts send it.
  await expect(page.locator('#story-kept-state')).toHaveText('Step 360 of 360');
  await page.waitForLoadState('networkidle');
  expect(transferred).toBeLessThan(200_000);
  expect(transferred).toBeGreaterThan(50_000);
  await page.locator('#race-step').click();
  await expect(page.locator('#race-steps')).toHaveText('1');
  // The first sight does not wait for what few will ask for.
  expect(asked.filter((name) => /tensorflow|tfjs/.test(name))).toEqual([]);
  await page.locator('#basin-side').selectOption('128');
  await page.locator('#basin-maps').scrollIntoViewIfNeeded();
  await expect(page.locator('#basin-state')).toHaveText('Complete', { timeout: 30_000 });
  await goToDigits(page);
  await page.locator('#digits-tfjs').click();
  await expect(page.locator('#digits-tfjs')).toHaveText('TensorFlow.js takes part', { timeout: 30_000 });
  await page.locator('#speed-size').selectOption('16384');
  await page.locator('#speed-run').click();
  await expect(page.locator('#speed-state')).toHaveText('Complete', { timeout: 30_000 });
  await expect(page.locator('#speed-threads-note')).toContainText('not cross-origin isolated');
  expect(problems).toEqual([]);
});
