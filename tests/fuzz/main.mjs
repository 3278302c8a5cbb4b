// `npm run fuzz -- --minutes N`: random sequences of calls, with other seeds every time, until the time is up or one
// fails; that one is printed as a program. With `--threads N` over variables that so many threads share;
// with `--gpu` over variables on a GPU, with `--tfjs` over those of TensorFlow.js, against the engine.
import { parseArgs } from 'node:util';
import { init } from '../../dist/index.js';
import { runSequences } from './sequences.mjs';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '1' },
    seed: { type: 'string' },
    threads: { type: 'string', default: '1' },
    gpu: { type: 'boolean', default: false },
    tfjs: { type: 'boolean', default: false },
  },
});
const minutes = Number(values.minutes);
if (!(minutes > 0)) throw new RangeError(`--minutes must be a number > 0, got ${values.minutes}.`);
const { threads, threadsNote } = await init({ threads: Number(values.threads) });
if (threadsNote) throw new Error(threadsNote);
let run = runSequences;
if (values.gpu) run = (await import('./gpu.mjs')).runOnGpu;
if (values.tfjs) run = (await import('./tfjs.mjs')).runUnderTfjs;
console.warn = () => {};
const told = { sequences: 0, calls: 0 };
const end = Date.now() + minutes * 60_000;
for (let seed = Number(values.seed ?? Date.now() % 2 ** 31); Date.now() < end; seed++) {
  const { sequences, calls } = await run({
    runs: 500,
    milliseconds: Math.max(1, end - Date.now()),
    seed,
    isLarge: threads > 1,
  });
  told.sequences += sequences;
  told.calls += calls;
}
let how = `${threads} threads, every bit as in the model`;
if (values.gpu) how = 'on a GPU, as near the engine as must be';
if (values.tfjs) how = 'under TensorFlow.js, every bit as in the engine';
console.log(`${told.sequences} sequences of ${told.calls} calls: ${how}, nothing lost`);
process.exit(); // a device or a worker may be alive
