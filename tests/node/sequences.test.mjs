// A bounded run of the random sequences of tests/fuzz; `npm run fuzz -- --minutes N` goes on for longer.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { init } from '../../dist/index.js';
import { runSequences } from '../fuzz/sequences.mjs';

before(() => init());

test('random sequences of calls against a plain float32 model, every bit compared', (t) => {
  const warn = console.warn;
  console.warn = () => {};
  try {
    const { sequences, calls } = runSequences({ runs: 1500, milliseconds: 20_000, seed: 20_240_229 });
    t.diagnostic(`${sequences} sequences, ${calls} calls`);
    assert.ok(sequences > 20, `only ${sequences} sequences`);
  } finally {
    console.warn = warn;
  }
});
