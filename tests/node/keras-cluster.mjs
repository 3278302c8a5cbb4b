// Models that go to Keras and back (docs/python.md), as the page trains them. The same gradients in both languages:
// tests/python/keras_cluster.py.
import { Variable } from '../../dist/index.js';
import { openKeras, saveKeras } from '../../dist/keras.js';

export const names = ['adamw', 'adamax', 'loss-scale-multi'];

/** Steps of the page, and then as many of Keras. */
export const pageSteps = 3;

const gradients = (variables, t) =>
  variables.map(({ size }, k) =>
    Float32Array.from({ length: size }, (_, i) => (((7 * i + 5 * k + 3 * t) % 11) - 5) / 8),
  );

export function train({ optimizer, variables }, from, to) {
  for (let t = from; t < to; t++) optimizer.apply(gradients(variables, t));
}

export async function opened(bytes) {
  const { optimizer, variables: found, build } = await openKeras(bytes);
  const variables = found.map(({ path, shape, value }) => new Variable(value, { path, shape }));
  build(variables);
  return { optimizer, variables };
}

/** What Keras saved before any step, trained in the page and saved. */
export async function paged(bytes) {
  const page = await opened(bytes);
  train(page, 0, pageSteps);
  return { ...page, saved: await saveKeras(bytes, page.optimizer, page.variables) };
}
