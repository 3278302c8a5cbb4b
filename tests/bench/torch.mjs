// The resident step beside PyTorch's fused Adam for CPUs, one thread each: a Python that has PyTorch runs
// torch-adam.py and takes turns with this process. The two agree before anything is timed. (PyTorch's Adamax has
// no fused form.)
import { check, expectedOf } from './check.mjs';
import { startPython } from './python.mjs';
import { rowsOf } from './steps.mjs';
import { gradientOf, hyper, weightsOf } from './variants/data.mjs';
import { resident } from './variants/library.mjs';

export const torchSizes = [2 ** 10, 2 ** 17, 2 ** 20, 2 ** 22, 2 ** 24];

const block = 2 ** 12; // numbers that a tensor repeats: those of 16 Mi need not all go through a pipe
const hex = (numbers) => Buffer.from(numbers.buffer).toString('hex');

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
  const { missing, version, capability, ask, end } = await startPython(python, 'torch-adam.py');
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
