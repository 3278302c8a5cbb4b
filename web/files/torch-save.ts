// saveTorch: the state of an optimizer with PyTorch's formulas, as safetensors for `load_state_dict`. The way in is
// torch-open.ts.
import { describe } from '../basics/errors.js';
import { ruleFacts } from '../engine/facts.js';
import type { Build } from '../optimizers/build.js';
import type { VariableGroup } from '../optimizers/groups.js';
import { Optimizer } from '../optimizers/optimizer.js';
import { type Parts, partsOf } from '../optimizers/parts.js';
import { deserialize } from '../optimizers/registry.js';
import { write } from '../state/safetensors.js';
import type { Parameter } from '../step/parameters.js';
import type { Target } from '../step/target.js';
import { layoutOf } from './layout.js';
import { accepted, howOf, type TorchKind, torchKinds } from './torch-kinds.js';

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
 * A variable that never had a gradient has no state in the file, as in torch.
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
  const listed = groups.map(({ paths, rateFactor = 1, decays = true, weightDecay }) => {
    const params = paths.map((path) => {
      numbers.set(path, number);
      return number++;
    });
    const decay = decays ? (weightDecay ?? (config.weight_decay as number | null) ?? 0) : 0;
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
  const { native, rule } = (partsOf(optimizer) as Parts<Build>).build.require(); // of those that torch has
  const { scalars } = ruleFacts(rule);
  const state = optimizer.variables;
  const layout = layoutOf(
    () => deserialize({ class_name: kind.className, config: { ...config, groups: null } }),
    targets.map(({ shape }) => shape.length),
  );
  const tensors: Parameters<typeof write>[0][number][] = [];
  for (const [k, { path, row }] of targets.entries()) {
    const step = native.updatesOf(row);
    if (step === 0) continue;
    const add = (name: string, shape: readonly number[], value: number | Float32Array) =>
      tensors.push({ path: `state.${numbers.get(path)}.${name}`, shape, dtype: 'float32', value });
    if (kind.counts) add('step', [], step);
    for (const [j, { variable, role }] of layout.entries())
      if (variable === k) add(kind.slots[role], state[j].shape, state[j].value);
    for (const [role, name] of Object.entries(kind.scalars ?? {}))
      add(name, [], native.scalarOf(row, scalars.indexOf(role)));
  }
  return [tensors, { format: 'pt', param_groups: JSON.stringify(listed) }];
}

/** The option `groups`, and those in none; in each, variables that weight decay leaves alone are one of their own. */
function groupsBack(optimizer: Optimizer, targets: readonly Target[]): readonly VariableGroup[] {
  const groups = optimizer.groups ?? [];
  const listed = new Set(groups.flatMap(({ paths }) => paths));
  const here = new Set(targets.map(({ path }) => path));
  const rest = [...here].filter((path) => !listed.has(path));
  const kept = groups.map((group) => ({ ...group, paths: group.paths.filter((path) => here.has(path)) }));
  const all: VariableGroup[] = rest.length > 0 || kept.length === 0 ? [{ paths: rest }, ...kept] : kept;
  if (!optimizer.weightDecay && !groups.some(({ weightDecay }) => weightDecay)) return all;
  const { build } = partsOf(optimizer) as Parts<Build>; // of those that torch has
  const excluded = new Set(targets.filter((target) => build.isExcluded(target)).map(({ path }) => path));
  return all.flatMap((group) => {
    const { weightDecay, ...others } = group;
    const split = [true, false].map(
      (decays): VariableGroup => ({
        ...(decays ? group : others),
        decays,
        paths: group.paths.filter((path) => excluded.has(path) !== decays),
      }),
    );
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
