// What `npm test` does, in its order. `uses` names what has to be set up first (the keys of
// `setUp`), `built` says that the step looks at dist/, `beside` names the step before it that it may
// go side by side with. A step that finds nothing to check fails; one that has to leave something out returns why.
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { build, buildWasm } from '../build.mjs';
import { buildDocs, docsPackages } from '../build-docs.mjs';
import { chromium, firefox } from '../setup/browser.mjs';
import { emscripten } from '../setup/emscripten.mjs';
import { npmPackages } from '../setup/npm.mjs';
import { Problem, root, run, say } from '../setup/run.mjs';
import { buildTools, testTools } from '../setup/tools.mjs';
import { cppFiles, filesBelow } from './files.mjs';
import { freePort } from './free-port.mjs';
import { checkPackage } from './package.mjs';

export const setUp = {
  packages: () => npmPackages(),
  docsPackages,
  tools: buildTools,
  testTools,
  emscripten,
  chromium,
};

export const steps = [
  {
    name: 'lint',
    title: 'format and lint (npm run format mends most of it)',
    uses: ['packages', 'testTools'],
    run: lint,
  },
  { name: 'build', title: 'the package', uses: ['packages', 'tools', 'emscripten'], run: build },
  { name: 'types', title: 'TypeScript', uses: ['packages'], built: true, run: types },
  { name: 'native', title: 'C++, native, sanitized and optimized', uses: ['testTools'], run: native },
  { name: 'wasm', title: 'C++, in WebAssembly', uses: ['testTools', 'emscripten'], run: wasm },
  { name: 'package', title: 'what npm publishes', uses: ['packages'], built: true, run: checkPackage },
  {
    name: 'docs',
    title: 'the site of the documentation, and its links',
    uses: ['packages', 'docsPackages'],
    built: true,
    run: () => buildDocs(),
  },
  {
    name: 'browser',
    title: 'the demo in a browser',
    uses: ['packages', 'chromium'],
    built: true,
    run: browser,
  },
  {
    name: 'node',
    title: 'the package in Node',
    uses: ['packages'],
    built: true,
    beside: 'browser',
    run: () => nodeTests('tests/node'),
  },
  {
    name: 'firefox',
    title: 'the demo and the documentation in Firefox',
    uses: ['packages'],
    built: true,
    run: inFirefox,
  },
];

/** The program of an npm package, started without npx: that would look for newer ones. */
const tool = (path, ...args) => run(process.execPath, [join(root, 'node_modules', path), ...args]);

async function lint() {
  const colors = process.stdout.isTTY ? [] : ['--colors=off'];
  await tool('@biomejs/biome/bin/biome', 'ci', '--error-on-warnings', ...colors, '.');
  await run('clang-format', ['--dry-run', '-Werror', ...cppFiles()], { quiet: true });
}

async function types() {
  for (const config of ['tsconfig.json', 'tests/types/exact.json'])
    await tool('typescript/bin/tsc', '-p', config);
}

async function native() {
  for (const preset of ['native-debug', 'native-release']) {
    await run('cmake', ['--preset', preset], { quiet: true });
    await run('cmake', ['--build', '--preset', preset], { quiet: true });
    await ctest(`build/${preset}`);
  }
}

async function wasm() {
  await buildWasm(['simdescent_tests'], ['-DSIMDESCENT_TESTS=ON']);
  await ctest('build/wasm', (await emscripten()).env);
}

async function ctest(folder, env) {
  const args = ['--test-dir', folder, '--output-on-failure', '--no-tests=error'];
  args.push('--parallel', String(availableParallelism()));
  const told = await run('ctest', args, { env, capture: true });
  say(`${folder}: ${/^.*tests passed.*$/m.exec(told)?.[0]}`);
}

async function nodeTests(folder, env) {
  await run(process.execPath, [join(root, 'scripts/test/node.mjs'), folder], { env });
}

async function browser() {
  filesBelow('tests/browser', /\.spec\.(ts|mjs)$/);
  if (!existsSync(join(root, 'demo/index.html'))) throw new Problem('demo/index.html does not exist.');
  const args = ['test', '--config', 'playwright.config.js'];
  const env = { CHROME_PATH: await chromium(), SIMDESCENT_TEST_PORT: String(await freePort()) };
  await run(process.execPath, [join(root, 'node_modules/@playwright/test/cli.js'), ...args], { env });
}

async function inFirefox() {
  let path;
  try {
    path = await firefox();
  } catch (error) {
    if (process.env.CI) throw error;
    return `nothing was looked at in Firefox: ${error.message}`;
  }
  if (!existsSync(join(root, 'build/site/index.html'))) await buildDocs();
  await nodeTests('tests/firefox', { FIREFOX_PATH: path });
}
