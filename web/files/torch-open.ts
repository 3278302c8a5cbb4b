// openTorch: an optimizer that goes on where one of torch.optim stopped. It reads a state_dict() flattened into
// safetensors; what the parameters were is the caller's. Which optimizers there are is torch-kinds.ts; the way back is
// torch-save.ts.
import { describe, oneOf, refuseUnknown, suggestion } from '../basics/errors.js';
import { core } from '../engine/core.js';
import { ruleFacts } from '../engine/facts.js';
import type { Build } from '../optimizers/build.js';
import type { VariableGroup } from '../optimizers/groups.js';
import type { Optimizer } from '../optimizers/optimizer.js';
import { type Parts, partsOf } from '../optimizers/parts.js';
import { deserialize } from '../optimizers/registry.js';
import { checkSlot } from '../state/entries.js';
import { parse, type SafeTensors } from '../state/safetensors.js';
import { type Parameter, targetsFor } from '../step/parameters.js';
import { Variable } from '../step/variable.js';
import { layoutOf, type StateSlot } from './layout.js';
import { decode } from './numbers.js';
import { checkVariables } from './state.js';
import { accepted, noEffect, type TorchGroup, type TorchKind, torchKinds } from './torch-kinds.js';

/** What `openTorch` cannot read from the file, or shall not. */
export interface TorchOptions {
  /** The class in torch, `'AdamW'`, where the groups do not tell it: before torch 2.7, or without a state. */
  name?: string;
  /** Instead of the groups' own. */
  maximize?: boolean;
}

const what = 'openTorch';

/** The full names of the tensors of each parameter, by their short names. */
type States = ReadonlyMap<number, ReadonlyMap<string, string>>;

/**
 * An optimizer with `compat: 'torch'` and the state of one from PyTorch: Adam, AdamW, Adamax, NAdam, RAdam, SGD,
 * RMSprop, Adagrad or Adadelta. The file holds `state_dict()`: tensors `state.<index>.<name>` (`step`, `exp_avg`, …) of
 * F32, BF16, F16 or F64, and `param_groups` as JSON in the metadata:
 *
 *     sd = optimizer.state_dict()
 *     tensors = {f"state.{i}.{k}": torch.as_tensor(v) for i, s in sd["state"].items() for k, v in s.items()}
 *     safetensors.torch.save_file(tensors, path, metadata={"param_groups": json.dumps(sd["param_groups"])})
 *
 * Groups may differ in their rates and weight decays: they become the option `groups`. Each
 * parameter goes on with its own count of steps; one without a state, which never had a gradient, starts at zero.
 * @param variables in the order of torch's parameters, group by group; their values are left alone
 * @throws TypeError for anything but bytes and variables; RangeError for bytes that are no such file, another
 *   optimizer, other options that differ between groups, a state that lacks a tensor (where torch raises a KeyError),
 *   and another count or shape of variables; Error before `init()`. Then nothing has changed.
 */
export function openTorch(
  safetensorsBytes: Uint8Array | ArrayBuffer,
  variables: readonly Parameter[],
  options: TorchOptions = {},
): Optimizer {
  core(`${what}()`);
  refuseUnknown(what, options, ['name', 'maximize']);
  const file = parse(what, safetensorsBytes);
  const groups = groupsOf(file);
  const indices = groups.flatMap(({ params }) => params);
  const states = statesOf(file, indices);
  const kind = kindOf(groups[0], states, options.name);
  const base = commonOf(groups);
  const config = configOf(kind, groups, base, options);
  const make = (more: object = {}) =>
    deserialize({ class_name: kind.className, config: { ...config, ...more } });
  const layout = layoutOf(make, Array(indices.length).fill(1));
  const names = namesOf(kind, layout);
  checkNames(kind, states, names);
  const steps = stepsOf(kind, file, indices, states);
  const most = Math.max(0, ...steps);
  const scalars = new Map(
    Object.keys(kind.scalars ?? {}).map((role) => [role, scalarsOf(kind, role, file, indices, states)]),
  );
  checkVariables(what, shapesOf(file, indices, states, names), variables);
  const optimizer = make({ groups: groupsHere(groups, base, variables) });
  try {
    optimizer.build(variables);
    const first = firstScalars(optimizer);
    const numberOf = (role: string) => {
      if (role === 'iteration') return most;
      if (role === 'learning_rate') return optimizer.learningRate;
      return scalars.get(role)?.[steps.indexOf(most)] ?? (first.get(role) as number);
    };
    if (states.size > 0) {
      optimizer.setWeights(
        layout.map(({ variable, role }) =>
          variable === null
            ? numberOf(role)
            : slotOf(role, names, states.get(indices[variable]), file, variables[variable]),
        ),
      );
      countApart(optimizer, steps, scalars, first);
    }
  } catch (error) {
    optimizer.dispose();
    throw error;
  }
  return optimizer;
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

function groupsOf(file: SafeTensors): TorchGroup[] {
  const text = file.metadata.param_groups;
  let groups: unknown;
  try {
    groups = JSON.parse(text);
  } catch {
    groups = null;
  }
  const isGroup = (group: unknown): group is TorchGroup =>
    typeof group === 'object' &&
    group !== null &&
    Array.isArray((group as TorchGroup).params) &&
    (group as TorchGroup).params.every((index) => Number.isInteger(index) && index >= 0);
  if (!Array.isArray(groups) || groups.length === 0 || !groups.every(isGroup))
    throw new RangeError(
      `${what}: the file's metadata must have 'param_groups', the list in a torch optimizer's state_dict() as JSON, got ${describe(text)}.`,
    );
  const all = (groups as TorchGroup[]).flatMap(({ params }) => params);
  const twice = all.find((index, k) => all.indexOf(index) < k);
  if (twice !== undefined)
    throw new RangeError(`${what}: parameter ${twice} is in two groups, or twice in one.`);
  return groups as TorchGroup[];
}

interface Common {
  /** The rate that groups are compared with. */
  readonly rate: number;
  /** The decay that groups are compared with. */
  readonly decay: number;
}

/** @throws RangeError for options that differ between groups, other than rates and decays */
function commonOf(groups: readonly TorchGroup[]): Common {
  const [first, ...others] = groups;
  const keys = new Set(groups.flatMap((group) => Object.keys(group)));
  for (const key of noEffect) keys.delete(key);
  for (const key of ['lr', 'weight_decay']) {
    keys.delete(key);
    const wrong = groups.find((group) => typeof group[key] !== 'number' || !Number.isFinite(group[key]));
    if (wrong)
      throw new RangeError(
        `${what}: ${key} must be a finite number in every group, got ${describe(wrong[key])}.`,
      );
  }
  for (const group of others)
    for (const key of keys)
      if (JSON.stringify(group[key]) !== JSON.stringify(first[key]))
        throw new RangeError(
          `${what}: '${key}' differs between the parameter groups (${describe(first[key])} and ${describe(group[key])}); ` +
            'one optimizer here has one set of options, but for rates and weight decays.',
        );
  const firstOf = (key: 'lr' | 'weight_decay') =>
    groups.map((group) => group[key] as number).find((x) => x !== 0) ?? 0;
  return { rate: firstOf('lr'), decay: firstOf('weight_decay') };
}

/** The groups as an option; null for a single one. */
function groupsHere(groups: readonly TorchGroup[], { rate, decay }: Common, variables: readonly Parameter[]) {
  const isPlain = (group: TorchGroup) => group.lr === rate && (group.weight_decay as number) === decay;
  if (groups.length === 1 && isPlain(groups[0])) return null;
  const paths = targetsFor(variables, core(`${what}()`)).map(({ path }) => path);
  let at = 0;
  return groups.map((group): VariableGroup => {
    at += group.params.length;
    return {
      paths: paths.slice(at - group.params.length, at),
      rateFactor: rate === 0 ? 1 : (group.lr as number) / rate,
      decays: group.weight_decay !== 0 || decay === 0,
      ...(group.weight_decay !== 0 &&
        group.weight_decay !== decay && { weightDecay: group.weight_decay as number }),
    };
  });
}

/** A parameter that never had a gradient has none. */
function statesOf(file: SafeTensors, indices: readonly number[]): States {
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

const ofAll = ['lr', 'weight_decay', 'maximize', ...noEffect];

/** @throws RangeError if the group is of none, or of more than one that there are */
function kindOf(group: TorchGroup, states: States, name: string | undefined): TorchKind {
  const names = torchKinds.map((kind) => kind.name);
  if (name !== undefined) {
    const found = torchKinds.find((kind) => kind.name === name);
    if (!found)
      throw new RangeError(
        `${what}: name must be ${oneOf(names)}, got ${describe(name)}.${suggestion(String(name), names)}`,
      );
    const missing = found.has.find((key) => group[key] === undefined);
    if (missing)
      throw new RangeError(
        `${what}: the groups have no ${missing}, and are no ${name}'s: ${Object.keys(group).join(', ')}.`,
      );
    return found;
  }
  const slots = new Set([...states.values()].flatMap((state) => [...state.keys()]));
  const keys = Object.keys(group).filter((key) => group[key] !== undefined);
  const fits = (kind: TorchKind) => {
    const own = new Set<string>([...Object.values(kind.slots), ...Object.values(kind.scalars ?? {}), 'step']);
    return (
      kind.has.every((key) => group[key] !== undefined) &&
      kind.hasNot.every((key) => group[key] === undefined) &&
      keys.every((key) => ofAll.includes(key) || kind.has.includes(key) || kind.may?.includes(key)) &&
      (states.size === 0 ? !kind.needsState : [...slots].every((slot) => own.has(slot)))
    );
  };
  const found = torchKinds.filter(fits);
  const [first] = found;
  if (!first)
    throw new RangeError(
      `${what}: this is no Adam, AdamW or Adamax: its groups have ${keys.join(', ')}` +
        `${states.size > 0 ? `, its states ${[...slots].sort().join(', ')}` : ', and no state to tell it by'}; ${accepted}. ` +
        'If it is one of these, give the option name.',
    );
  if (!found.some((kind) => kind.isDecoupled)) return first;
  const { decoupled_weight_decay: decoupled, weight_decay: decay } = group;
  if (decoupled === undefined && decay !== 0)
    throw new RangeError(
      `${what}: Adam or AdamW? With weight_decay ${decay} the groups must have decoupled_weight_decay, which torch ` +
        "writes from 2.7 on; or give the option name: 'AdamW'.",
    );
  return found.find((kind) => Boolean(kind.isDecoupled) === Boolean(decoupled)) as TorchKind;
}

function configOf(
  kind: TorchKind,
  groups: readonly TorchGroup[],
  { rate, decay }: Common,
  options: TorchOptions,
): Record<string, unknown> {
  const [group] = groups;
  const maximize = options.maximize ?? Boolean(group.maximize);
  if (typeof maximize !== 'boolean')
    throw new TypeError(`${what}: maximize must be true or false, got ${describe(maximize)}.`);
  const weightDecay = decay !== 0 || kind.isDecoupled ? decay : null;
  return { ...kind.config(group), learningRate: rate, weightDecay, maximize, compat: 'torch' };
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
  const size = shape.reduce((a, b) => a * b, 1);
  const bytes = file.data.slice(...offsets); // a copy is aligned
  const width = Number(/\d+/.exec(dtype)?.[0]) / 8;
  const values = bytes.length === size * width ? decode(torchTypes[dtype] ?? dtype, bytes) : null;
  if (!values)
    throw new RangeError(
      `${what}: '${name}' must be F32 or I32 (or BF16, F16, F64, I64) of shape [${shape}], got ${dtype} in ${bytes.length} bytes.`,
    );
  return values;
}

function slotOf(
  role: string,
  names: ReadonlyMap<string, string>,
  state: ReadonlyMap<string, string> | undefined,
  file: SafeTensors,
  variable: Parameter,
): Float32Array {
  const tensor = state?.get(names.get(role) as string);
  if (tensor === undefined)
    return new Float32Array(variable instanceof Variable ? variable.size : variable.length);
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
      throw new RangeError(`${what}: '${tensor}' must be an integer from 0 on, got ${step}.`);
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
