// The built package in a bare page: no server, no bundler, a strict Content-Security-Policy; its README example,
// and the same bits as in Node.
import { readFile } from 'node:fs/promises';
import { expect, test } from '@playwright/test';
import * as library from '../../dist/index.js';
import { fingerprints } from './bits.mjs';

const root = new URL('../../', import.meta.url);
const types = {
  js: 'text/javascript',
  mjs: 'text/javascript',
  wasm: 'application/wasm',
};
const html = (body) =>
  `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">` +
  `<script type="importmap">{"imports":{"simdescent":"/dist/index.js"}}</script>${body}`;

/** A page of these bytes on a host that exists only here; other paths are files of the repository. */
async function open(page, body, policy) {
  const problems = [];
  page.on(
    'console',
    (message) => ['error', 'warning'].includes(message.type()) && problems.push(message.text()),
  );
  page.on('pageerror', (error) => problems.push(String(error)));
  await page.route('http://bare.test/**', async (route) => {
    const path = new URL(route.request().url()).pathname.slice(1);
    if (path === '')
      return route.fulfill({
        body: html(body),
        headers: { 'content-type': 'text/html', 'content-security-policy': policy },
      });
    const content = await readFile(new URL(path, root));
    return route.fulfill({
      body: content,
      contentType: types[path.split('.').pop()] ?? 'text/plain',
    });
  });
  await page.goto('http://bare.test/');
  return problems;
}

// 'unsafe-inline' is for this page's own import map and script; what must not be there is 'unsafe-eval'.
const strict = "default-src 'self' data:; script-src 'self' 'unsafe-inline' 'wasm-unsafe-eval'";

test("the README's example runs in a bare page under a strict policy", async ({ page }) => {
  const readme = await readFile(new URL('README.md', root), 'utf8');
  const example = /```js\n([\s\S]*?)```/.exec(readme)[1];
  const logged = page.waitForEvent('console');
  const problems = await open(page, `<script type="module">${example}</script>`, strict);
  const [slope, intercept] = (await logged).text().split(' ').map(Number);
  expect(slope).toBeCloseTo(2, 3);
  expect(intercept).toBeCloseTo(1, 3);
  expect(problems).toEqual([]);
});

test('without permission to compile wasm, init() rejects with the reason', async ({ page }) => {
  await open(page, '', "default-src 'self'; script-src 'self' 'unsafe-inline'");
  const refused = page.evaluate(() => import('/dist/index.js').then(({ init }) => init()));
  await expect(refused).rejects.toThrow(/wasm-unsafe-eval|Content Security Policy/i);
});

test('the wasm can come from its own file', async ({ page }) => {
  await open(page, '', strict);
  const info = await page.evaluate(async () => {
    const { init } = await import('/dist/index.js');
    return init({ wasm: new URL('/dist/simdescent.wasm', location.href) });
  });
  expect(info.variant).toBe('simd128');
});

test('the page leaves the same bits as Node', async ({ page }) => {
  await open(page, '', strict);
  const found = await page.evaluate(async () => {
    const bits = await import('/tests/browser/bits.mjs');
    return bits.fingerprints(await import('/dist/index.js'));
  });
  expect(found).toEqual(await fingerprints(library));
  expect(new Set(Object.values(found)).size).toBe(4);
});
