// `node tests/bench/state.mjs`: what it costs to save and load the state of a large model, as a multiple of one copy of
// its bytes out of the engine's memory. By itself, because nothing of it depends on a rule.
import { Adam, init, Variable } from '../../dist/index.js';

const rounds = 7;
const best = (work) => {
  let least = Number.POSITIVE_INFINITY;
  for (let k = 0; k < rounds; k++) {
    const start = performance.now();
    work();
    least = Math.min(least, performance.now() - start);
  }
  return least;
};

await init();
for (const [count, size] of [
  [1, 16_000_000],
  [2_000, 8_000],
]) {
  const variables = Array.from({ length: count }, (_, k) => new Variable(size, { path: `v${k}` }));
  const optimizer = new Adam();
  optimizer.build(variables);
  const bytes = optimizer.serializeState();
  const arrays = optimizer.variables.map(({ value }) => value).filter((value) => typeof value !== 'number');
  const copy = best(() => {
    const out = new Float32Array(2 * count * size);
    let at = 0;
    for (const array of arrays) {
      out.set(array, at);
      at += array.length;
    }
    return out;
  });
  const times = (work) => (best(work) / copy).toFixed(2);
  const saved = times(() => optimizer.serializeState());
  const loaded = times(() => optimizer.loadState(bytes));
  console.log(
    `${count} variables of ${size}, ${(bytes.length / 1e6).toFixed(0)} MB: a copy ${copy.toFixed(0)} ms, ` +
      `serializeState ${saved} times that, loadState ${loaded} times`,
  );
  for (const each of [optimizer, ...variables]) each.dispose();
}
