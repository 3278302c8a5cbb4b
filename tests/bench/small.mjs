// Many small tensors in one step, against one tensor of the same length; and one call on a tiny tensor: its time,
// the garbage that it makes, and whether the heap grows over many calls; and how long it takes to make and to build
// very many variables.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { rowsOf } from './steps.mjs';
import { measure } from './timing.mjs';
import { gradientOf, weightsOf } from './variants/data.mjs';
import { optimizerFor, variableOf, variablesOf } from './variants/library.mjs';
import { kernelRows } from './variants/modules.mjs';

const smallCases = [
  { count: 200, size: 1000 },
  { count: 1000, size: 64 },
];
const tinySize = 16;

function variantsOf(rule, { count, size }) {
  const flat = variableOf(count * size);
  const variables = variablesOf(count, size);
  const arrays = variables.map(() => weightsOf(size));
  const gradients = arrays.map(() => gradientOf(size));
  const one = optimizerFor(rule, [flat]);
  const many = optimizerFor(rule, variables);
  const plain = optimizerFor(rule, arrays);
  const own = variables.map((variable) => variable.gradient); // last: nothing grows the memory from here on
  return [
    { name: 'one flat tensor', run: () => one.step(), dispose: () => flat.dispose() },
    kernelRows(rule, { count, size }),
    { name: 'resident, step()', run: () => many.step() },
    { name: 'resident, apply(gradients)', run: () => many.apply(own) },
    { name: 'plain gradients', run: () => many.apply(gradients) },
    {
      name: 'plain arrays',
      run: () => plain.apply(gradients),
      dispose() {
        for (const optimizer of [one, many, plain]) optimizer.dispose();
        for (const variable of variables) variable.dispose();
      },
    },
  ];
}

export async function* small({ rules, timing }) {
  for (const rule of rules) {
    for (const each of smallCases) {
      const total = each.count * each.size;
      const variants = variantsOf(rule, each);
      yield* await rowsOf(
        { group: 'small', rule, size: total, tensors: `${each.count} x ${each.size}` },
        variants,
        total,
        timing,
      );
    }
  }
}

const manyCount = 40_000;

/** Rows of { group, variant, count, ms }: the least of several times. */
export async function* many({ rounds = 8, count = manyCount } = {}) {
  const least = {};
  const timed = (name, f) => {
    const start = performance.now();
    const result = f();
    least[name] = Math.min(least[name] ?? Number.POSITIVE_INFINITY, performance.now() - start);
    return result;
  };
  for (let round = 0; round < rounds; round++) {
    const variables = timed('made', () => variablesOf(count, 3));
    const optimizer = timed('build', () => optimizerFor('adam', variables));
    const gradients = variables.map(() => gradientOf(3));
    timed('first apply(gradients)', () => optimizer.apply(gradients));
    timed('next apply(gradients)', () => optimizer.apply(gradients));
    timed('disposed', () => {
      for (const each of [optimizer, ...variables]) each.dispose();
    });
  }
  for (const [variant, ms] of Object.entries(least)) yield { group: 'many', variant, count, ms };
}

/** Rows of { group, rule, size, variant, nsPerCall, garbageBytes, retainedBytes }. */
export async function* tiny({ rules, timing, calls }) {
  for (const rule of rules) {
    const variable = variableOf(tinySize);
    const optimizer = optimizerFor(rule, [variable]);
    const gradients = [variable.gradient];
    const array = weightsOf(tinySize);
    const plain = optimizerFor(rule, [array]);
    const plainGradients = [gradientOf(tinySize)];
    const variants = [
      { name: 'step()', run: () => optimizer.step() },
      { name: 'apply(gradients)', run: () => optimizer.apply(gradients) },
      { name: 'plain arrays', run: () => plain.apply(plainGradients) },
    ];
    const times = await measure(variants, timing);
    for (const [k, { name: variant, run }] of variants.entries())
      yield {
        group: 'tiny',
        rule,
        size: tinySize,
        variant,
        nsPerCall: times[k].least * 1e6,
        garbageBytes: garbage(run),
        retainedBytes: retained(run, calls),
        calls,
      };
    for (const each of [optimizer, plain, variable]) each.dispose();
  }
}

/** Bytes that one call leaves in the young generation: the least of several counts, as a collection may fall into one. */
function garbage(run, calls = 1000) {
  const counts = [];
  for (let k = 0; k < 20; k++) {
    const before = process.memoryUsage().heapUsed;
    for (let i = 0; i < calls; i++) run();
    const bytes = process.memoryUsage().heapUsed - before;
    if (bytes >= 0) counts.push(bytes / calls);
  }
  return Math.min(...counts);
}

/** Bytes that many calls leave behind after a collection. */
function retained(run, calls) {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc');
  for (let i = 0; i < calls / 10; i++) run(); // what is compiled and remembered at first is no leak
  collect();
  const before = process.memoryUsage().heapUsed;
  for (let i = 0; i < calls; i++) run();
  collect();
  return process.memoryUsage().heapUsed - before;
}
