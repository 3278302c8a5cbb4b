// The projects of examples/ that run in Node, from the packed package: each prints what it says. Those for a page are
// run in tests/browser/examples.spec.mjs, but built here; that of a GPU in tests/gpu/examples.gpu.mjs.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { delimiter } from 'node:path';
import { before, describe, test } from 'node:test';
import { emscripten } from '../../scripts/setup/emscripten.mjs';
import { assertPrinted } from '../docs/blocks.mjs';
import { checkPackage, examples, fileOf, installed, npmRun, packageOf } from '../examples.mjs';
import { root } from './helpers.mjs';

const startsInNode = (name) => packageOf(name).scripts.start === 'node main.mjs';
const here = examples.filter((name) => startsInNode(name) && !packageOf(name).dependencies.webgpu);
const elsewhere = { page: 'browser', worker: 'browser', vite: 'browser', 'webgpu-engine': 'gpu' };

/** The engine in C wants clang and wasm-ld: Emscripten has them. Debian's clang asks for its linker by version. */
async function withClang(folder) {
  const { env, wasmLd } = await emscripten();
  const clangs = readdirSync(env.LLVM_ROOT).filter((name) => /^clang(-\d+)?$/.test(name));
  mkdirSync(`${folder}/bin`);
  for (const name of clangs) symlinkSync(wasmLd, `${folder}/bin/${name.replace('clang', 'wasm-ld')}`);
  return { ...env, PATH: [`${folder}/bin`, env.LLVM_ROOT, process.env.PATH].join(delimiter) };
}

describe('examples', { concurrency: availableParallelism() }, () => {
  let folder;
  before(async () => {
    folder = await installed('examples');
  });
  for (const name of here) {
    test(name, async () => {
      const env = name === 'kernels-c' ? await withClang(folder) : {};
      const { lines, stderr } = await npmRun(`${folder}/${name}`, 'start', env);
      assert.equal(stderr, '');
      assertPrinted(lines, { language: 'js', code: fileOf(name, 'main.mjs') });
      assert.ok(lines.length > 0);
    });
  }
});

test('all of them are run somewhere, by the versions that they ask for', () => {
  assert.ok(examples.length >= 10);
  for (const name of examples) {
    assert.ok(here.includes(name) !== Object.hasOwn(elsewhere, name), name);
    checkPackage(name);
  }
  for (const [name, place] of Object.entries(elsewhere)) {
    const file = `${root}tests/${place}/examples.${place === 'gpu' ? 'gpu' : 'spec'}.mjs`;
    assert.ok(existsSync(file), `${name}: ${file}`);
  }
});
