// `npm run fuzz -- --minutes N`: random sequences of calls, with other seeds every time, until the time is up or one
// fails; that one is printed as a program. With `--threads N` over variables that so many threads share.
import { parseArgs } from 'node:util';
import { init } from '../../dist/index.js';
import { runSequences } from './sequences.mjs';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '1' },
    seed: { type: 'string' },
    threads: { type: 'string', default: '1' },
  },
});
const minutes = Number(values.minutes);
if (!(minutes > 0)) throw new RangeError(`--minutes must be a number > 0, got ${values.minutes}.`);
const { threads, threadsNote } = await init({ threads: Number(values.threads) });
if (threadsNote) throw new Error(threadsNote);
console.warn = () => {};
const told = { sequences: 0, calls: 0 };
const end = Date.now() + minutes * 60_000;
for (let seed = Number(values.seed ?? Date.now() % 2 ** 31); Date.now() < end; seed++) {
  const { sequences, calls } = runSequences({
    runs: 500,
    milliseconds: Math.max(1, end - Date.now()),
    seed,
    isLarge: threads > 1,
  });
  told.sequences += sequences;
  told.calls += calls;
}
console.log(
  `${told.sequences} sequences of ${told.calls} calls: every bit as in the model, nothing lost, ${threads} threads`,
);
