// Whether any address is a bad one. Two traps are known on such machines: copies to some places within a page are
// many times slower, and so are steps over arrays a multiple of 128 MiB apart at the same place in their pages.
// So: plain arrays at every 64th byte of a page, and resident arrays of 128 MiB each beside smaller ones.
import { Variable } from '../../dist/index.js';
import { measure, settings } from './timing.mjs';
import { gradientOf, weightsOf } from './variants/data.mjs';
import { optimizerFor } from './variants/library.mjs';

const page = 4096;
const n = 16384;

function shifted(values, offset) {
  const buffer = new ArrayBuffer(values.byteLength + 2 * page);
  const view = new Float32Array(buffer, offset, values.length);
  view.set(values);
  return view;
}

/** Rows of { group: 'addresses', variant, ns, ratios: { best } }. */
export async function addresses({ quick }) {
  const timing = quick ? settings.quick : { ...settings.full, rounds: 7, warmUpMs: 10 };
  const offsets = Array.from({ length: page / (quick ? 1024 : 64) }, (_, k) => k * (quick ? 1024 : 64));
  const variants = offsets.map((offset) => {
    const weights = shifted(weightsOf(n), offset);
    const gradients = [shifted(gradientOf(n), (offset * 7) % page)];
    const optimizer = optimizerFor('adam', [weights]);
    return { run: () => optimizer.apply(gradients), dispose: () => optimizer.dispose() };
  });
  const found = (await measure(variants, timing)).map(({ least }) => (least / n) * 1e6);
  for (const variant of variants) variant.dispose();
  const plain = rowsOf('plain arrays at places in a page', Math.min(...found), Math.max(...found));
  if (quick) return plain;

  const large = [8, 16, 32].map((mebi) => {
    const size = mebi * 2 ** 20; // 32 Mi floats are 128 MiB
    const variable = new Variable(size);
    variable.gradient.fill(0.01);
    const optimizer = optimizerFor('adam', [variable]);
    return {
      size,
      run: () => optimizer.step(),
      dispose: () => [optimizer, variable].map((each) => each.dispose()),
    };
  });
  const times = await measure(large, { ...settings.full, rounds: 4 });
  const each = large.map(({ size }, k) => (times[k].least / size) * 1e6);
  for (const variant of large) variant.dispose();
  return [...plain, ...rowsOf('resident arrays of 32, 64 and 128 MiB', Math.min(...each), Math.max(...each))];
}

const rowsOf = (name, best, worst) =>
  [
    ['best', best],
    ['worst', worst],
  ].map(([which, ns]) => ({
    group: 'addresses',
    variant: `${name}, ${which}`,
    ns,
    ratios: { best: ns / best },
  }));
