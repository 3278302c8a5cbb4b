// The site of the documentation, as `npm test`'s step "docs" has built it: pages, the search, the dark mode, the demo and
// the way back from it.
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import AxeBuilder from '@axe-core/playwright';
import { expect, test } from '@playwright/test';

const site = new URL('../../build/site/', import.meta.url);
const types = {
  html: 'text/html',
  js: 'text/javascript',
  css: 'text/css',
  svg: 'image/svg+xml',
  png: 'image/png',
};

test('pages, search, dark mode, the demo and back', async ({ page }) => {
  test.skip(!existsSync(new URL('index.html', site)), 'there is no site: npm run build:docs');
  const problems = [];
  page.on('pageerror', (error) => problems.push(String(error)));
  page.on('requestfailed', (request) => problems.push(request.url()));
  await page.route('https://site.test/**', async (route) => {
    const path = new URL(route.request().url()).pathname.slice(1);
    const file = new URL(path === '' || path.endsWith('/') ? `${path}index.html` : path, site);
    if (!existsSync(file)) return route.fulfill({ status: 404 });
    const contentType = types[file.pathname.split('.').pop()] ?? 'application/octet-stream';
    return route.fulfill({ body: await readFile(file), contentType });
  });
  await page.emulateMedia({ colorScheme: 'dark' });
  await page.goto('https://site.test/');
  await expect(page.locator('html')).toHaveClass(/dark/);
  await expect(page.getByRole('main')).toContainText('Gradient-descent optimizers');
  await page.getByRole('link', { name: 'Start', exact: true }).first().click();
  await expect(page.locator('h1')).toContainText('Start');
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme });
    const { violations } = await new AxeBuilder({ page }).analyze();
    expect(violations.flatMap(({ nodes }) => nodes.map(({ html }) => html))).toEqual([]);
  }
  await page.keyboard.press('Control+k');
  await page.getByRole('searchbox').fill('loss scale');
  await expect(page.locator('.VPLocalSearchBox .result').first()).toContainText('Loss scale');
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(/\/loss-scale\.html/);
  await page.getByRole('link', { name: 'Demo' }).first().click();
  await expect(page.locator('#engine')).toContainText('SIMD', { timeout: 20_000, ignoreCase: true });
  await page.getByRole('link', { name: 'Docs' }).first().click();
  await expect(page).toHaveURL('https://site.test/');
  expect(problems).toEqual([]);
});
