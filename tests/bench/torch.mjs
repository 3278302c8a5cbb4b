// The resident step beside PyTorch's fused Adam for CPUs, one thread each: a Python that has PyTorch runs
// torch-adam.py and takes turns with this process. The two agree before anything is timed. (PyTorch's Adamax has
// no fused form.)
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { check, expectedOf } from './check.mjs';
import { rowsOf } from './steps.mjs';
import { gradientOf, hyper, weightsOf } from './variants/data.mjs';
import { resident } from './variants/library.mjs';

export const torchSizes = [2 ** 10, 2 ** 17, 2 ** 20, 2 ** 22, 2 ** 24];

const source = readFileSync(new URL('torch-adam.py', import.meta.url), 'utf8');
const block = 2 ** 12; // numbers that a tensor repeats: those of 16 Mi need not all go through a pipe
const hex = (numbers) => Buffer.from(numbers.buffer).toString('hex');

/** @returns { missing } in words, or { version, capability, ask, end }. */
async function startPython(python) {
  // As an argument, not as a file or as the input: then `python` may be a wrapper that goes elsewhere.
  const child = spawn(python, ['-c', source], { stdio: ['pipe', 'pipe', 'inherit'] });
  const failed = once(child, 'error').then(([{ message }]) => ({
    value: JSON.stringify({ missing: message }),
  }));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const answer = async () => {
    const { value, done } = await Promise.race([lines.next(), failed]);
    return done ? { missing: 'it has ended' } : JSON.parse(value);
  };
  const ask = async (what) => {
    child.stdin.write(`${JSON.stringify(what)}\n`);
    const answered = await answer();
    if (answered.missing) throw new Error(`${python}: ${answered.missing}`);
    return answered;
  };
  return { ...(await answer()), ask, end: () => child.stdin.end() };
}

async function theirs(ask, way, name, size) {
  const [w, g] = [weightsOf, gradientOf].map((of) => hex(of(Math.min(size, block))));
  const { learningRate, beta1, beta2, epsilon } = hyper;
  await ask({ do: 'make', way, size, w, g, hyper: [learningRate, beta1, beta2, epsilon] });
  return {
    name,
    turn: async (runs) => (await ask({ do: 'run', way, runs })).ms,
    values: async () => (await ask({ do: 'values', way })).values,
    dispose: () => ask({ do: 'dispose', way }),
  };
}

/** { about } in words, and the rows of { group: 'torch', … }: none where no such PyTorch is. */
export async function torch({ python, sizes, timing }) {
  const { missing, version, capability, ask, end } = await startPython(python);
  if (missing) return { about: `torch: no table with ${python}: ${missing}`, rows: [] };
  const variantsOf = async (size) => [
    await theirs(ask, 'kernel', 'torch._fused_adam_', size),
    await theirs(ask, 'optimizer', 'torch.optim.Adam, fused', size),
  ];
  const { size, values } = expectedOf('adam');
  for (const variant of await variantsOf(size)) await check('adam', variant, values);
  const rows = [];
  for (const size of sizes) {
    const variants = [resident('adam', size), ...(await variantsOf(size))];
    rows.push(...(await rowsOf({ group: 'torch', rule: 'adam', size }, variants, size, timing)));
  }
  end();
  return { about: `PyTorch ${version} with ${capability}`, rows };
}
