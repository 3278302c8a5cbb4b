// The GPU tests (tests/gpu), each file in a process of its own that is started so as to find an adapter: a real one,
// or the software one that comes with Chromium. Without any they are skipped, and say so.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { describe, test } from 'node:test';
import { softwareEnvironment } from '../gpu/software.mjs';
import { root } from './helpers.mjs';

/** Runs Node; resolves to its exit code and what it wrote. */
function run(args, env) {
  return new Promise((resolve) => {
    const { NODE_TEST_CONTEXT: _, ...inherited } = process.env; // or it would take itself for a part of this file
    const child = spawn(process.execPath, args, { cwd: root, env: { ...inherited, ...env } });
    let text = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (text += data));
    child.on('close', (code) => resolve({ code, text }));
  });
}

const probe = `
  const { create } = await import('webgpu');
  const adapter = await create([]).requestAdapter();
  process.stdout.write(adapter ? 'adapter ' + adapter.info.description : 'none');
`;
const hasAdapter = async (env) =>
  /adapter (.*)/.exec((await run(['--input-type=module', '--eval', probe], env)).text)?.[1];

let env = {};
let adapter = await hasAdapter(env);
if (adapter === undefined) {
  env = softwareEnvironment();
  adapter = await hasAdapter(env);
}
const skip = adapter === undefined && 'no WebGPU adapter here; Debian’s chromium package has a software one';
const files = readdirSync(`${root}tests/gpu`).filter((name) => name.endsWith('.gpu.mjs'));

describe(`on the GPU (${adapter ?? 'none'})`, () => {
  for (const file of files) {
    test(file, { skip }, async (t) => {
      const { code, text } = await run(['--test-reporter=spec', `tests/gpu/${file}`], env);
      const passed = Number(/pass (\d+)/.exec(text)?.[1]);
      assert.ok(code === 0 && passed > 0, text);
      t.diagnostic(`${passed} tests`);
      for (const [, line] of text.matchAll(/ℹ (\d+ of \d+ are equal .*)/g)) t.diagnostic(line);
    });
  }
  test('there are tests', () => assert.ok(files.length >= 5));
});
