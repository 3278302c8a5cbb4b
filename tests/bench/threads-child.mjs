// `node threads-child.mjs THREADS RULE SIZE`: ns per parameter of resident steps, back to back and with 3 ms of
// other work on the caller's thread between them (the median of single steps, as in training); and back to back again
// beside one thread of somebody else's that never rests, and beside one that works 8 of every 16 ms as a page's
// animation does (the means: what comes late counts). As JSON.
import { Worker } from 'node:worker_threads';
import { Adam, Adamax, init, Variable } from '../../dist/index.js';

const [threads, rule, size] = process.argv.slice(2);
const n = Number(size);
const info = await init({ threads: Number(threads) });
const variable = new Variable(n);
variable.gradient.fill(0.01);
const optimizer = rule === 'adam' ? new Adam() : new Adamax();
optimizer.build([variable]);

const elapsed = (f) => {
  const start = performance.now();
  f();
  return performance.now() - start;
};
const repeats = Math.max(1, Math.ceil((8 << 20) / n / 8));
const batch = () => {
  for (let k = 0; k < repeats; k++) optimizer.step();
};
elapsed(batch);
const direct = Math.min(...Array.from({ length: 15 }, () => elapsed(batch) / repeats));
const singles = Array.from({ length: 120 }, () => {
  const until = performance.now() + 3;
  while (performance.now() < until); // the forward and backward pass of somebody's model
  return elapsed(() => optimizer.step());
});
const later = singles.slice(60).sort((a, b) => a - b); // before, it is found out how to go about it
const median = later[later.length >> 1];

/** Milliseconds of a step, the mean of a second and more, beside a thread that works `busy` of every 16 ms. */
async function beside(busy) {
  const other = new Worker(
    `const { workerData } = require('node:worker_threads');
     const sleep = new Int32Array(new SharedArrayBuffer(4));
     for (let x = 1; ; ) {
       const until = performance.now() + workerData;
       while (performance.now() < until) x = Math.sqrt(x + 1);
       if (workerData < 16) Atomics.wait(sleep, 0, 0, 16 - workerData);
     }`,
    { eval: true, workerData: busy },
  );
  await new Promise((resolve) => other.on('online', resolve));
  const until = performance.now() + 500; // found out meanwhile: how to go about it
  while (performance.now() < until) optimizer.step();
  let steps = 0;
  const ms = elapsed(() => {
    for (const end = performance.now() + 1500; performance.now() < end; steps++) optimizer.step();
  });
  await other.terminate();
  return ms / steps;
}

const ns = {
  'back to back': (direct / n) * 1e6,
  'after 3 ms of other work': (median / n) * 1e6,
  'beside a busy core': ((await beside(16)) / n) * 1e6,
  'beside an animation': ((await beside(8)) / n) * 1e6,
};
process.stdout.write(JSON.stringify({ threads: info.threads, ns }));
