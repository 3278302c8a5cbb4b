// The demo in Firefox: it runs, its numbers have the bits that they have in Node, nothing sticks out at any width, keys
// reach everything, and axe finds nothing. What its controls do is tested in Chromium (tests/browser).
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import * as library from '../../dist/index.js';
import { fingerprints } from '../browser/bits.mjs';
import { launch, newPage, overflow, root, serveDemo } from './firefox.mjs';

let server;
let browser;
before(async () => {
  [server, browser] = await Promise.all([serveDemo(), launch()]);
});
after(() => Promise.all([browser?.close(), server?.close()]));

async function open(hash = '') {
  const opened = await newPage(browser);
  await opened.page.goto(`${server.url}${hash}`);
  await opened.page.waitForSelector('#race-playback:not(:disabled)');
  return opened;
}

const textOf = (page, selector) => page.$eval(selector, (element) => element.textContent.trim());
const click = (page, selector) => page.$eval(selector, (element) => element.click());
const hasText = (page, selector, pattern) =>
  page.waitForFunction(
    (selector, source) => new RegExp(source).test(document.querySelector(selector).textContent),
    {},
    selector,
    pattern.source,
  );

test('the library of the page leaves the same bits as Node', async () => {
  const { page, problems } = await open();
  assert.match(await textOf(page, '#engine'), /^SIMD128 WebAssembly/);
  const found = await page.evaluate(async (path) => {
    const { fingerprints } = await import(path);
    return fingerprints(globalThis.simdescent);
  }, `/@fs/${root}tests/browser/bits.mjs`);
  assert.deepEqual(found, await fingerprints(library));
  assert.deepEqual(problems, []);
  await page.close();
});

test('Adam, AdamW and Adamax race as the library steps; less motion is respected', async () => {
  const { page, problems } = await open('#race-runners=adam,adamw,adamax&at=race');
  assert.equal(await textOf(page, '#race-steps'), '0');
  for (let count = 0; count < 20; count++) await click(page, '#race-step');
  assert.equal(await textOf(page, '#race-state'), 'Paused at step 20');
  await library.init();
  for (const Optimizer of [library.Adam, library.AdamW, library.Adamax]) {
    const point = new library.Variable([-1.2, 1], { name: 'point' });
    const optimizer = new Optimizer({ learningRate: 0.02 });
    optimizer.build([point]);
    for (let step = 0; step < 20; step++) {
      const [x, y] = point.value;
      optimizer.apply([Float32Array.of(2 * (x - 1) - 400 * x * (y - x ** 2), 200 * (y - x ** 2))]);
    }
    const shown = ['x', 'y'].map((axis) => textOf(page, `#race-${Optimizer.name.toLowerCase()}-${axis}`));
    const expected = [...point.value].map((value) => value.toFixed(4).replace('-', '−'));
    assert.deepEqual(await Promise.all(shown), expected, Optimizer.name);
    optimizer.dispose();
    point.dispose();
  }
  await click(page, '#race-play');
  await page.waitForFunction(() => Number(document.querySelector('#race-steps').textContent) > 40);
  await click(page, '#race-play');
  await hasText(page, '#race-state', /^Paused/);
  assert.deepEqual(problems, []);
  await page.close();
});

test('every scene of the story stands at its end when it is seen, and steps anew', async () => {
  const { page, problems } = await open();
  for (const scene of ['kept', 'spike', 'rare', 'wins', 'epsilon']) {
    await page.$eval(`#story-${scene}`, (element) => element.scrollIntoView());
    await hasText(page, `#story-${scene}-state`, /^Step (\d+) of \1$/);
    await click(page, `#story-${scene}-reset`);
    await click(page, `#story-${scene}-step`);
    await hasText(page, `#story-${scene}-state`, /^Step 1 of \d+$/);
  }
  assert.deepEqual(problems, []);
  await page.close();
});

test('with everything open, nothing scrolls sideways at any width, keys reach everything, axe finds nothing', async () => {
  const { page, problems } = await open('#basin-side=128&race-at=900&race-surface=ravine');
  await page.$$eval('summary', (all) => {
    for (const summary of all) summary.click();
  });
  for (const id of ['digits', 'basin-maps', 'rates-maps'])
    await page.$eval(`#${id}`, (part) => part.scrollIntoView());
  for (const part of ['basin', 'rates']) await hasText(page, `#${part}-state`, /^Complete$/);
  await page.$eval('#digits', (part) => part.scrollIntoView());
  await page.waitForSelector('#digits-controls:not(:disabled)');
  const wide = [];
  for (let width = 320; width <= 1920; width += 40) {
    await page.setViewport({ width, height: 800 });
    const beyond = await overflow(page);
    if (beyond > 0) wide.push(`${width}: ${beyond}`);
  }
  assert.deepEqual(wide, []);

  await page.setViewport({ width: 1280, height: 1000 });
  const reachable = await page.evaluate(() => {
    const controls = document.querySelectorAll('a[href], button, input, select, summary, [tabindex="0"]');
    const visible = [...controls].filter(
      (control) => control.checkVisibility() && !control.matches(':disabled'),
    );
    globalThis.missed = new Set(visible);
    addEventListener('focusin', ({ target }) => globalThis.missed.delete(target));
    document.activeElement?.blur();
    document.body.tabIndex = -1;
    document.body.focus();
    return visible.length;
  });
  assert.ok(reachable > 60, `${reachable} controls`);
  for (let press = 0; press < reachable; press++) await page.keyboard.press('Tab');
  // A scene that has been reached has played, and makes no more steps.
  const missed = await page.evaluate(() =>
    [...globalThis.missed].filter((each) => !each.matches(':disabled')).map(({ outerHTML }) => outerHTML),
  );
  assert.deepEqual(missed, []);

  await page.evaluate(readFileSync(`${root}node_modules/axe-core/axe.min.js`, 'utf8'));
  const violations = await page.evaluate(async () => {
    const { violations } = await globalThis.axe.run();
    return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`);
  });
  assert.deepEqual(violations, []);
  assert.deepEqual(problems, []);
  await page.close();
});
