// `npm test`: everything that is checked, step by step, stopping at the first failure.
// `npm test -- --only native,node` runs some of the steps (and the build, where they need it).
import { parseArgs } from 'node:util';
import { entry, Problem, say } from './setup/run.mjs';
import { setUp, steps } from './test/steps.mjs';

await entry(import.meta.url, async (args) => {
  const { values } = parseArgs({ args, options: { only: { type: 'string' } } });
  const chosen = choose(values.only);
  const uses = [...new Set(chosen.flatMap((step) => step.uses))];
  await timed({ name: 'setup', title: 'tools and packages' }, async () => {
    for (const name of uses) await setUp[name]();
  });
  for (const step of chosen) await timed(step, step.run);
  say(`\nAll well: ${chosen.map(({ name }) => name).join(', ')} (${seconds(performance.now())})`);
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

async function timed({ name, title }, work) {
  say(`\n== ${name}: ${title}`);
  const started = performance.now();
  try {
    await work();
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
