// The projects of examples/ as somebody would have them: copied to a folder, where the package is the tarball that npm
// would publish. What else they need is found above, in the repository's own node_modules.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { root } from './node/helpers.mjs';

const execute = promisify(execFile);

export const examples = readdirSync(`${root}examples`, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);

export const fileOf = (name, path) => readFileSync(`${root}examples/${name}/${path}`, 'utf8');
export const packageOf = (name) => JSON.parse(fileOf(name, 'package.json'));

/** @returns the folder where the examples are, build/`name` */
export async function installed(name) {
  const folder = `${root}build/${name}`;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const quiet = ['--ignore-scripts', '--offline', '--no-audit', '--no-fund'];
  await execute('npm', ['pack', ...quiet, '--pack-destination', folder], { cwd: root });
  const [tarball] = readdirSync(folder);
  writeFileSync(`${folder}/package.json`, '{ "private": true }\n');
  await execute('npm', ['install', ...quiet, `./${tarball}`], { cwd: folder });
  for (const example of examples) {
    const skip = /\/(node_modules|dist|package-lock\.json)$/; // of somebody who has tried it there
    cpSync(`${root}examples/${example}`, `${folder}/${example}`, {
      recursive: true,
      filter: (path) => !skip.test(path),
    });
  }
  // TensorFlow.js as one package is large; its parts are what the tests have.
  const union = `${folder}/node_modules/@tensorflow/tfjs`;
  mkdirSync(union, { recursive: true });
  writeFileSync(`${union}/package.json`, '{ "type": "module", "exports": "./index.js" }\n');
  writeFileSync(`${union}/index.js`, `export * from ${JSON.stringify(`${root}tests/docs/tfjs.mjs`)};\n`);
  return folder;
}

/** Runs an npm script of an example; returns the lines that it printed. */
export async function npmRun(folder, script, env = {}) {
  const { NODE_TEST_CONTEXT: _, ...inherited } = process.env; // or Node would take itself for a part of its caller
  const options = { cwd: folder, timeout: 60_000, env: { ...inherited, ...env } };
  const { stdout, stderr } = await execute('npm', ['run', '--silent', script], options);
  return { lines: stdout.split('\n').filter(Boolean), stderr };
}

/** The versions that an example asks for are those that it is tested with. */
export function checkPackage(name) {
  const { version, devDependencies } = JSON.parse(readFileSync(`${root}package.json`, 'utf8'));
  const { dependencies, devDependencies: more, description, scripts } = packageOf(name);
  const tested = { ...devDependencies, simdescent: `^${version}` };
  tested['@tensorflow/tfjs'] = tested['@tensorflow/tfjs-core'];
  for (const [dependency, range] of Object.entries({ ...dependencies, ...more }))
    assert.equal(range, tested[dependency], dependency);
  assert.ok(scripts.start, 'it has a script "start"');
  assert.ok(
    readFileSync(`${root}examples/README.md`, 'utf8').includes(`| [${name}](${name}) | ${description} |`),
  );
  assert.ok(fileOf(name, 'README.md').includes(description));
}
