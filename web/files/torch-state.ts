// The state of torch's parameters, as it stands in the file and as it goes into an optimizer here. Which optimizer that is,
// and what the groups say, is torch-groups.ts.
import { sizeOf } from '../basics/floats.js';
import { ruleFacts } from '../engine/facts.js';
import type { Build } from '../optimizers/build.js';
import type { Optimizer } from '../optimizers/optimizer.js';
import { type Parts, partsOf } from '../optimizers/parts.js';
import { checkSlot } from '../state/entries.js';
import type { SafeTensors } from '../state/safetensors.js';
import { layoutOf, type StateSlot } from './layout.js';
import { decode } from './numbers.js';
import type { TorchKind } from './torch-kinds.js';

/** For errors: the function that the user called. */
export const what = 'openTorch';

/** The full names of the tensors of each parameter, by their short names. */
export type States = ReadonlyMap<number, ReadonlyMap<string, string>>;

/** The state of the parameters of one optimizer, checked. */
export interface TorchState {
  /** Of the parameters, in order. */
  readonly shapes: readonly { path: string; shape: readonly number[] | null }[];
  /** The most steps that one of them has made. */
  readonly most: number;
  /** Into the optimizer, which is built; what has no state begins anew. */
  load(optimizer: Optimizer): void;
}

/**
 * @param make makes the optimizer
 * @param all the states of all parameters in the file
 * @param indices of this optimizer's
 * @throws RangeError for tensors that are missing, or of no such state
 */
export function stateOf(
  kind: TorchKind,
  make: () => Optimizer,
  file: SafeTensors,
  all: States,
  indices: readonly number[],
): TorchState {
  const own = new Set(indices);
  const states = new Map([...all].filter(([index]) => own.has(index)));
  const layout = layoutOf(make, Array(indices.length).fill(1));
  const names = namesOf(kind, layout);
  checkNames(kind, states, names);
  const steps = stepsOf(kind, file, indices, states);
  const most = Math.max(0, ...steps);
  const scalars = new Map(
    Object.keys(kind.scalars ?? {}).map((role) => [role, scalarsOf(kind, role, file, indices, states)]),
  );
  return {
    shapes: shapesOf(file, indices, states, names),
    most,
    load(optimizer) {
      if (states.size === 0) return;
      const first = firstScalars(optimizer);
      const numberOf = (role: string) => {
        if (role === 'iteration') return most;
        if (role === 'learning_rate') return optimizer.learningRate;
        return scalars.get(role)?.[steps.indexOf(most)] ?? (first.get(role) as number);
      };
      const fresh = optimizer.variables;
      optimizer.setWeights(
        layout.map(({ variable, role }, k) =>
          variable === null
            ? numberOf(role)
            : (slotOf(role, names, states.get(indices[variable]), file) ?? fresh[k].value),
        ),
      );
      countApart(optimizer, steps, scalars, first);
    },
  };
}

/** A parameter that never had a gradient has none. */
export function statesOf(file: SafeTensors, indices: readonly number[]): States {
  const known = new Set(indices);
  const states = new Map<number, Map<string, string>>();
  for (const tensor of file.tensors.keys()) {
    const [, index, name] = /^state\.(\d+)\.(\w+)$/.exec(tensor) ?? [];
    if (!name || !known.has(Number(index)))
      throw new RangeError(
        `${what}: '${tensor}' is no state of a parameter; names are state.<index>.<name>, and the groups have the indices ${indices.join(', ')}.`,
      );
    const state = states.get(Number(index)) ?? new Map<string, string>();
    states.set(Number(index), state.set(name, tensor));
  }
  return states;
}

/** The rule's numbers as they are before the first step, which is what a parameter without a state has in torch. */
function firstScalars(optimizer: Optimizer): ReadonlyMap<string, number> {
  const { native, rule } = (partsOf(optimizer) as Parts<Build>).build.require();
  return new Map(ruleFacts(rule).scalars.map((role, k) => [role, native.scalar(k)]));
}

/** What parameters have for themselves that have not made the most steps. */
function countApart(
  optimizer: Optimizer,
  steps: readonly number[],
  scalars: ReadonlyMap<string, readonly (number | undefined)[]>,
  first: ReadonlyMap<string, number>,
): void {
  const { native, rule } = (partsOf(optimizer) as Parts<Build>).build.require();
  steps.forEach((step, row) => {
    native.setUpdates(row, step);
    for (const [k, role] of ruleFacts(rule).scalars.entries())
      native.setScalarOf(row, k, scalars.get(role)?.[row] ?? (first.get(role) as number));
  });
}

/** torch's names of the slots that the optimizer has with these options. */
function namesOf(kind: TorchKind, layout: readonly StateSlot[]): ReadonlyMap<string, string> {
  const roles = new Set(layout.flatMap(({ variable, role }) => (variable === null ? [] : [role])));
  return new Map([...roles].map((role) => [role, kind.slots[role]]));
}

function checkNames(kind: TorchKind, states: States, names: ReadonlyMap<string, string>): void {
  const step = !kind.counts ? [] : ['step'];
  const own = [...names.values(), ...Object.values(kind.scalars ?? {}), ...step];
  const expected = [...own].sort().join(', ');
  for (const [index, state] of states) {
    const found = [...state.keys()].sort().join(', ');
    if (found !== expected)
      throw new RangeError(
        `${what}: the state of parameter ${index} is ${found}, and ${expected} is expected.`,
      );
  }
}

const torchTypes: Readonly<Record<string, string>> = {
  ...{ F32: 'float32', BF16: 'bfloat16', F16: 'float16', F64: 'float64', I32: 'int32', I64: 'int64' },
};

/** A tensor's numbers, as float32 if they are of a float type. */
function numbers(name: string, file: SafeTensors): Float32Array | Float64Array {
  const {
    dtype,
    shape,
    data_offsets: offsets,
  } = file.tensors.get(name) as NonNullable<ReturnType<SafeTensors['tensors']['get']>>;
  const size = sizeOf(shape);
  const bytes = file.data.slice(...offsets); // a copy is aligned
  const width = Number(/\d+/.exec(dtype)?.[0]) / 8;
  const values = bytes.length === size * width ? decode(torchTypes[dtype] ?? dtype, bytes) : null;
  if (!values)
    throw new RangeError(
      `${what}: '${name}' must be F32 or I32 (or BF16, F16, F64, I64) of shape [${shape}], got ${dtype} in ${bytes.length} bytes.`,
    );
  return values;
}

/** null without a state. */
function slotOf(
  role: string,
  names: ReadonlyMap<string, string>,
  state: ReadonlyMap<string, string> | undefined,
  file: SafeTensors,
): Float32Array | null {
  const tensor = state?.get(names.get(role) as string);
  if (tensor === undefined) return null;
  const values = numbers(tensor, file);
  checkSlot(`${what}: '${tensor}'`, role, values);
  return values instanceof Float32Array ? values : Float32Array.from(values);
}

/** How many steps each parameter has made: 0 without a state. */
function stepsOf(kind: TorchKind, file: SafeTensors, indices: readonly number[], states: States): number[] {
  return indices.map((index) => {
    const state = states.get(index);
    if (!state) return 0;
    if (!kind.counts) return 1; // the momentum has begun
    const tensor = state.get('step') as string;
    const [step, ...more] = numbers(tensor, file);
    if (more.length > 0 || !Number.isInteger(step) || step < 0 || step >= 2 ** 31)
      throw new RangeError(
        `${what}: '${tensor}' must be one integer from 0 to 2147483647, got ${more.length > 0 ? `${more.length + 1} numbers` : step}.`,
      );
    return step;
  });
}

/** What torch keeps with each parameter beside its slots, such as NAdam's product; undefined without a state. */
const scalarsOf = (
  kind: TorchKind,
  role: string,
  file: SafeTensors,
  indices: readonly number[],
  states: States,
) =>
  indices.map((index) => {
    const tensor = states.get(index)?.get(kind.scalars?.[role] as string);
    return tensor === undefined ? undefined : numbers(tensor, file)[0];
  });

/** The shapes in the file; null where there is no state. */
function shapesOf(
  file: SafeTensors,
  indices: readonly number[],
  states: States,
  names: ReadonlyMap<string, string>,
): { path: string; shape: readonly number[] | null }[] {
  return indices.map((index) => {
    const state = states.get(index);
    const shapes = [...names.values()].flatMap((slot) => {
      const tensor = state?.get(slot);
      return tensor === undefined ? [] : [file.tensors.get(tensor)?.shape ?? []];
    });
    if (new Set(shapes.map(String)).size > 1)
      throw new RangeError(`${what}: the tensors of parameter ${index} differ in shape.`);
    return { path: shapes.length > 0 ? `state.${index}` : `parameter ${index}`, shape: shapes[0] ?? null };
  });
}
