// `node threads-child.mjs THREADS RULE SIZE`: ns per parameter of resident steps, back to back and with 3 ms of
// other work on the caller's thread between them (the median of single steps, as in training), as JSON.
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
const singles = Array.from({ length: 60 }, () => {
  const until = performance.now() + 3;
  while (performance.now() < until); // the forward and backward pass of somebody's model
  return elapsed(() => optimizer.step());
});
const median = singles.sort((a, b) => a - b)[singles.length >> 1];
const ns = { 'back to back': (direct / n) * 1e6, 'after 3 ms of other work': (median / n) * 1e6 };
process.stdout.write(JSON.stringify({ threads: info.threads, ns }));
