// One step of Adam and of Adamax on one tensor, by size: the library in three ways, its kernels alone, what else
// a web page could use, and the yardsticks.
import { measure } from './timing.mjs';
import { loop } from './variants/javascript.mjs';
import { plainArrays, plainGradients, resident } from './variants/library.mjs';
import { moduleVariants } from './variants/modules.mjs';
import { variantsOf } from './variants/others.mjs';

export const stepSizes = [2 ** 10, 2 ** 17, 2 ** 20, 2 ** 22, 2 ** 24];

/** Rows of { group, rule, size, variant, ns, medianNs, turns }; ns is for one parameter. */
export async function* steps({ rules, sizes, others, timing }) {
  for (const rule of rules) {
    for (const size of sizes) {
      const variants = [
        resident(rule, size),
        plainGradients(rule, size),
        plainArrays(rule, size),
        ...moduleVariants(rule, size),
        loop(rule, size),
        ...(await variantsOf(others, rule, size)),
      ];
      yield* await rowsOf({ group: 'steps', rule, size }, variants, size, timing);
    }
  }
}

/** Measures variants that work on `size` parameters in all, disposes them, and returns their rows. */
export async function rowsOf(common, variants, size, timing) {
  const results = await measure(variants, timing);
  const rows = results.map(({ least, median, turns }, k) => {
    const { name: variant, calls = 1 } = variants[k];
    const ns = 1e6 / (calls * size);
    return { ...common, variant, ns: least * ns, medianNs: median * ns, turns };
  });
  for (const { dispose } of variants) await dispose?.();
  return rows;
}
