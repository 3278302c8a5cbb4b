// The documentation's site in Firefox, as `npm test`'s step "docs" has built it: every page opens without a complaint and
// sticks out at no width, and the demo that lies beside it runs. Its links are checked when it is built.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { launch, newPage, overflow, root, serveSite } from './firefox.mjs';

let server;
let browser;
before(async () => {
  [server, browser] = await Promise.all([serveSite(), launch()]);
});
after(() => Promise.all([browser?.close(), server?.close()]));

test('every page of the documentation opens, and nothing sticks out', async () => {
  const pages = readdirSync(join(root, 'build/site')).filter((name) => name.endsWith('.html'));
  assert.ok(pages.length > 20, `${pages.length} pages`);
  const { page, problems } = await newPage(browser);
  for (const name of [...pages, 'api/index.html']) {
    await page.goto(`${server.url}${name}`);
    await page.waitForSelector('#app[data-v-app], #app > *');
    for (const width of [390, 1280]) {
      await page.setViewport({ width, height: 800 });
      assert.ok((await overflow(page)) <= 0, `${name} at ${width}`);
    }
    assert.deepEqual(problems, [], name);
  }
  await page.close();
});

test('the demo beside the documentation runs', async () => {
  const { page, problems } = await newPage(browser);
  await page.goto(`${server.url}demo/`);
  await page.waitForSelector('#race-playback:not(:disabled)');
  assert.match(await page.$eval('#engine', ({ textContent }) => textContent), /^SIMD128/);
  assert.deepEqual(problems, []);
  await page.close();
});
