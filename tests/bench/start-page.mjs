// What loading costs in a page: import and init() in fresh pages of an installed Chrome or Chromium, and the import
// of an empty module there, which no package can do without. Each page has a profile of its own, so that nothing
// is cached; the server knows the files of dist. No rows where there is no such browser.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { chromium } from '@playwright/test';
import config from '../../playwright.config.js';

const dist = new URL('../../dist/', import.meta.url);
const types = { js: 'text/javascript', wasm: 'application/wasm' };

function content(name) {
  if (!name) return '<!doctype html><title>page</title>';
  return name === 'empty.js' ? 'export const init = () => {};' : readFileSync(new URL(name, dist));
}

function serve({ url }, response) {
  const [, name, extension] = /^\/([\w-]+\.(js|wasm))$/.exec(url) ?? [];
  response.setHeader('content-type', types[extension] ?? 'text/html');
  response.end(content(name));
}

/** In the page: milliseconds. */
async function load(module) {
  const begun = performance.now();
  const { init } = await import(module);
  await init();
  return performance.now() - begun;
}

/** Rows of { group: 'start', variant, value, unit }. */
export async function startPage({ rounds }) {
  const { launchOptions } = config.use;
  if (!launchOptions.executablePath) return [];
  const server = createServer(serve);
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const browser = await chromium.launch(launchOptions);
  const where = `in a page of Chromium ${browser.version().split('.')[0]}, median`;
  const times = { '/index.js': [], '/empty.js': [] };
  for (let round = 0; round <= rounds; round++) {
    for (const [module, found] of Object.entries(times)) {
      const page = await browser.newPage();
      await page.goto(`http://127.0.0.1:${server.address().port}/`);
      const ms = await page.evaluate(load, module);
      if (round > 0) found.push(ms); // the first one finds a browser that is still starting
      await page.close();
    }
  }
  await browser.close();
  server.close();
  const median = (found) => found.sort((a, b) => a - b)[found.length >> 1];
  const row = (variant, module) => ({ group: 'start', variant, value: median(times[module]), unit: 'ms' });
  return [
    row(`import and init() ${where}`, '/index.js'),
    row(`import of an empty module ${where}`, '/empty.js'),
  ];
}
