// Which weights are trained, where the config does not tell, and in which order, where the caller does. The optimizer's
// state has the shape of each trained weight, in order: if only one choice of weights has these shapes, it is that.
import { describe } from '../basics/errors.js';
import type { Weight } from './weights.js';

const steps = 100_000;

/** The weights with these shapes, in order; null if there are none, 'many' if there is more than one choice. */
export function withShapes(
  weights: readonly Weight[],
  shapes: readonly (readonly number[])[],
): Weight[] | 'many' | null {
  const fits = (k: number, j: number) => String(weights[k].shape) === String(shapes[j]);
  if (weights.length === shapes.length && weights.every((_, k) => fits(k, k))) return [...weights];
  if (weights.length <= shapes.length || weights.every(({ doubt }) => !doubt)) return null;
  const found: number[][] = [];
  const taken: number[] = [];
  const decided = new Map<string, boolean>();
  let budget = steps;
  const search = (k: number): void => {
    if (found.length > 1 || budget-- < 0) return;
    if (k === weights.length) {
      if (taken.length === shapes.length) found.push([...taken]);
      return;
    }
    const { doubt } = weights[k];
    const known = doubt && decided.get(doubt.unit);
    const mayTake = doubt?.kind === 'whole' ? known !== false : known !== false;
    const mayLeave = doubt !== undefined && (doubt.kind === 'tail' || known !== true);
    if (mayTake && taken.length < shapes.length && fits(k, taken.length)) {
      taken.push(k);
      if (doubt) decided.set(doubt.unit, true);
      search(k + 1);
      restore(doubt?.unit, known);
      taken.pop();
    }
    if (mayLeave) {
      decided.set(doubt.unit, false);
      search(k + 1);
      restore(doubt.unit, known);
    }
  };
  const restore = (unit: string | undefined, known: boolean | undefined) => {
    if (unit === undefined) return;
    if (known === undefined) decided.delete(unit);
    else decided.set(unit, known);
  };
  search(0);
  if (found.length > 1 || budget < 0) return 'many';
  return found.length === 1 ? found[0].map((k) => weights[k]) : null;
}

/**
 * Weights without a config: layers of one class are in the order of their numbers, and between the classes there is
 * the one order that has these shapes. Null if there is none, 'many' if there is more than one.
 */
export function mergedByShapes(
  weights: readonly Weight[],
  shapes: readonly (readonly number[])[],
): Weight[] | 'many' | null {
  const classes = new Map<string, Map<number, Weight[]>>();
  for (const weight of weights) {
    const [, name, number = '0'] = /^layers\/(.*?)(?:_(\d+))?\//.exec(weight.dataset) ?? [];
    if (name === undefined) return null;
    const layers = classes.get(name) ?? new Map<number, Weight[]>();
    classes.set(name, layers.set(Number(number), [...(layers.get(Number(number)) ?? []), weight]));
  }
  const queues = [...classes.values()].map((layers) =>
    [...layers].sort(([a], [b]) => a - b).map(([, layer]) => layer),
  );
  const found: Weight[][] = [];
  const next = queues.map(() => 0);
  let budget = steps;
  const search = (taken: readonly Weight[]): void => {
    if (found.length > 1 || budget-- < 0) return;
    if (taken.length === weights.length) {
      found.push([...taken]);
      return;
    }
    for (const [k, queue] of queues.entries()) {
      const layer = queue[next[k]];
      if (!layer?.every(({ shape }, j) => String(shape) === String(shapes[taken.length + j]))) continue;
      next[k]++;
      search([...taken, ...layer]);
      next[k]--;
    }
  };
  if (weights.length === shapes.length) search([]);
  if (found.length > 1 || budget < 0) return 'many';
  return found[0] ?? null;
}

const bare = (path: string) => path.replace(/^[^/]*\//, '');

/** What an entry of the caller's may be of a weight, the likeliest first. */
const namings: readonly ((weight: Weight, name: string) => boolean)[] = [
  ({ path }, name) => path === name,
  ({ dataset }, name) => dataset === name,
  ({ path }, name) => bare(path) === name || path === bare(name),
];

/**
 * The weights in the order that the caller gives: their paths, with or without the name of the model that
 * `load_model` may add, or their datasets. Weights of a class that is not known have numbers in the file, and names in
 * Keras; it saves those that are trained first, so the first that is given of a layer is its first.
 * @throws TypeError, RangeError
 */
export function inOrder(what: string, weights: readonly Weight[], order: unknown): Weight[] {
  if (!Array.isArray(order) || !order.every((name) => typeof name === 'string'))
    throw new TypeError(`${what}: order must be an array of paths, got ${describe(order)}.`);
  const layerOf = (name: string) => name.slice(0, name.lastIndexOf('/') + 1);
  const given = new Map<string, number>();
  const found = order.map((name: string) => {
    const layer = layerOf(name);
    const number = given.get(layer) ?? 0;
    given.set(layer, number + 1);
    for (const called of [name, `${layer}${number}`])
      for (const [k, isCalled] of namings.entries()) {
        const matches = weights.filter((weight) => isCalled(weight, called));
        if (matches.length > 1)
          throw new RangeError(
            `${what}: order: ${matches.length} weights are called '${name}'; name the dataset.`,
          );
        if (matches.length === 1) return { ...matches[0], path: k === 1 ? matches[0].path : name };
      }
    const shown = weights.slice(0, 12).map(({ path, dataset }) => `'${path}' (${dataset})`);
    throw new RangeError(
      `${what}: order: the file has no weight '${name}'; it has ${shown.join(', ')}${weights.length > 12 ? ', …' : ''}.`,
    );
  });
  const twice = found.find(({ dataset }, k) => found.findIndex((other) => other.dataset === dataset) < k);
  if (twice) throw new RangeError(`${what}: order: '${twice.path}' is there twice.`);
  return found;
}
