// The examples of the documentation: each is run as it stands there, in this checkout under the package's own name, or
// says why not; and all of them are type-checked. Those of a page and of a GPU are run in tests/browser and tests/gpu.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { describe, test } from 'node:test';
import { promisify } from 'node:util';
import { transformSync } from 'esbuild';
import { row } from '../../build/wasm/facts.mjs';
import { kernelsPage } from '../../scripts/kernels-page.mjs';
import { assertPrinted, blocks, blocksThatRun, withParts } from '../docs/blocks.mjs';
import { root } from './helpers.mjs';

const execute = promisify(execFile);
const places = ['in Node', 'in a page', 'on a GPU'];

describe('in Node', { concurrency: availableParallelism() }, () => {
  const folder = `${root}build/docs`; // in the package, whose own name they import
  mkdirSync(folder, { recursive: true });
  blocksThatRun('in Node').forEach((block, k) => {
    test(`${block.name}: it prints what it says`, async () => {
      const { code } = transformSync(withParts(block.code), { loader: block.language });
      const file = `${folder}/node-${k}.mjs`;
      writeFileSync(file, code);
      const { stdout } = await execute(process.execPath, [file], { cwd: root, timeout: 60_000 });
      assertPrinted(stdout.split('\n').slice(0, -1), block);
    });
  });
});

test('every block is run, or says why not', (t) => {
  const lost = blocks.filter(({ where, why }) => !places.includes(where) && !(why?.length > 10));
  assert.deepEqual(
    lost.map(({ name }) => name),
    [],
    `one of <!-- runs: ${places.slice(1).join(' | ')} --> is missing`,
  );
  const counts = places.map((place) => [place, blocksThatRun(place).length]);
  const unrun = blocks.filter(({ why }) => why);
  for (const [place, count] of counts) assert.ok(count > 0, `no block runs ${place}`);
  const told = counts.map(([place, count]) => `${count} run ${place}`).join(', ');
  t.diagnostic(`${blocks.length} blocks: ${told}; ${unrun.length} are not run`);
  for (const { name, why } of unrun) t.diagnostic(`not run: ${name}: ${why}`);
  const scripts = unrun.filter(({ language }) => language === 'js' || language === 'ts');
  assert.ok(
    scripts.length <= 0.1 * blocks.length,
    'a tenth of the blocks at most is JavaScript that is not run',
  );
});

test('they are under 45 lines', () => {
  const long = blocks.filter(({ code }) => code.split('\n').length > 45);
  assert.deepEqual(
    long.map(({ name }) => name),
    [],
  );
});

test('TypeScript, and the JavaScript that is not run, pass the type checker', async () => {
  const folder = `${root}build/docs-types`;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const checked = blocks.filter(({ language, why }) => language === 'ts' || (language === 'js' && why));
  assert.ok(checked.length > 0);
  checked.forEach(({ language, code }, k) => {
    writeFileSync(`${folder}/${k}.${language}`, `export {};\n${code}`);
  });
  const parts = ['core', 'layers'].map((part) => `export * from '@tensorflow/tfjs-${part}';\n`);
  writeFileSync(`${folder}/tfjs.d.ts`, parts.join(''));
  const compilerOptions = {
    allowJs: true,
    checkJs: true,
    types: ['node', '@webgpu/types', 'vite/client'],
    paths: { '@tensorflow/tfjs': ['./tfjs.d.ts'] },
  };
  const config = { extends: '../../tsconfig.json', compilerOptions, include: ['.'] };
  writeFileSync(`${folder}/tsconfig.json`, JSON.stringify(config));
  const tsc = `${root}node_modules/typescript/bin/tsc`;
  await execute(process.execPath, [tsc, '-p', folder], { cwd: root }).catch(({ stdout }) =>
    assert.fail(stdout.replace(/^.*docs-types\/(\d+)\.[jt]s/gm, (_, k) => checked[k].name)),
  );
});

test('what docs/kernels.md says of layouts and rules is what the build says', async () => {
  const { text, wanted } = await kernelsPage();
  assert.equal(text, wanted, 'node scripts/kernels-page.mjs writes it');
  // Rows as the page lists them by hand: a field, and the word where it is.
  for (const [name, word] of Object.entries(row).filter(([name]) => name !== 'words'))
    assert.match(text, new RegExp(`^\\| ${word} \\| \`${name}\` \\|`, 'm'));
});

test('the commands that they name exist', () => {
  const { scripts } = JSON.parse(readFileSync(`${root}package.json`, 'utf8'));
  const own = blocks.filter(({ language, page }) => language === 'sh' && page !== 'docs/start.md');
  for (const { name, code } of own)
    for (const [, script] of code.matchAll(/\bnpm run (\S+)/g))
      assert.ok(scripts[script], `${name}: npm run ${script}`);
});
