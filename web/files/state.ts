// What must fit together: the state in model.weights.h5, the trainable weights, the optimizer and the variables of
// the caller; and the state written. Messages begin with `what`, the function that the user called.
import { describe } from '../basics/errors.js';
import type { Optimizer } from '../optimizers/optimizer.js';
import { partsOf } from '../optimizers/parts.js';
import { isParameter, type Parameter } from '../step/parameters.js';
import { Variable } from '../step/variable.js';
import type { Hdf5File } from './hdf5.js';
import type { StateSlot } from './layout.js';
import type { Weight } from './weights.js';

const sizeOf = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);
const shapeText = (shape: readonly number[]) => `[${shape.join(', ')}]`;

/** Whether the group has a state: false if it was saved before the optimizer was built. @throws RangeError */
export function checkState(
  what: string,
  file: Hdf5File,
  at: string,
  unbuilt: number,
  layout: readonly StateSlot[],
  weights: readonly Weight[],
): boolean {
  const datasets = file.numbered(at);
  if (datasets.length !== layout.length) {
    if (datasets.length <= unbuilt) return false;
    throw new RangeError(
      `${what}: the file's optimizer has ${datasets.length} variables, and ${layout.length} are expected for the ` +
        `${weights.length} trainable weights (${weights
          .slice(0, 3)
          .map((w) => w.path)
          .join(', ')}${weights.length > 3 ? ', …' : ''}).`,
    );
  }
  layout.forEach(({ dtype, variable, role }, k) => {
    const { shape } = file.info(datasets[k]);
    const weight = variable === null ? null : weights[variable];
    if (String(shape) !== String(weight?.shape ?? []))
      throw new RangeError(
        `${what}: '${datasets[k]}' in the file has the shape ${shapeText(shape)}, and ${role}` +
          `${weight ? ` of '${weight.path}'` : ''} has ${shapeText(weight?.shape ?? [])}.`,
      );
    if (weight) return;
    const [value] = file.read(datasets[k]);
    if (!Number.isFinite(value) || (dtype === 'int32' && !(value >= 0 && value < 2 ** 31)))
      throw new RangeError(`${what}: the optimizer's ${role} in the file is ${value}.`);
  });
  return true;
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

export function writeState(
  what: string,
  file: Hdf5File,
  at: string,
  base: Optimizer,
  optimizer: Optimizer,
  layout: readonly StateSlot[],
  weights: readonly Weight[],
): void {
  const state = optimizer.variables;
  const fits =
    state.length === layout.length &&
    layout.every(({ variable }, k) => {
      const shape = variable === null ? [] : weights[variable].shape;
      return sizeOf(state[k].shape) === sizeOf(shape);
    });
  if (!fits)
    throw new RangeError(
      `${what}: the optimizer's ${state.length} variables do not fit the ${weights.length} trainable weights of the file, ` +
        `which have ${layout.length}; build it with the variables of this model, in their order.`,
    );
  const exists = checkState(what, file, at, base.variables.length, layout, weights);
  const present = file.numbered(at).length;
  state.forEach(({ value }, k) => {
    const path = `${at}/${k}`;
    const values = typeof value === 'number' ? [value] : value;
    const { dtype, variable } = layout[k];
    if (exists || k < present) file.write(path, values);
    else file.create(path, { shape: variable === null ? [] : weights[variable].shape, type: dtype }, values);
  });
}
