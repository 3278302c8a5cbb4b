// A bounded run of the random sequences of tests/fuzz; `npm run fuzz -- --minutes N` goes on for longer.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { init } from '../../dist/index.js';
import { runSequences } from '../fuzz/sequences.mjs';
import { runModule } from './helpers.mjs';

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

test('the same over variables that two threads share', (t) => {
  const program = `
    import { init } from './dist/index.js';
    import { runSequences } from './tests/fuzz/sequences.mjs';
    const { threads } = await init({ threads: 2 });
    console.warn = () => {};
    const told = runSequences({ runs: 12, milliseconds: 6_000, seed: 20_240_229, isLarge: true });
    console.log(threads, told.sequences, told.calls);
    process.exit();`;
  const [threads, sequences, calls] = runModule(program).split(' ').map(Number);
  t.diagnostic(`${sequences} sequences, ${calls} calls`);
  assert.equal(threads, 2);
  assert.ok(calls > 10, `only ${calls} calls`);
});
