// The browser tests: an installed Chrome or Chromium against the demo's own server. Playwright's
// downloads of browsers are not used. `npm test` chooses the port.
import { defineConfig } from '@playwright/test';
import { findChromium } from './scripts/setup/browser.mjs';

const port = Number(process.env.SIMDESCENT_TEST_PORT ?? 5179);
const quietArgs = [
  'disable-quic',
  'no-first-run',
  'disable-background-networking',
  'disable-component-update',
];
const containerArgs = ['disable-dev-shm-usage', ...(process.getuid?.() === 0 ? ['no-sandbox'] : [])];

export default defineConfig({
  testDir: 'tests/browser',
  outputDir: 'build/browser',
  forbidOnly: Boolean(process.env.CI),
  workers: 2, // the default is half of the cores
  timeout: 120_000,
  expect: { timeout: 30_000 }, // a busy machine takes its time over the first page
  reporter: 'list',
  use: {
    baseURL: `http://127.0.0.1:${port}/`,
    browserName: 'chromium',
    launchOptions: {
      executablePath: findChromium(),
      args: [...quietArgs, 'disable-sync', ...containerArgs].map((arg) => `--${arg}`),
    },
    // Traces of tests that pass are a third of the time; `--trace on` makes one of a test that fails.
    trace: 'off',
  },
  webServer: {
    command: `node node_modules/vite/bin/vite.js --port ${port} --strictPort`,
    url: `http://127.0.0.1:${port}/`,
    reuseExistingServer: false,
  },
});
