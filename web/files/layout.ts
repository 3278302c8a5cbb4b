// The order of an optimizer's state, found out by building an optimizer of the same config with placeholders: no
// second description of the state is kept that could differ from the optimizer's own. And the other orders in which
// older versions of Keras wrote the same state.
import { core } from '../engine/core.js';
import { LossScaleOptimizer } from '../optimizers/loss-scale.js';
import { MultiOptimizer } from '../optimizers/multi.js';
import type { OptimizerMap } from '../optimizers/multi-map.js';
import type { Optimizer } from '../optimizers/optimizer.js';
import { partsOf } from '../optimizers/parts.js';
import { inKeras, listed } from '../state/entries.js';
import { targetsFor } from '../step/parameters.js';
import { Variable } from '../step/variable.js';

/** One of the optimizer's variables: a scalar of its own, or a slot of the model's variable `variable`. */
export interface StateSlot {
  readonly dtype: 'float32' | 'int32';
  readonly variable: number | null;
  /** What it is: `iteration`, `momentum`, `velocity_hat`, … */
  readonly role: string;
  /** Whether it has the shape of its variable; some rules keep sums over rows and columns. */
  readonly isFull: boolean;
  /** Which of a MultiOptimizer's optimizers has it. */
  readonly part?: number;
}

/**
 * The state of the optimizer that `make` makes, once it is built with variables of these ranks.
 * @param paths of the variables; a MultiOptimizer wants to know them, and Muon, which leaves out embeddings
 * @param isScaled whether it is within a LossScaleOptimizer, whose list in Keras has less
 */
export function layoutOf(
  make: () => Optimizer,
  ranks: readonly number[],
  paths: readonly string[] = [],
  isScaled = false,
): StateSlot[] {
  const placeholders: Variable[] = [];
  const optimizer = make();
  const several = severalIn(optimizer);
  if (several) return severalLayout(optimizer, several, ranks, paths);
  const names = new Set(paths).size === ranks.length ? paths : ranks.map((_, k) => `v${k}`);
  const rows = new Map(names.map((path, k) => [path, k]));
  const scope = optimizer instanceof LossScaleOptimizer ? 'inner/' : '';
  try {
    for (const [k, rank] of ranks.entries())
      placeholders.push(new Variable(1, { path: `v${k}`, shape: Array(rank).fill(1) }));
    const targets = targetsFor(placeholders, core('build')).map((at, k) => ({ ...at, path: names[k] }));
    optimizer.build(placeholders, targets);
    const entries = inKeras(listed(partsOf(optimizer).state.entries())).filter(
      ({ isRaw }) => !(isRaw && isScaled),
    );
    return entries.map(({ key, shape, dtype }) => {
      const end = key.lastIndexOf('/');
      const role = key.slice(end + 1);
      const variable = end > 0 && key.startsWith(scope) ? rows.get(key.slice(scope.length, end)) : undefined;
      if (variable === undefined) return { dtype, variable: null, role, isFull: true };
      return { dtype, variable, role, isFull: shape.length === ranks[variable] };
    });
  } finally {
    optimizer.dispose();
    for (const placeholder of placeholders) placeholder.dispose();
  }
}

/** The same, of a model's weights. */
export const layoutFor = (
  make: () => Optimizer,
  weights: readonly { readonly shape: readonly number[]; readonly path: string }[],
): StateSlot[] =>
  layoutOf(
    make,
    weights.map(({ shape }) => shape.length),
    weights.map(({ path }) => path),
  );

/** The MultiOptimizer that it is, or that a LossScaleOptimizer is round; null if it is neither. */
export function severalIn(optimizer: Optimizer): MultiOptimizer | null {
  const inner = optimizer instanceof LossScaleOptimizer ? optimizer.innerOptimizer : optimizer;
  return inner instanceof MultiOptimizer ? inner : null;
}

/** Which of the optimizers each variable belongs to, by its path. @throws RangeError if two patterns match */
export function sharesOf({ optimizers, optimizerMap }: MultiOptimizer, paths: readonly string[]): number[] {
  const map = optimizerMap as OptimizerMap; // from a config there is no function
  return paths.map((path) => optimizers.indexOf(map.get(path)));
}

/** The scalars of the whole, and then the state of each of the optimizers; one without variables is not built. */
function severalLayout(
  whole: Optimizer,
  several: MultiOptimizer,
  ranks: readonly number[],
  paths: readonly string[],
): StateSlot[] {
  const { optimizers } = several;
  const shares = sharesOf(several, paths);
  const unbuilt = scalars(whole);
  const inner = optimizers.map((optimizer, part) => {
    const mine = shares.flatMap((share, k) => (share === part ? [k] : []));
    const own = scalars(optimizer);
    unbuilt.length -= own.length;
    const layout =
      mine.length === 0
        ? own
        : layoutOf(
            () => optimizer,
            mine.map((k) => ranks[k]),
            mine.map((k) => paths[k]),
            whole instanceof LossScaleOptimizer,
          );
    return layout.map((slot) => ({
      ...slot,
      part,
      variable: slot.variable === null ? null : mine[slot.variable],
    }));
  });
  whole.dispose();
  return [...unbuilt, ...inner.flat()];
}

/** What the optimizer that `make` makes has before it is built. */
export function unbuiltLayout(make: () => Optimizer): StateSlot[] {
  const optimizer = make();
  try {
    return scalars(optimizer);
  } finally {
    optimizer.dispose();
  }
}

const scalars = (optimizer: Optimizer): StateSlot[] =>
  optimizer.variables.map(({ path, dtype }) => ({
    dtype,
    variable: null,
    role: path.slice(path.lastIndexOf('/') + 1),
    isFull: true,
  }));

/** The file's k-th entry is the optimizer's variable `order[k]`; null for one that nobody needs. */
export type Order = readonly (number | null)[];

export type OrderName = 'keras3' | 'keras2' | 'optimizer_v2' | 'keras2.2';

/** Scalars that Keras 2 did not keep with the state. */
const ownOfKeras3 = /^(learning_rate|step_counter|dynamic_scale)$/;

/**
 * - `keras3`: as our own.
 * - `keras2`, of 2.11 to 2.15: without the learning rate, and without what a loss-scaling wrapper has.
 * - `optimizer_v2`, of 2.0 to 2.10 and the `legacy` ones: the count, then slot by slot: all m, all v.
 * - `keras2.2`, of Keras before TensorFlow's: the same, and a scalar for each variable that stands for the missing vhat.
 */
export function orderOf(name: OrderName, layout: readonly StateSlot[]): Order {
  const all = layout.map((_, k) => k);
  if (name === 'keras3') return all;
  const counts = all.filter((k) => layout[k].role === 'iteration');
  const kept = all.filter((k) => {
    const { role, variable } = layout[k];
    if (variable !== null) return true;
    return role === 'iteration' ? k === counts.at(-1) : !ownOfKeras3.test(role); // the wrapper's own count never moves
  });
  if (name === 'keras2') return kept;
  const roles = [...new Set(kept.map((k) => layout[k].role))];
  const bySlot = roles.flatMap((role) => kept.filter((k) => layout[k].role === role));
  if (name === 'optimizer_v2') return bySlot;
  const variables = new Set(layout.flatMap(({ variable }) => (variable === null ? [] : [variable])));
  return [...bySlot, ...Array(variables.size).fill(null)];
}
