// Whole training loops on the digits, batch 32: forward and backward pass in TensorFlow.js or jax-js on their wasm
// backends, and the update by their own Adam or by ours. `no update` is the loop without any: no optimizer can make
// it faster than that. And the loop of Keras on PyTorch beside those of TensorFlow.js, where a Python has it.
import { measure } from './timing.mjs';

const batchSize = 32;

/** `steps` steps of each model are one run, so that `fit` has an epoch of its usual kind. */
const models = [
  { name: 'linear regression', hidden: null, steps: 20 },
  { name: '32', hidden: [32], steps: 20 },
  { name: '128-128', hidden: [128, 128], steps: 20 },
  { name: '512-512', hidden: [512, 512], steps: 4 },
  { name: '1024-1024', hidden: [1024, 1024], steps: 2 },
];

const libraries = {
  async tfjs() {
    const { tfjsLoops } = await import('./variants/tfjs-loops.mjs');
    return { make: tfjsLoops, own: 'tf.train.adam', most: 512 };
  },
  async jax() {
    const { jaxLoops } = await import('./variants/jax-loops.mjs');
    return { make: jaxLoops, own: 'jit by hand', most: 1024 };
  },
  async keras({ python, say }) {
    const { kerasLoops, own } = await import('./keras.mjs');
    const { about, ...found } = await kerasLoops(python);
    say(`${about}\n`);
    return found.make ? { ...found, own, most: 512 } : null;
  },
};

/** Rows of { group, library, model, variant, us, ratios: { own, nothing } }: microseconds of one step. */
export async function* loops({ beside, python, say, timing, quick }) {
  for (const library of beside.includes('tfjs') ? [...beside, 'keras'] : beside) {
    const found = await libraries[library]({ python, say });
    if (!found) continue;
    const { make, own, most, end } = found;
    for (const { name: model, hidden, steps } of models) {
      if (hidden?.[0] > (quick ? 32 : most) || (library === 'jax' && !hidden)) continue;
      const variants = await make({ hidden, steps, batchSize });
      const times = await measure(variants, timing);
      for (const variant of variants) variant.dispose();
      const us = times.map(({ least }) => (least * 1000) / steps);
      const of = (name) => us[variants.findIndex((variant) => variant.name === name)];
      for (const [k, { name: variant }] of variants.entries())
        yield {
          group: 'loops',
          rule: 'adam',
          library,
          model,
          variant,
          us: us[k],
          medianUs: (times[k].median * 1000) / steps,
          ratios: { own: of(own) / us[k], nothing: us[k] / of('no update') },
        };
    }
    end?.();
  }
}
