// A bounded run of the random programs of tests/fuzz/tfjs.mjs; `npm run fuzz -- --tfjs --minutes N` goes on for longer.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { init } from '../../dist/index.js';
import { runUnderTfjs } from '../fuzz/tfjs.mjs';

test('random programs of an app of TensorFlow.js, every bit compared with steps in the engine', async (t) => {
  await init();
  const warn = console.warn;
  console.warn = () => {};
  try {
    const { sequences, calls } = await runUnderTfjs({ runs: 300, milliseconds: 15_000, seed: 20_240_229 });
    t.diagnostic(`${sequences} programs, ${calls} calls`);
    assert.ok(sequences > 10, `only ${sequences} programs`);
  } finally {
    console.warn = warn;
  }
});
