// What loading costs in a page: import and init() of dist as it is, of dist as one bundled file, and the import of an
// empty module, which no package can do without; in an installed Chrome or Chromium and Firefox, headless. The page
// measures itself and walks from host to host, so that nothing is cached: a driver that watches its requests would
// double the figures. A browser that is not there, or shows no page, has no rows.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import config from '../../playwright.config.js';
import { which } from '../../scripts/setup/run.mjs';

const dist = new URL('../../dist/', import.meta.url);
const giveUpMs = 60_000;
const modules = {
  'index.js': 'import and init()',
  'bundle.js': 'import and init(), bundled',
  'empty.js': 'import of an empty module',
};

const { executablePath, args: chromiumArgs } = config.use.launchOptions;
const browsers = [
  {
    program: executablePath,
    args: (profile) => ['--headless', ...chromiumArgs, `--user-data-dir=${profile}`],
  },
  {
    program: which('firefox-esr') ?? which('firefox'),
    args: (profile) => ['--headless', '--no-remote', '--profile', profile],
  },
];

/** Measures when the page has come to rest, tells, and goes where it is sent. */
const page = (module) => `<!doctype html><title>page</title><script type="module">
  addEventListener('load', () => setTimeout(async () => {
    const begun = performance.now();
    const { init } = await import('/${module}');
    await init();
    const ms = performance.now() - begun;
    const body = JSON.stringify({ ms, browser: /(Chrome|Firefox).\\d+/.exec(navigator.userAgent)[0] });
    const next = await (await fetch('/told', { method: 'POST', body })).text();
    if (next) location.href = next;
  }, 100));
</script>`;

async function files() {
  const entryPoints = [fileURLToPath(new URL('index.js', dist))];
  const { outputFiles } = await build({
    entryPoints,
    bundle: true,
    minify: true,
    format: 'esm',
    write: false,
  });
  const made = { 'bundle.js': outputFiles[0].text, 'empty.js': 'export const init = () => {};' };
  return (name) => made[name] ?? readFileSync(new URL(name, dist));
}

/** A server whose page comes `count` times, with the modules in turns; `told` is what the pages tell. */
async function serve(count) {
  const file = await files();
  const names = Object.keys(modules);
  const told = [];
  const server = createServer(async (request, response) => {
    response.setHeader('cache-control', 'no-store');
    const [, name] = /^\/([\w-]+\.js)$/.exec(request.url) ?? [];
    if (name) {
      response.setHeader('content-type', 'text/javascript').end(file(name));
    } else if (request.method === 'POST') {
      const text = (await request.toArray()).join('');
      told.push({ module: names[told.length % names.length], ...JSON.parse(text) });
      response.end(told.length < count ? addressOf(server, told.length) : '');
      if (told.length === count) server.emit('all');
    } else {
      response.setHeader('content-type', 'text/html').end(page(names[told.length % names.length]));
    }
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return { server, told };
}

const addressOf = (server, k) => `http://host${k}.localhost:${server.address().port}/`;

async function visit({ program, args }, count) {
  const { server, told } = await serve(count);
  const profile = mkdtempSync(join(tmpdir(), 'simdescent-bench-'));
  const child = spawn(program, [...args(profile), addressOf(server, 0)], { stdio: 'ignore', detached: true });
  const exit = once(child, 'exit');
  await Promise.race([once(server, 'all'), exit, after(giveUpMs, null, { ref: false })]);
  if (child.exitCode === null && child.signalCode === null) process.kill(-child.pid, 'SIGKILL'); // and the processes that it has started
  await exit;
  server.close();
  server.closeAllConnections();
  rmSync(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  return told.length === count ? told : [];
}

/** Rows of { group: 'start', variant, value, unit }. */
export async function startPage({ rounds }) {
  const rows = [];
  const names = Object.keys(modules);
  for (const browser of browsers.filter(({ program }) => program)) {
    const told = await visit(browser, (rounds + 1) * names.length);
    const counted = told.slice(names.length); // the first pages find a browser that is still starting
    for (const name of counted.length ? names : []) {
      const times = counted.filter(({ module }) => module === name).map(({ ms }) => ms);
      times.sort((a, b) => a - b);
      const variant = `${told[0].browser}, ${modules[name]}, median`;
      rows.push({ group: 'start', variant, value: times[times.length >> 1], unit: 'ms' });
    }
  }
  return rows;
}
