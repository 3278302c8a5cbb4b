// A MultiOptimizer in a file of Keras, or one within a LossScaleOptimizer: its own two scalars, and then the state of each
// of its optimizers; and that of each once more in a group by itself, which Keras reads last. Which variable is whose is
// told by paths. Those in Keras have the model's name before them or not, as the model was made, and the file does not
// tell: what fits the state is taken.
import { LossScaleOptimizer } from '../optimizers/loss-scale.js';
import type { MultiOptimizer } from '../optimizers/multi.js';
import type { Several } from '../optimizers/multi-parts.js';
import type { Optimizer } from '../optimizers/optimizer.js';
import { partsOf } from '../optimizers/parts.js';
import type { Hdf5File } from './hdf5.js';
import { groupName } from './layers.js';
import { layoutFor, type StateSlot, severalIn, sharesOf } from './layout.js';
import type { Weight } from './weights.js';

/** What a LossScaleOptimizer is round. */
export const innerOptimizer = 'optimizer/inner_optimizer';

/** What has the optimizers' own states; whole-model `.h5` files have none. */
const severalGroup = (whole: Optimizer) =>
  `${whole instanceof LossScaleOptimizer ? innerOptimizer : 'optimizer'}/optimizers`;

/** The groups of the optimizers' own states, and how many variables each has; none without a MultiOptimizer. */
export function innerStates(
  whole: Optimizer,
  layout: readonly StateSlot[],
): { group: string; count: number }[] {
  const { optimizers = [] } = severalIn(whole) ?? {};
  const used = new Map<string, number>();
  return optimizers.map((optimizer, k) => {
    const name = groupName({ class_name: (optimizer.constructor as typeof Optimizer).className });
    const before = used.get(name) ?? 0;
    used.set(name, before + 1);
    const group = `${severalGroup(whole)}/${before ? `${name}_${before}` : name}/vars`;
    return { group, count: layout.filter(({ part }) => part === k).length };
  });
}

/** All groups of states below a MultiOptimizer's. */
export const innerGroups = (file: Hdf5File): string[] =>
  ['optimizer', innerOptimizer].flatMap((group) =>
    file.keys(`${group}/optimizers`).map((name) => `${group}/optimizers/${name}/vars`),
  );

/**
 * As `findState`.
 * @param isNamed whether the caller gave the weights' paths
 * @throws RangeError if the state fits neither paths with the model's name nor those without, or both differently
 */
export function findSeveral(
  what: string,
  file: Hdf5File,
  datasets: readonly string[],
  make: () => Optimizer,
  candidates: readonly Weight[],
  isNamed: boolean,
): { weights: readonly Weight[]; isBuilt: boolean } {
  const whole = make();
  const several = severalIn(whole) as MultiOptimizer;
  try {
    const unbuilt = whole.variables.length;
    const namings = isNamed ? [candidates] : [candidates, candidates.map(withoutModel)];
    const tried = namings.map((weights) => {
      return {
        weights,
        layout: layoutFor(make, weights),
        shares: String(sharesOf(several, pathsOf(weights))),
      };
    });
    const paths = pathsOf(candidates).slice(0, 3).join(', ');
    const misfits = tried.map(({ weights, layout }) => misfit(file, datasets, whole, weights, layout));
    const [first, ...others] = tried.filter((_, k) => misfits[k] === null);
    if (others.some(({ shares }) => shares !== first.shares))
      throw new RangeError(
        `${what}: the state of the MultiOptimizer fits the weights' paths with the model's name before them and without ` +
          `(${paths}, …), which go to other optimizers. Give the paths of model.trainable_variables as the option order.`,
      );
    if (first) return { weights: first.weights, isBuilt: true };
    if (datasets.length <= unbuilt) return { weights: candidates, isBuilt: false };
    const detail = misfits.find(Boolean) ?? '';
    throw new RangeError(
      `${what}: the file's MultiOptimizer has ${datasets.length} variables, and ${tried[0].layout.length} are expected ` +
        `for the ${candidates.length} trainable weights (${paths}, …) by its optimizer_map${detail && `: ${detail}`}. If these ` +
        'are not their paths, or not all are trained, give the paths of model.trainable_variables as the option order.',
    );
  } finally {
    whole.dispose();
  }
}

/** What does not fit, '' if it is the number of variables; null if all does. */
function misfit(
  file: Hdf5File,
  datasets: readonly string[],
  whole: Optimizer,
  weights: readonly Weight[],
  layout: readonly StateSlot[],
): string | null {
  if (layout.length !== datasets.length) return '';
  for (const [k, { variable, isFull, role }] of layout.entries()) {
    const { shape, path } = variable === null ? { shape: [], path: 'an optimizer' } : weights[variable];
    const found = file.info(datasets[k]).shape;
    if (isFull && String(found) !== String(shape))
      return `'${datasets[k]}' has the shape [${found.join(', ')}], and ${role} of ${path} has [${shape.join(', ')}]`;
  }
  if (!file.isGroup(severalGroup(whole))) return null;
  for (const { group, count } of innerStates(whole, layout)) {
    const found = file.numbered(group).length;
    if (found !== count) return `'${group}' has ${found} variables instead of ${count}`;
  }
  return null;
}

const pathsOf = (weights: readonly Weight[]) => weights.map(({ path }) => path);
const withoutModel = (weight: Weight): Weight => ({ ...weight, path: weight.path.replace(/^[^/]*\//, '') });

/** @throws RangeError if a MultiOptimizer has given the variables to other optimizers than the file does */
export function checkShares(what: string, optimizer: Optimizer, weights: readonly Weight[]): void {
  const several = severalIn(optimizer);
  if (!several) return;
  const { optimizers } = several;
  const { shares } = partsOf(several).build.require() as Several;
  const wanted = sharesOf(several, pathsOf(weights));
  const k = wanted.findIndex((share, row) => optimizers[share] !== shares[row].part.optimizer);
  if (k < 0) return;
  const [is, should] = [shares[k].part.optimizer, optimizers[wanted[k]]];
  throw new RangeError(
    `${what}: '${weights[k].path}' belongs to the optimizer '${should.name}' of the file's MultiOptimizer, and was built with ` +
      `'${is.name}'; build with what openKeras gave, or with variables of the file's paths.`,
  );
}
