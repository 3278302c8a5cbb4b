// One run: the check that all variants agree, then the tables asked for, printed as they come.
import { addresses } from './addresses.mjs';
import { checkAgreement } from './check.mjs';
import { loops } from './loops.mjs';
import { optionSizes, options } from './options.mjs';
import { machine, print, table, withRatios } from './report.mjs';
import { rules as allRules, ruleSizes } from './rules.mjs';
import { many, small, tiny } from './small.mjs';
import { start } from './start.mjs';
import { startPage } from './start-page.mjs';
import { stepSizes, steps } from './steps.mjs';
import { threadSizes, threads } from './threads.mjs';
import { torch, torchSizes } from './torch.mjs';

const title = { adam: 'Adam', adamax: 'Adamax' };
const heading = { tfjs: ' of TensorFlow.js', jax: ' of jax-js', keras: ' beside Keras on PyTorch' };
// What a row is divided by: the resident step; the yardstick, which is the slower of the two loops; the plain
// step of the options; the flat tensor of the small ones.
const stepBases = { resident: ['resident'], yardstick: ['stream', 'divider'] };
const optionBases = { plain: ['plain'] };
const smallBases = { flat: ['one flat tensor'] };

/** @returns { machine, quick, rows }: every row of every table, with its ratios. */
export async function run(wanted) {
  const { only, rules, others, timing, calls, quick, print: say } = wanted;
  const sizes = wanted.sizes || null;
  const about = machine();
  say(
    `${about.cpu}, Node ${about.node}, load ${about.load.join(' ')}${quick ? ' (quick: no figures to quote)' : ''}\n`,
  );
  await checkAgreement(rules, others);
  const report = { machine: about, quick, rows: [] };

  for (const rule of rules) {
    const common = { rules: [rule], timing };
    if (only.includes('steps')) {
      const rows = await collect(steps({ ...common, others, sizes: sizes ?? stepSizes }), stepBases);
      say(table(`${title[rule]}, ns per parameter`, rows, ({ ns }) => ns, 3));
      say(table('times the resident step', rows, ({ ratios }) => ratios.resident, 3));
      say(table('times the yardstick', rows, ({ ratios }) => ratios.yardstick, 3));
      report.rows.push(...rows);
    }
    if (only.includes('options')) {
      const rows = await collect(options({ ...common, sizes: sizes ?? optionSizes }), optionBases);
      say(table(`${title[rule]} with options, ns per parameter`, rows, ({ ns }) => ns, 3));
      say(table('times the plain step', rows, ({ ratios }) => ratios.plain, 3));
      report.rows.push(...rows);
    }
    if (only.includes('small')) {
      const rows = await collect(small(common), smallBases);
      say(table(`${title[rule]}, many tensors, ns per parameter`, rows, ({ ns }) => ns, 3));
      say(table('times one flat tensor', rows, ({ ratios }) => ratios.flat, 3));
      const single = await collect(tiny({ ...common, calls }));
      say(tinyTable(`${title[rule]}, one call on ${single[0].size} parameters`, single));
      report.rows.push(...rows, ...single);
    }
  }
  if (only.includes('small')) {
    const rows = await collect(many(quick ? { rounds: 2, count: 1000 } : {}));
    const lines = rows.map(({ variant, ms }) => [variant, ms.toFixed(1)]);
    say(print(`${rows[0].count.toLocaleString('en')} variables of 3`, ['ms'], lines));
    report.rows.push(...rows);
  }
  if (only.includes('rules')) {
    const { beside } = wanted;
    const rows = await collect(allRules({ sizes: sizes ?? ruleSizes, timing, beside }));
    say(table('every optimizer, ns per parameter', rows, ({ ns }) => ns, 3));
    say(table('times Adam, measured beside it', rows, ({ ratios }) => ratios.adam, 3));
    say(table('times a stream of as many bytes', rows, ({ ratios }) => ratios.stream, 3));
    report.rows.push(...rows);
  }
  if (only.includes('loops')) {
    const { beside, python } = wanted;
    const rows = await collect(loops({ beside, python, say, timing, quick }));
    for (const library of new Set(rows.map((row) => row.library))) say(loopTable(library, rows));
    report.rows.push(...rows);
  }
  if (only.includes('threads')) {
    const rounds = quick ? 1 : 3;
    const rows = await collect(threads({ rules, sizes: sizes ?? threadSizes, rounds }));
    if (rows.length === 0) say('threads: this place has none\n');
    for (const rule of rules) {
      const own = rows.filter((row) => row.rule === rule);
      if (own.length) say(table(`${title[rule]}, threads, ns per parameter`, own, ({ ns }) => ns, 3));
    }
    report.rows.push(...rows);
  }
  if (only.includes('torch')) {
    const { python } = wanted;
    const found = await torch({ python, sizes: sizes ?? torchSizes, timing });
    say(`${found.about}\n`);
    if (found.rows.length) {
      const rows = withRatios(found.rows, stepBases);
      say(table('Adam beside PyTorch, ns per parameter', rows, ({ ns }) => ns, 3));
      say(table('times the resident step', rows, ({ ratios }) => ratios.resident, 3));
      report.rows.push(...rows);
    }
  }
  if (only.includes('addresses')) {
    const rows = await addresses({ quick });
    const lines = rows.map(({ variant, ns, ratios }) => [variant, ns.toFixed(2), ratios.best.toFixed(2)]);
    say(print('addresses', ['ns per parameter', 'times the best'], lines));
    report.rows.push(...rows);
  }
  if (only.includes('start')) {
    const rounds = quick ? 3 : 15;
    const rows = [...(await start({ rounds })), ...(await startPage({ rounds }))];
    const lines = rows.map(({ variant, value, unit }) => [variant, `${value.toPrecision(3)} ${unit}`]);
    say(print('loading', [''], lines));
    report.rows.push(...rows);
  }
  return report;
}

async function collect(generator, bases) {
  const rows = [];
  for await (const row of generator) rows.push(row);
  return bases ? withRatios(rows, bases) : rows;
}

/** Microseconds of a step, and how many times faster that is than with the library's own optimizer. */
function loopTable(library, all) {
  const rows = all.filter((row) => row.library === library);
  const models = [...new Set(rows.map(({ model }) => model))];
  const lines = [...new Set(rows.map(({ variant }) => variant))].map((variant) => [
    variant,
    ...models.map((model) => {
      const { us, ratios } = rows.find((row) => row.variant === variant && row.model === model);
      return `${us.toFixed(0)} (${ratios.own.toFixed(2)})`;
    }),
  ]);
  return print(`a training step${heading[library]}, µs (times faster)`, models, lines);
}

function tinyTable(heading, rows) {
  const lines = rows.map(({ variant, nsPerCall, garbageBytes, retainedBytes }) => [
    variant,
    nsPerCall.toFixed(0),
    garbageBytes.toFixed(0),
    (retainedBytes / 1024).toFixed(0),
  ]);
  const calls = rows[0].calls.toLocaleString('en');
  return print(heading, ['ns a call', 'bytes of garbage a call', `KiB kept after ${calls}`], lines);
}
