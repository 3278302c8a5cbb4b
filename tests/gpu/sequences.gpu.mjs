// A bounded run of the random sequences of tests/fuzz/gpu.mjs; `npm run fuzz -- --gpu --minutes N` goes on for longer.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { init } from '../../dist/index.js';
import { runOnGpu } from '../fuzz/gpu.mjs';

test('random sequences of calls on a GPU and in the engine', async (t) => {
  await init();
  const { sequences, calls } = await runOnGpu({ runs: 60, milliseconds: 12_000, seed: 20_240_229 });
  t.diagnostic(`${sequences} sequences, ${calls} calls`);
  assert.ok(calls > 10, `only ${calls} calls`);
});
