// The GPU tests (tests/gpu), each file in a process of its own that is started so as to find an adapter: a real one,
// or the software one that comes with Chromium. Without any they are skipped, and say so.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { describe, test } from 'node:test';
import { adapterIn, run } from '../gpu/process.mjs';
import { softwareEnvironment } from '../gpu/software.mjs';
import { root } from './helpers.mjs';

let env = {};
let adapter = await adapterIn(env);
if (!adapter) {
  env = softwareEnvironment();
  adapter = await adapterIn(env);
}
const skip = !adapter && 'no WebGPU adapter here; Debian’s chromium package has a software one';
const files = readdirSync(`${root}tests/gpu`).filter((name) => name.endsWith('.gpu.mjs'));

// One after another they would keep one core busy for longer than all other files keep a second. No more than two:
// there is one GPU, with one memory.
const concurrency = 2;

describe(`on the GPU (${adapter?.description ?? 'none'})`, { concurrency }, () => {
  for (const file of files) {
    test(file, { skip }, async (t) => {
      const { code, out, text } = await run(['--test-reporter=spec', `tests/gpu/${file}`], env);
      const passed = Number(/^ℹ pass (\d+)$/m.exec(out)?.[1]);
      assert.ok(code === 0 && passed > 0, text);
      t.diagnostic(`${passed} tests`);
      for (const [, line] of out.matchAll(/ℹ (\d+ of \d+ are equal .*)/g)) t.diagnostic(line);
    });
  }
  test('there are tests', () => assert.ok(files.length >= 5));
});

test('what a driver prints is not taken for an adapter, nor does it hide one', async () => {
  const noise = `
    const shout = () => {
      console.log('adapter Noise 1.0');
      console.error('Warning: adapter Noise 2.0');
    };
    shout();
    process.on('exit', shout);
  `;
  const loud = { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(noise)}` };
  assert.match((await run(['--eval', ''], loud)).text, /adapter Noise 2.0/);
  for (const quiet of [{}, softwareEnvironment()]) {
    assert.deepEqual(await adapterIn({ ...quiet, ...loud }), await adapterIn(quiet));
  }
});
