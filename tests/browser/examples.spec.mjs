// The examples for a page, from the packed package: one as it lies there, the others as Vite builds them, on a host that
// exists only here and that sends the headers of a server of Vite's.
import { readFile } from 'node:fs/promises';
import { expect, test } from '@playwright/test';
import { assertPrinted } from '../docs/blocks.mjs';
import { fileOf, installed, npmRun } from '../examples.mjs';

const types = { js: 'text/javascript', html: 'text/html', css: 'text/css', wasm: 'application/wasm' };
const headers = {
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-embedder-policy': 'require-corp',
};

let folder;
test.beforeAll(async () => {
  folder = await installed('examples-browser');
});

for (const [name, main] of Object.entries({ page: 'index.html', worker: 'main.js', vite: 'main.ts' })) {
  test(`examples/${name}`, async ({ page }) => {
    const built = main === 'index.html' ? '' : 'dist/';
    if (built) await npmRun(`${folder}/${name}`, 'build');
    const printed = [];
    const problems = [];
    page.on('console', (message) => {
      (message.type() === 'log' ? printed : problems).push(message.text());
    });
    page.on('pageerror', (error) => problems.push(String(error)));
    await page.route('https://examples.test/**', async (route) => {
      const path = new URL(route.request().url()).pathname.slice(1) || 'index.html';
      const place = path.startsWith('node_modules/') ? '' : `${name}/${built}`;
      const type = types[path.split('.').pop()] ?? 'application/octet-stream';
      const body = await readFile(`${folder}/${place}${path}`);
      return route.fulfill({ body, headers: { ...headers, 'content-type': type } });
    });
    await page.goto('https://examples.test/');
    const language = main.split('.').pop();
    await expect(() => {
      expect(problems).toEqual([]);
      assertPrinted(printed, { language, code: fileOf(name, main) });
    }).toPass({ timeout: 30_000 });
    expect(printed.length).toBeGreaterThan(0);
  });
}
