// `npm run compare`: builds the package, measures every optimizer on the demo's surfaces and digits, and writes the
// figures into docs/optimizers.md. What is measured, and how, is demo/compare.ts.
import { readFileSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { build } from './build.mjs';
import { entry, Problem, root, say } from './setup/run.mjs';

const row = (cells) => `| ${cells.join(' | ')} |`;
const table = (head, rows) =>
  [row(head), row(head.map((_, place) => (place ? '--:' : '---'))), ...rows.map(row)].join('\n');

await entry(import.meta.url, async () => {
  await build();
  const measured = figures(await measurements());
  const file = `${root}/docs/optimizers.md`;
  const [begin, end] = ['<!-- measured -->', '<!-- /measured -->'];
  const text = readFileSync(file, 'utf8');
  const [before, after] = [text.indexOf(begin), text.indexOf(end)];
  if (before < 0 || after < 0)
    throw new Problem(`docs/optimizers.md must have the marks ${begin} and ${end}.`);
  writeFileSync(file, `${text.slice(0, before + begin.length)}\n\n${measured}\n\n${text.slice(after)}`);
});

/** The demo's part, as one module that finds the package by its name. */
export async function measurements() {
  const esbuild = await import('esbuild');
  const outfile = `${root}/build/compare.mjs`;
  await esbuild.build({
    entryPoints: [`${root}/demo/compare.ts`],
    outfile,
    bundle: true,
    format: 'esm',
    platform: 'node',
    external: ['simdescent'],
    logLevel: 'error',
  });
  const module = await import(pathToFileURL(outfile).href);
  await module.init();
  return module;
}

function figures(demo) {
  const { arrival, courses, EPOCHS, ids, learning, rates, runner, SEEDS, STAY, STEPS, splitDigits } = demo;
  const { training, test } = splitDigits(new Uint8Array(readFileSync(`${root}/demo/data/digits.bin`)));
  const arrivals = ids.map((id) => {
    const cells = courses.map((course) => arrival(id, course));
    say([runner(id).name, ...cells.map(({ steps }) => steps ?? '–')].join('  '));
    return [
      runner(id).name,
      ...cells.map(({ steps, rate }) => (steps === null ? '–' : `${steps} (${rate})`)),
    ];
  });
  const digits = ids
    .map((id) => ({ name: runner(id).name, ...learning(id, training, test) }))
    .sort((a, b) => a.loss - b.loss)
    .map(({ name, loss, accuracy, rate, goodRates }) => {
      const cells = [name, loss.toPrecision(2), `${(100 * accuracy).toFixed(1)} %`, rate, goodRates];
      say(cells.join('  '));
      return cells;
    });

  return `Steps until a runner is within 0.01 of a minimum, for ${STAY} steps or more, from the demo's start, and in brackets the
learning rate at which that came soonest, of ${rates.length} rates from ${rates[0]} to ${rates.at(-1)}; – where it took more than ${STEPS} at each of
them. Everything else is the default, and the momentum of Momentum and Nesterov 0.9. Sparse gradients and spikes are the demo's, at its own
amounts.

${table(['optimizer', ...courses.map(({ label }) => label)], arrivals)}

The demo's network on its digits after ${EPOCHS} epochs, means over ${SEEDS.length} seeds: the loss over the last epoch, at the rate where that is
lowest, and the accuracy on the test digits. The last column counts the rates, of the ${rates.length}, at which that is 90 % or more.

${table(['optimizer', 'loss', 'test accuracy', 'rate', 'good rates'], digits)}`;
}
