// `npm run consumers`: the packed package in what people use it with, each in an empty folder outside the repository, with
// the newest version of the tool: a bundle or a program is made and run. On Linux, macOS and Windows. `-- --only vite,bun`
// tries some of them, `-- --tarball FILE` what was packed elsewhere. What the package computes is tested elsewhere.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { consumers, expected } from './consumers/list.mjs';
import { npm } from './setup/npm.mjs';
import { entry, Problem, root, run, say } from './setup/run.mjs';

await entry(import.meta.url, async (args) => {
  const options = { only: { type: 'string' }, tarball: { type: 'string' } };
  const { only, tarball } = parseArgs({ args, options }).values;
  const names = only?.split(',') ?? Object.keys(consumers);
  const unknown = names.find((name) => !Object.hasOwn(consumers, name));
  if (unknown !== undefined)
    throw new Problem(`There is no consumer "${unknown}". There are: ${Object.keys(consumers).join(', ')}`);
  const packed = tarball ? resolve(tarball) : await pack();
  const failures = [];
  for (const name of names) {
    const started = performance.now();
    const problem = await tried(consumers[name], packed);
    say(`${name}: ${problem ? 'FAILED' : 'runs'} (${((performance.now() - started) / 1000).toFixed(1)} s)`);
    if (problem) failures.push(`${name}: ${problem.message}`);
  }
  if (failures.length) throw new Problem(failures.join('\n\n'));
});

async function pack() {
  if (!existsSync(join(root, 'dist/index.js'))) throw new Problem('There is no dist/: npm run build.');
  const folder = join(root, 'build/consumers');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  await npm(['pack', '--ignore-scripts', '--pack-destination', folder], { quiet: true });
  return join(folder, readdirSync(folder)[0]);
}

/** What went wrong, or nothing. */
async function tried({ packages = [], files, steps, result }, tarball) {
  const folder = await mkdtemp(join(tmpdir(), 'simdescent-consumer-'));
  const told = { cwd: folder, env: { NEXT_TELEMETRY_DISABLED: '1', DO_NOT_TRACK: '1' }, capture: true };
  try {
    writeFileSync(join(folder, 'package.json'), '{ "private": true, "type": "module" }\n');
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), text);
    }
    await npm(['install', '--no-audit', '--no-fund', tarball, ...packages], told);
    let printed = '';
    for (const [program, ...args] of steps)
      printed =
        program === 'node'
          ? await run(process.execPath, args, told)
          : await npm(['exec', '--no', '--', program, ...args], told);
    const text = result ? readFileSync(join(folder, result), 'utf8') : printed;
    if (!text.includes(expected)) throw new Problem(`printed ${JSON.stringify(text)} and not ${expected}`);
  } catch (error) {
    if (error instanceof Problem) return error;
    throw error;
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}
