// The optimizer's state in a file: where it is, which of the known orders it has (layout.ts), which weights it belongs
// to, and the state written. Messages begin with `what`, the function that the user called.
import { describe, warnOnce } from '../basics/errors.js';
import { sizeOf } from '../basics/floats.js';
import { LossScaleOptimizer } from '../optimizers/loss-scale.js';
import type { Optimizer } from '../optimizers/optimizer.js';
import { partsOf } from '../optimizers/parts.js';
import { checkSlot } from '../state/entries.js';
import { isParameter, type Parameter } from '../step/parameters.js';
import { Variable } from '../step/variable.js';
import { type Hdf5File, slashed } from './hdf5.js';
import {
  layoutFor,
  layoutOf,
  type Order,
  type OrderName,
  orderOf,
  type StateSlot,
  severalIn,
  unbuiltLayout,
} from './layout.js';
import { mergedByShapes, withShapes } from './matching.js';
import { findSeveral, innerGroups, innerOptimizer, innerStates } from './several.js';
import type { Description } from './source.js';
import type { Weight } from './weights.js';

const shapeText = (shape: readonly number[]) => `[${shape.join(', ')}]`;

export interface Found {
  /** The trained weights, in the optimizer's order. */
  readonly weights: readonly Weight[];
  /** The order that the file has, or that a state gets that is not there yet. */
  readonly order: OrderName;
  /** False if it was saved before the optimizer was built. */
  readonly isBuilt: boolean;
}

const legacyGroup = 'optimizer_weights';
export const stateGroup = 'optimizer/vars';
const innerGroup = `${innerOptimizer}/vars`;

/** The datasets of the state, in the file's order. */
export function stateDatasets(file: Hdf5File, { isLegacy }: Description): string[] {
  if (!isLegacy) return file.numbered(stateGroup);
  return (file.texts(legacyGroup, 'weight_names') ?? []).map((name) => slashed(`${legacyGroup}/${name}`));
}

/** The groups that have nothing but the state. */
export const stateGroups = (file: Hdf5File, { isLegacy }: Description): string[] =>
  isLegacy
    ? [
        ...new Set([
          legacyGroup,
          ...file.datasetsBelow(legacyGroup).map((path) => path.slice(0, path.lastIndexOf('/'))),
        ]),
      ]
    : [stateGroup, innerGroup, ...innerGroups(file)];

/** The orders that such a file can have, the likeliest first. */
function ordersOf({ isLegacy, version, optimizer }: Description): OrderName[] {
  const isThird = version === null || Number.parseInt(version, 10) >= 3;
  if (!isLegacy) return isThird ? ['keras3', 'keras2'] : ['keras2', 'keras3'];
  if (isThird && version !== null) return ['keras3', 'keras2'];
  // Options of the optimizers of 2.11 on, which optimizer_v2 did not have.
  const config = optimizer?.node.members?.get('config')?.members;
  const isNew = config?.has('use_ema') || config?.has('jit_compile') || config?.has('ema_momentum');
  return isNew ? ['keras2', 'optimizer_v2', 'keras3'] : ['optimizer_v2', 'keras2.2', 'keras2', 'keras3'];
}

/**
 * Matches the state with the weights.
 * @param make makes the optimizer of the file
 * @param candidates what may be trained, in order
 * @param isOrdered whether the caller gave the order: a file without a config does not tell it
 * @throws RangeError if no known order of the state fits the weights, or more than one choice of weights does
 */
export function findState(
  what: string,
  file: Hdf5File,
  description: Description,
  make: () => Optimizer,
  candidates: readonly Weight[],
  isOrdered: boolean,
): Found {
  const datasets = stateDatasets(file, description);
  const aside = description.isLegacy ? [] : [innerGroup, ...innerGroups(file)];
  const orphan = datasets.length === 0 && aside.find((group) => file.numbered(group).length > 0);
  if (orphan)
    throw new RangeError(
      `${what}: the file has a state in '${orphan}', which Keras writes beside that in '${stateGroup}', where there is none.`,
    );
  if (isSeveral(make))
    return { ...findSeveral(what, file, datasets, make, candidates, isOrdered), order: 'keras3' };
  const shapes = datasets.map((path) => file.info(path).shape);
  const orders = ordersOf(description);
  const probe = layoutOf(make, [2]);
  const full = probe.find(({ variable, isFull }) => variable !== null && isFull)?.role;
  const scalars = probe.filter(({ variable }) => variable === null).length;
  if (full === undefined || datasets.length <= scalars) {
    // No slots, or none yet.
    const unit = candidates.find(({ doubt }) => doubt?.kind === 'tail')?.doubt?.unit;
    if (unit !== undefined)
      warnOnce(
        `${what}: which weights of '${unit}' are trained is not in the file, and no state of an optimizer tells it: all ` +
          'are taken. If some are not, give the paths of model.trainable_variables as the option order.',
      );
    const unbuilt = unbuiltLayout(make);
    const order = orders.find((name) => orderOf(name, unbuilt).length === datasets.length);
    return {
      weights: candidates,
      order: order ?? orders[0],
      isBuilt: full === undefined && datasets.length > 0,
    };
  }
  let failure: string | null = null;
  if (layoutOf(make, [1]).length !== probe.length) {
    // Some weights have more slots than others: there is one state that the weights as they stand can have.
    const layout = layoutFor(make, candidates);
    for (const name of orders) {
      const order = orderOf(name, layout);
      if (order.length !== datasets.length) continue;
      const wrong = misfit(what, datasets, shapes, layout, order, candidates);
      if (wrong === null) return { weights: candidates, order: name, isBuilt: true };
      failure ??= wrong;
    }
    throw new RangeError(failure ?? countText(what, datasets.length, make, candidates));
  }
  for (const name of orders) {
    const one = orderOf(name, probe);
    const own = one.filter((k) => k !== null && probe[k].variable === null).length;
    const count = (datasets.length - own) / (one.length - own);
    if (!Number.isInteger(count)) continue;
    const flat = layoutOf(make, Array(count).fill(1));
    const expected: (readonly number[])[] = [];
    const places: string[] = [];
    orderOf(name, flat).forEach((k, at) => {
      if (k === null) return;
      const { variable, role } = flat[k];
      if (variable === null || role !== full) return;
      expected[variable] = shapes[at];
      places[variable] = datasets[at];
    });
    const weights =
      description.model === null && !description.isLegacy && !isOrdered
        ? mergedByShapes(candidates, expected)
        : withShapes(candidates, expected);
    if (weights === 'many')
      throw new RangeError(
        `${what}: the optimizer's state has ${count} variables, and more than one choice of the weights has their ` +
          `shapes: which are trained, and in which order, is not in the file (${doubtful(candidates)}). Give the paths ` +
          'of model.trainable_variables as the option order.',
      );
    if (!weights) {
      if (candidates.length === count) failure ??= mismatch(what, places, expected, candidates, full);
      continue;
    }
    const layout = layoutFor(make, weights);
    const wrong = misfit(what, datasets, shapes, layout, orderOf(name, layout), weights);
    if (wrong === null) return { weights, order: name, isBuilt: true };
    failure ??= wrong;
  }
  throw new RangeError(failure ?? countText(what, datasets.length, make, candidates));
}

function isSeveral(make: () => Optimizer): boolean {
  const optimizer = make();
  optimizer.dispose();
  return severalIn(optimizer) !== null;
}

const doubtful = (weights: readonly Weight[]) => {
  const units = weights.flatMap(({ doubt }) => (doubt ? [doubt.unit] : []));
  const all = units.length > 0 ? units : weights.map(({ dataset }) => dataset);
  return [...new Set(all)].slice(0, 4).join(', ');
};

function countText(what: string, count: number, make: () => Optimizer, weights: readonly Weight[]): string {
  const layout = layoutFor(make, weights);
  return (
    `${what}: the file's optimizer has ${count} variables, and ${layout.length} are expected for the ` +
    `${weights.length} trainable weights (${weights
      .slice(0, 3)
      .map(({ path }) => path)
      .join(', ')}${weights.length > 3 ? ', …' : ''}).` +
    (weights.some(({ doubt }) => doubt)
      ? ` If not all of these are trained (${doubtful(weights)}), give the paths of model.trainable_variables as the option order.`
      : '')
  );
}

function mismatch(
  what: string,
  datasets: readonly string[],
  shapes: readonly (readonly number[])[],
  weights: readonly Weight[],
  role: string,
): string | null {
  const k = weights.findIndex(({ shape }, at) => String(shape) !== String(shapes[at]));
  if (k < 0) return null;
  return otherShape(what, datasets[k], shapes[k], role, weights[k]);
}

const otherShape = (
  what: string,
  dataset: string,
  found: readonly number[],
  role: string,
  weight: Weight | null,
) =>
  `${what}: '${dataset}' in the file has the shape ${shapeText(found)}, and ${role}` +
  `${weight ? ` of '${weight.path}'` : ''} has ${shapeText(weight?.shape ?? [])}.`;

/** What does not fit, or null. */
function misfit(
  what: string,
  datasets: readonly string[],
  shapes: readonly (readonly number[])[],
  layout: readonly StateSlot[],
  order: Order,
  weights: readonly Weight[],
): string | null {
  for (const [at, k] of order.entries()) {
    if (k === null) continue;
    const { variable, role, isFull } = layout[k];
    const weight = variable === null ? null : weights[variable];
    if (!isFull || String(shapes[at]) === String(weight?.shape ?? [])) continue;
    return otherShape(what, datasets[at], shapes[at], role, weight);
  }
  return null;
}

/**
 * The values of all variables of the optimizer, in its own order; what the file does not have keeps its value.
 * @param unbuilt the new optimizer's own scalars, in order
 * @throws RangeError for values that no state has
 */
export async function readState(
  what: string,
  file: Hdf5File,
  datasets: readonly string[],
  layout: readonly StateSlot[],
  order: Order,
  unbuilt: readonly number[],
  progress: (path: string) => Promise<void>,
): Promise<(number | ArrayLike<number>)[]> {
  let scalar = 0;
  const values: (number | ArrayLike<number>)[] = layout.map(({ variable }) =>
    variable === null ? unbuilt[scalar++] : [],
  );
  for (const [at, k] of order.entries()) {
    if (k === null) continue;
    const { dtype, variable, role } = layout[k];
    const read = file.read(datasets[at]);
    await progress(datasets[at]);
    const isWrong =
      variable === null &&
      (!Number.isFinite(read[0]) ||
        (dtype === 'int32' && !(Number.isInteger(read[0]) && read[0] >= 0 && read[0] < 2 ** 31)) ||
        (role === 'dynamic_scale' && !(Math.fround(read[0]) > 0)));
    if (isWrong) throw new RangeError(`${what}: the optimizer's ${role} in the file is ${read[0]}.`);
    checkSlot(`${what}: '${datasets[at]}'`, role, read);
    values[k] = read;
  }
  return values;
}

/** @param weights what is expected; a shape that is not known is null */
export function checkVariables(
  what: string,
  weights: readonly { path: string; shape: readonly number[] | null }[],
  given: readonly Parameter[],
): void {
  if (!Array.isArray(given))
    throw new TypeError(`${what} takes an array of variables, got ${describe(given)}.`);
  if (given.length !== weights.length)
    throw new RangeError(
      `${what} takes the ${weights.length} trainable weights of the file, got ${given.length} variables.`,
    );
  weights.forEach(({ path, shape }, k) => {
    const parameter: unknown = given[k];
    if (!isParameter(parameter))
      throw new TypeError(
        `${what}: variables[${k}] must be a Variable or a Float32Array, got ${describe(parameter)}.`,
      );
    if (shape === null) return;
    const own = parameter instanceof Variable ? parameter.shape : [parameter.length];
    const flat = own.length === 1 && own[0] === sizeOf(shape);
    if (!flat && String(own) !== String(shape))
      throw new RangeError(
        `${what}: variables[${k}] has the shape ${shapeText(own)}, and '${path}' in the file has ${shapeText(shape)}.`,
      );
  });
}

/** Other arrays than the built ones may be saved, but not the built ones in another order. */
export function checkOrder(what: string, optimizer: Optimizer, variables: readonly Parameter[]): void {
  const built = partsOf(optimizer)
    .lifetime.require()
    .targets.map(({ variable, array }) => variable ?? array);
  variables.forEach((variable, k) => {
    const row = built.indexOf(variable);
    if (row >= 0 && row !== k)
      throw new RangeError(
        `${what}: variables[${k}] is the optimizer's variable ${row}; build and save in the file's order.`,
      );
  });
}

/** A state to be written: where, and what. */
export interface Writing {
  readonly path: string;
  readonly shape: readonly number[];
  readonly type: string;
  readonly values: ArrayLike<number>;
}

/**
 * What `optimizer` writes into the file, and whether there is a place for all of it: the datasets that are there have
 * the right shapes, and no others are there.
 * @throws RangeError if its state is not that of these weights
 */
export function writings(
  what: string,
  file: Hdf5File,
  description: Description,
  found: Found,
  make: () => Optimizer,
  optimizer: Optimizer,
): { writing: Writing[]; isInPlace: boolean } {
  const { weights, order, isBuilt } = found;
  const layout = layoutFor(make, weights);
  const state = optimizer.variables;
  const fits =
    state.length === layout.length &&
    layout.every(
      ({ variable, isFull }, k) =>
        !isFull || sizeOf(state[k].shape) === sizeOf(variable === null ? [] : weights[variable].shape),
    );
  if (!fits)
    throw new RangeError(
      `${what}: the optimizer's ${state.length} variables do not fit the ${weights.length} trainable weights of the file, ` +
        `which have ${layout.length}; build it with the variables of this model, in their order.`,
    );
  const entries = orderOf(order, layout);
  const datasets = stateDatasets(file, description);
  const slots = layout.filter(({ variable }) => variable !== null).length;
  // As many slots of each variable as there were: only a rate that became a schedule changes the number.
  if (isBuilt && ![slots, slots - 1, slots + 1].includes(datasets.length - (entries.length - slots)))
    throw new RangeError(countText(what, datasets.length, make, weights));
  const writing = entries.flatMap((k, at): Writing[] => {
    if (k === null) return [];
    const { dtype, variable, isFull } = layout[k];
    const { value, shape: own, path: name } = state[k];
    const shape = isFull && variable !== null ? weights[variable].shape : own;
    const path = description.isLegacy
      ? datasets.length === entries.length
        ? datasets[at]
        : `${legacyGroup}/${name}`
      : `${stateGroup}/${at}`;
    const type = dtype === 'int32' && order !== 'keras3' ? 'int64' : dtype;
    return [{ path, shape, type, values: typeof value === 'number' ? [value] : value }];
  });
  if (optimizer instanceof LossScaleOptimizer && !description.isLegacy && order === 'keras3') {
    // Keras stores the inner optimizer's state a second time.
    const own = layout.findIndex(({ role }, k) => k > 0 && role === 'iteration');
    for (const [k, entry] of writing.slice(own).entries())
      writing.push({ ...entry, path: `${innerGroup}/${k}` });
  }
  if (!description.isLegacy) {
    let at = layout.findIndex(({ part }) => part !== undefined);
    for (const { group, count } of innerStates(optimizer, layout))
      for (let k = 0; k < count; k++) writing.push({ ...writing[at++], path: `${group}/${k}` });
  }
  const isInPlace =
    datasets.length <= entries.length &&
    writing.every(
      ({ path, shape }) => !file.isDataset(path) || String(file.info(path).shape) === String(shape),
    );
  return { writing, isInPlace };
}

export function writeState(file: Hdf5File, description: Description, writing: readonly Writing[]): void {
  const isNew = writing.some(({ path }) => !file.isDataset(path));
  for (const { path, values, ...info } of writing) {
    if (file.isDataset(path)) file.write(path, values);
    else file.create(path, info, values);
  }
  if (isNew && description.isLegacy)
    file.setTexts(
      legacyGroup,
      'weight_names',
      writing.map(({ path }) => path.slice(legacyGroup.length + 1)),
    );
}
