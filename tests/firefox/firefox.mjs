// A Firefox as people have it (Playwright's own is a patched one that would have to be downloaded), driven over WebDriver
// BiDi, with what a test of a page needs: a quiet page, its complaints, and servers of the demo and of the site.
import { fileURLToPath } from 'node:url';
import puppeteer from 'puppeteer-core';
import { createServer, preview } from 'vite';
import { firefox } from '../../scripts/setup/browser.mjs';

export const root = fileURLToPath(new URL('../../', import.meta.url));
process.env.SIMDESCENT_TEST_PORT ??= '0'; // vite.config.js: nothing is loaded anew under a test

/** With the wish for less motion, as in the tests in Chromium: each test decides what runs. */
export const launch = async () =>
  puppeteer.launch({
    browser: 'firefox',
    executablePath: await firefox(),
    extraPrefsFirefox: { 'ui.prefersReducedMotion': 1 },
  });

/** Another page, and what it has complained about. */
export async function newPage(browser) {
  const page = await browser.newPage();
  const problems = [];
  page.on('console', (message) => {
    if (['error', 'warn'].includes(message.type())) problems.push(message.text());
  });
  page.on('pageerror', (error) => problems.push(error.message));
  page.on('requestfailed', (request) => {
    // Whoever goes to another page breaks off what this one fetches ahead.
    const why = request.failure()?.errorText;
    if (why !== 'NS_BINDING_ABORTED') problems.push(`${request.url()}: ${why}`);
  });
  page.on('response', (response) => {
    if (response.status() >= 400) problems.push(`${response.url()}: ${response.status()}`);
  });
  await page.setViewport({ width: 1280, height: 1000 });
  return { page, problems };
}

/** The demo as `npm start` serves it. */
export async function serveDemo() {
  const server = await createServer({ configFile: `${root}vite.config.js`, server: { port: 0 } });
  await server.listen();
  return { url: server.resolvedUrls.local[0], close: () => server.close() };
}

/** The site as `npm run build:docs` has built it. */
export async function serveSite() {
  const server = await preview({
    configFile: false,
    root,
    logLevel: 'error',
    build: { outDir: 'build/site' },
    preview: { host: '127.0.0.1', port: 0 },
  });
  return { url: server.resolvedUrls.local[0], close: () => server.close() };
}

/** How far the document can be scrolled sideways. */
export const overflow = (page) =>
  page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
