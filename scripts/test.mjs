// `npm test`: everything that is checked, step by step (two of them side by side on four cores), stopping at the first failure.
// `npm test -- --only native,node` runs some of the steps (and the build, where they need it).
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { entry, holdOutput, Problem, say } from './setup/run.mjs';
import { setUp, steps } from './test/steps.mjs';

/** What steps had to leave out, and why. */
const leftOut = new Map();

await entry(import.meta.url, async (args) => {
  const { values } = parseArgs({ args, options: { only: { type: 'string' } } });
  const chosen = choose(values.only);
  const uses = [...new Set(chosen.flatMap((step) => step.uses))];
  await timed({ name: 'setup', title: 'tools and packages' }, async () => {
    for (const name of uses) await setUp[name]();
  });
  for (const round of rounds(chosen)) await together(round);
  for (const [name, why] of leftOut) say(`\nNOT CHECKED: ${name}: ${why}`);
  const checked = chosen.map(({ name }) => name).filter((name) => !leftOut.has(name));
  say(`\nAll well: ${checked.join(', ')} (${seconds(performance.now())})`);
});

function choose(only) {
  if (only === undefined) return steps;
  const names = only.split(',');
  const unknown = names.find((name) => !steps.some((step) => step.name === name));
  if (unknown !== undefined) {
    throw new Problem(
      `There is no step "${unknown}". The steps: ${steps.map(({ name }) => name).join(', ')}`,
    );
  }
  const named = (step) => names.includes(step.name);
  const built = steps.some((step) => named(step) && step.built);
  return steps.filter((step) => named(step) || (built && step.name === 'build'));
}

/** The steps one by one, but for those that go beside the one before where there are cores for both: the browser takes two. */
function rounds(chosen) {
  const found = [];
  for (const step of chosen) {
    const goes = availableParallelism() >= 4 && found.at(-1)?.some(({ name }) => name === step.beside);
    if (goes) found.at(-1).push(step);
    else found.push([step]);
  }
  return found;
}

/** The first is seen at work; what the others print follows when all have ended. */
async function together([first, ...others]) {
  for (const { name } of others) say(`\n(${name} goes on at the same time; what it prints follows)`);
  const texts = others.map(() => []);
  const ended = await Promise.allSettled([
    timed(first, first.run),
    ...others.map((step, i) => holdOutput(texts[i], () => timed(step, step.run))),
  ]);
  process.stderr.write(texts.flat().join(''));
  const failures = ended.filter(({ status }) => status === 'rejected').map(({ reason }) => reason.message);
  if (failures.length > 0) throw new Problem(failures.join('\n\n'));
}

async function timed({ name, title }, work) {
  say(`\n== ${name}: ${title}`);
  const started = performance.now();
  try {
    const why = await work();
    if (typeof why === 'string') leftOut.set(name, why);
  } catch (error) {
    const what = error instanceof Problem ? error.message : error.stack;
    const alone = name === 'setup' ? 'npm test' : `npm test -- --only ${name}`;
    throw new Problem(`${what}\n\nFAILED: ${name} (${title}). To run it again alone: ${alone}`);
  }
  say(`-- ${name}: ${seconds(performance.now() - started)}`);
}

function seconds(milliseconds) {
  return `${(milliseconds / 1000).toFixed(1)} s`;
}
