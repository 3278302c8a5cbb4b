// simdescent/torch: an optimizer that goes on where one of torch.optim stopped, and back. It reads and writes a
// state_dict() flattened into safetensors; what the parameters were is the caller's. Which optimizers there are is
// files/torch-kinds.ts.
import './index.js'; // as every entry point does: scripts/build.mjs
import { describe, oneOf, refuseUnknown, suggestion, warnOnce } from './basics/errors.js';
import { core } from './engine/core.js';
import { layoutOf, type StateSlot } from './files/layout.js';
import { decode } from './files/numbers.js';
import { checkVariables } from './files/state.js';
import { howOf, noEffect, type TorchGroup, type TorchKind, torchKinds } from './files/torch-kinds.js';
import type { Build } from './optimizers/build.js';
import type { VariableGroup } from './optimizers/groups.js';
import { Optimizer } from './optimizers/optimizer.js';
import { type Parts, partsOf } from './optimizers/parts.js';
import { deserialize } from './optimizers/registry.js';
import { checkSlot } from './state/entries.js';
import { parse, type SafeTensors, write } from './state/safetensors.js';
import { type Parameter, targetsFor } from './step/parameters.js';
import type { Target } from './step/target.js';
import { Variable } from './step/variable.js';

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
 * Groups may differ in their rates, and in whether weight decay applies: they become the option `groups`. A parameter
 * without a state, which never had a gradient, starts at zero.
 * @param variables in the order of torch's parameters, group by group; their values are left alone
 * @throws TypeError for anything but bytes and variables; RangeError for bytes that are no such file, another
 *   optimizer, other options that differ between groups, steps that differ between parameters, and another count or
 *   shape of variables; Error before `init()`. Then nothing has changed.
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
  const step = stepOf(kind, file, states);
  checkVariables(what, shapesOf(file, indices, states, names), variables);
  const optimizer = make({ groups: groupsHere(groups, base, variables) });
  try {
    const weights = layout.map(({ variable, role }) =>
      variable === null
        ? numberOf(kind, role, optimizer, file, states, step)
        : slotOf(role, names, states.get(indices[variable]), file, variables[variable]),
    );
    optimizer.build(variables);
    if (states.size > 0) optimizer.setWeights(weights);
  } catch (error) {
    optimizer.dispose();
    throw error;
  }
  const missing = indices.filter((index) => states.size > 0 && !states.has(index));
  if (missing.length > 0 && kind.counts === 'always')
    warnOnce(
      `${what}: the parameters ${missing.join(', ')} have no state: they never had a gradient. Should they get one, ` +
        'torch would count their steps from 1; here one count holds for all.',
    );
  return optimizer;
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
  /** The decay of all groups that have one. */
  readonly decay: number;
}

/** @throws RangeError for options that differ between groups, other than rates, and decays that are 0 */
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
  const differ = (key: string, a: unknown, b: unknown, why: string) =>
    new RangeError(
      `${what}: '${key}' differs between the parameter groups (${describe(a)} and ${describe(b)}); ${why}.`,
    );
  for (const group of others)
    for (const key of keys)
      if (JSON.stringify(group[key]) !== JSON.stringify(first[key]))
        throw differ(
          key,
          first[key],
          group[key],
          'one optimizer here has one set of options, but for rates and whether it decays',
        );
  const decays = [...new Set(groups.map((group) => group.weight_decay as number))].filter(
    (decay) => decay !== 0,
  );
  if (decays.length > 1)
    throw differ(
      'weight_decay',
      decays[0],
      decays[1],
      'one optimizer here has one decay, for some variables or all',
    );
  const rates = groups.map((group) => group.lr as number);
  return { rate: rates.find((rate) => rate !== 0) ?? 0, decay: decays[0] ?? 0 };
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
      decays: (group.weight_decay as number) === decay,
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

const accepted = 'accepted are Adam, AdamW and Adamax, NAdam, RAdam, SGD, RMSprop, Adagrad and Adadelta';

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
  const step = kind.counts === 'not' ? [] : ['step'];
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

/** A number of the optimizer's own: its count, its rate, or what torch keeps with each parameter. */
function numberOf(
  kind: TorchKind,
  role: string,
  optimizer: Optimizer,
  file: SafeTensors,
  states: States,
  step: number,
): number {
  if (role === 'iteration') return step;
  if (role === 'learning_rate') return optimizer.learningRate;
  const name = kind.scalars?.[role];
  const found = new Map<number, number>();
  for (const [index, state] of states) {
    const tensor = name && state.get(name);
    if (tensor) found.set(numbers(tensor, file)[0], index);
  }
  if (found.size > 1)
    throw new RangeError(
      `${what}: '${name}' differs between the parameters (${[...found].map(([x, k]) => `${x} in ${k}`).join(', ')}); here one holds for all.`,
    );
  return [...found.keys()][0] ?? 1;
}

/** torch counts for each parameter, we for all. */
function stepOf(kind: TorchKind, file: SafeTensors, states: States): number {
  if (kind.counts === 'not') return states.size > 0 ? 1 : 0; // the momentum has begun
  const steps = new Map<number, number>();
  for (const [index, state] of states) {
    const tensor = state.get('step') as string;
    const [step, ...more] = numbers(tensor, file);
    if (more.length > 0 || !Number.isInteger(step) || step < 0 || step >= 2 ** 31)
      throw new RangeError(`${what}: '${tensor}' must be an integer from 0 on, got ${step}.`);
    steps.set(step, steps.get(step) ?? index);
  }
  if (steps.size > 1 && kind.counts === 'always') {
    const text = [...steps].map(([step, index]) => `${step} (parameter ${index})`).join(' and ');
    throw new RangeError(
      `${what}: the parameters have made different numbers of steps, ${text}; here one count holds for all.`,
    );
  }
  return Math.max(0, ...steps.keys());
}

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

/**
 * The state of an optimizer with `compat: 'torch'` as safetensors, for `load_state_dict` of the same class of torch 2:
 *
 *     state = {}
 *     with safetensors.safe_open(path, framework="pt") as f:
 *         groups = json.loads(f.metadata()["param_groups"])
 *         for key in f.keys():
 *             _, index, name = key.split(".")
 *             state.setdefault(int(index), {})[name] = f.get_tensor(key)
 *     optimizer.load_state_dict({"state": state, "param_groups": groups})
 *
 * The groups are those of the option `groups`, as openTorch makes them, or one; variables that were excluded from weight
 * decay otherwise are a group of their own after it. Parameters are numbered group by group.
 * A variable whose state is all zeros, because it never had a gradient, has none in the file, as in torch.
 * @param variables the built ones, in their order
 * @throws TypeError, RangeError for another optimizer, or variables that are not its own; Error if it is not built, or
 *   its rate is no number
 */
export function saveTorch(optimizer: Optimizer, variables: readonly Parameter[]): Uint8Array {
  const at = 'saveTorch';
  if (!(optimizer instanceof Optimizer))
    throw new TypeError(`${at} takes an optimizer, got ${describe(optimizer)}.`);
  const { targets } = partsOf(optimizer).lifetime.require();
  const { className } = optimizer.constructor as typeof Optimizer;
  const kind = torchKinds.find((one) => one.className === className);
  const config = optimizer.getConfig();
  if (!kind) throw new RangeError(`${at}: torch has no ${className}; ${accepted}.`);
  if (config.compat !== 'torch' && className !== 'RAdam')
    throw new RangeError(
      `${at}: the optimizer has the formulas of Keras; make it with compat: 'torch', or torch goes on elsewhere.`,
    );
  for (const [key, usual] of unknownToTorch)
    if (config[key] !== usual)
      throw new RangeError(
        `${at}: ${key} is ${describe(config[key])}, and torch's ${kind.name} has no such option.`,
      );
  if (typeof config.learning_rate !== 'number')
    throw new RangeError(
      `${at}: the learning rate is a schedule; set torch's rate by its own schedulers, and save with a number.`,
    );
  const built = targets.map(({ variable, array }) => variable ?? array);
  if (
    !Array.isArray(variables) ||
    variables.length !== built.length ||
    variables.some((one, k) => one !== built[k])
  )
    throw new RangeError(
      `${at} takes the ${built.length} built variables, in their order, got ${describe(variables)}.`,
    );
  return write(...torchFile(optimizer, kind, config, targets));
}

/** Options that would be lost. */
const unknownToTorch = [
  ...(
    [
      'clipnorm',
      'global_clipnorm',
      'clipvalue',
      'ema_overwrite_frequency',
      'gradient_accumulation_steps',
    ] as const
  ).map((key) => [key, null] as const),
  ['use_ema', false] as const,
];

function torchFile(
  optimizer: Optimizer,
  kind: TorchKind,
  config: Readonly<Record<string, unknown>>,
  targets: readonly Target[],
): Parameters<typeof write> {
  const groups = groupsBack(optimizer, targets);
  const rate = shortest(config.learning_rate as number);
  let number = 0;
  const numbers = new Map<string, number>();
  const listed = groups.map(({ paths, rateFactor = 1, decays = true }) => {
    const params = paths.map((path) => {
      numbers.set(path, number);
      return number++;
    });
    const decay = decays ? ((config.weight_decay as number | null) ?? 0) : 0;
    const isAdam = kind.className === 'Adam' || kind.className === 'AdamW';
    return {
      lr: rateFactor === 1 ? rate : shortest(Math.fround(rate * rateFactor)),
      ...kind.group(config),
      weight_decay: decay,
      maximize: config.maximize ?? false,
      ...howOf(kind),
      ...(isAdam && { decoupled_weight_decay: Boolean(kind.isDecoupled) }),
      params,
    };
  });
  const state = optimizer.variables;
  const layout = layoutOf(
    () => deserialize({ class_name: kind.className, config: { ...config, groups: null } }),
    targets.map(({ shape }) => shape.length),
  );
  const own = (role: string) =>
    state[layout.findIndex((slot) => slot.variable === null && slot.role === role)]?.value as number;
  const step = own('iteration');
  const tensors: Parameters<typeof write>[0][number][] = [];
  for (const [k, { path }] of targets.entries()) {
    const slots = layout.flatMap(({ variable, role }, j) =>
      variable === k ? [{ role, ...pick(state[j]) }] : [],
    );
    const isFresh =
      step === 0 ||
      slots.every(({ value }) => (typeof value === 'number' ? value === 0 : value.every((x) => x === 0)));
    if (isFresh && slots.length > 0) continue;
    const add = (name: string, shape: readonly number[], value: number | Float32Array) =>
      tensors.push({ path: `state.${numbers.get(path)}.${name}`, shape, dtype: 'float32', value });
    if (kind.counts !== 'not') add('step', [], step);
    for (const { role, shape, value } of slots) add(kind.slots[role], shape, value);
    for (const [role, name] of Object.entries(kind.scalars ?? {})) add(name, [], own(role));
  }
  return [tensors, { format: 'pt', param_groups: JSON.stringify(listed) }];
}

const pick = ({ shape, value }: { shape: readonly number[]; value: number | Float32Array }) => ({
  shape,
  value,
});

/** The option `groups`, and those in none; in each, variables that weight decay leaves alone are one of their own. */
function groupsBack(optimizer: Optimizer, targets: readonly Target[]): readonly VariableGroup[] {
  const groups = optimizer.groups ?? [];
  const listed = new Set(groups.flatMap(({ paths }) => paths));
  const here = new Set(targets.map(({ path }) => path));
  const rest = [...here].filter((path) => !listed.has(path));
  const kept = groups.map((group) => ({ ...group, paths: group.paths.filter((path) => here.has(path)) }));
  const all: VariableGroup[] = rest.length > 0 || kept.length === 0 ? [{ paths: rest }, ...kept] : kept;
  if (!optimizer.weightDecay) return all;
  const { build } = partsOf(optimizer) as Parts<Build>; // of those that torch has
  const excluded = new Set(targets.filter((target) => build.isExcluded(target)).map(({ path }) => path));
  return all.flatMap((group) => {
    const split = [true, false].map((decays) => ({
      ...group,
      decays,
      paths: group.paths.filter((path) => excluded.has(path) !== decays),
    }));
    const filled = split.filter(({ paths }) => paths.length > 0);
    return filled.length > 0 ? filled : [group];
  });
}

/** The shortest decimal that is this float32: 0.01 and not 0.009999999776482582. */
function shortest(x: number): number {
  for (let digits = 1; digits < 10; digits++) {
    const rounded = Number(x.toPrecision(digits));
    if (Math.fround(rounded) === Math.fround(x)) return rounded;
  }
  return x;
}
