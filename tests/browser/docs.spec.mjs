// The documentation's examples for a page, each as it stands there: on a host that exists only here, with the package
// where npm puts it, isolated, under a strict policy.
import { readFile } from 'node:fs/promises';
import { expect, test } from '@playwright/test';
import { assertPrinted, blocksThatRun } from '../docs/blocks.mjs';

const root = new URL('../../', import.meta.url);
const types = { js: 'text/javascript', html: 'text/html', wasm: 'application/wasm' };
const headers = {
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-embedder-policy': 'require-corp',
  'content-security-policy':
    "default-src 'self' data:; script-src 'self' 'unsafe-inline' 'wasm-unsafe-eval'; worker-src 'self' blob:",
};
const dist = '/node_modules/simdescent/dist';
const map = JSON.stringify({ imports: { simdescent: `${dist}/index.js` } });

const all = blocksThatRun('in a page');
const files = all.filter(({ file }) => file);

for (const block of all.filter(({ file }) => !file)) {
  test(`${block.name}: it prints what it says`, async ({ page }) => {
    const printed = [];
    const problems = [];
    page.on('console', async (message) => {
      if (message.type() === 'log') printed.push(message.text());
      else if (message.type() !== 'debug') problems.push(message.text());
    });
    page.on('pageerror', (error) => problems.push(String(error)));
    await page.route('https://docs.test/**', async (route) => {
      const path = new URL(route.request().url()).pathname;
      const fulfill = (body, type) => route.fulfill({ body, headers: { ...headers, 'content-type': type } });
      if (path === '/') {
        const scripts = `<script type="importmap">${map}</script><script type="module">${block.code}</script>`;
        const icon = '<link rel="icon" href="data:,">';
        return fulfill(
          icon + (block.language === 'html' ? block.code : `<!doctype html>${scripts}`),
          types.html,
        );
      }
      const type = types[path.split('.').pop()] ?? 'text/plain';
      const sibling = files.find(({ page, file }) => page === block.page && `/${file}` === path);
      if (sibling) return fulfill(sibling.code, type);
      return fulfill(await readFile(new URL(path.replace('/node_modules/simdescent/', ''), root)), type);
    });
    await page.goto('https://docs.test/');
    await expect(() => {
      expect(problems).toEqual([]);
      assertPrinted(printed, block);
    }).toPass({ timeout: 20_000 });
    expect(printed.length).toBeGreaterThan(0);
  });
}

test('every file of an example is named by another block of its page', () => {
  for (const { file, page } of files)
    expect(all.some((other) => other.page === page && !other.file && other.code.includes(file))).toBe(true);
});
