// Writes what docs/kernels.md says of layouts and rules, from the facts of the build (cpp/engine/facts.h): run it when
// the test of that page says so. Its prose is nobody's but the page's.
import { readFileSync, writeFileSync } from 'node:fs';
import { entry, Problem, root, say } from './setup/run.mjs';

const page = `${root}/docs/kernels.md`;
const names = (list) => list.map((name) => `\`${name}\``).join(', ') || '–';

/** @returns the page, and what it should be */
export async function kernelsPage() {
  const { coefNames, fingerprint, pipe, row, rules, scratchBytes } = await import('../build/wasm/facts.mjs');
  const rows = Object.entries(rules).map(([name, { index, slots }]) => {
    const state = names(slots.map((slot) => slot.name));
    return `| ${index} | \`${name}\` | ${state} | ${names(coefNames[name])} |`;
  });
  const table = ['| number | rule | slots | coefficients |', '|---|---|---|---|', ...rows].join('\n');
  const parts = {
    'row words': String(row.words),
    pipe: `${Object.keys(pipe).length} floats: ${names(Object.keys(pipe))}`,
    scratch: String(scratchBytes),
    fingerprint: String(fingerprint),
    rules: `\n${table}\n`,
  };
  const text = readFileSync(page, 'utf8');
  let wanted = text;
  for (const [name, part] of Object.entries(parts)) {
    const marks = new RegExp(`(<!-- ${name} -->)[\\s\\S]*?(<!-- /${name} -->)`);
    if (!marks.test(text)) throw new Problem(`docs/kernels.md has no place for it: <!-- ${name} -->`);
    wanted = wanted.replace(marks, (_, begin, end) => `${begin}${part}${end}`);
  }
  return { text, wanted };
}

await entry(import.meta.url, async () => {
  const { text, wanted } = await kernelsPage();
  if (text !== wanted) writeFileSync(page, wanted);
  say(text === wanted ? 'docs/kernels.md: up to date' : 'docs/kernels.md: written');
});
