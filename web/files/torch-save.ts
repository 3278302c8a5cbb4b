// saveTorch: the state of an optimizer with PyTorch's formulas, as safetensors for `load_state_dict`. The way in is
// torch-open.ts.
import { describe } from '../basics/errors.js';
import { ruleFacts } from '../engine/facts.js';
import type { Build } from '../optimizers/build.js';
import type { VariableGroup } from '../optimizers/groups.js';
import { MultiOptimizer } from '../optimizers/multi.js';
import type { MultiBuild } from '../optimizers/multi-build.js';
import { OptimizerMap } from '../optimizers/multi-map.js';
import { Optimizer } from '../optimizers/optimizer.js';
import { type Parts, partsOf } from '../optimizers/parts.js';
import { deserialize } from '../optimizers/registry.js';
import { write } from '../state/safetensors.js';
import type { Parameter } from '../step/parameters.js';
import type { Target } from '../step/target.js';
import { layoutOf } from './layout.js';
import { accepted, howOf, isAdam, isOneClass, type TorchKind, torchKinds } from './torch-kinds.js';

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
 * decay otherwise are a group of their own after it. A MultiOptimizer has those of its optimizers, in their order, which
 * must be of one class (Adam and AdamW are one since torch 2.7): of those under a key of its map also where no variable is
 * theirs, of the default one only if it has some. Parameters are numbered group by group.
 * A variable that never had a gradient has no state in the file, as in torch, but for Adagrad's.
 * @param variables the built ones, in their order
 * @throws TypeError, RangeError for another optimizer, or variables that are not its own; Error if it is not built, or
 *   its rate is no number
 */
export function saveTorch(optimizer: Optimizer, variables: readonly Parameter[]): Uint8Array {
  const at = 'saveTorch';
  if (!(optimizer instanceof Optimizer))
    throw new TypeError(`${at} takes an optimizer, got ${describe(optimizer)}.`);
  const { targets } = partsOf(optimizer).lifetime.require();
  const parts = partsIn(optimizer).map((part) => ({ ...part, kind: kindOf(at, part.optimizer) }));
  if (parts.length === 0)
    throw new RangeError(`${at}: the MultiOptimizer has no variables, and torch has no optimizer of none.`);
  const [{ kind }] = parts;
  const other = parts.find((part) => !isOneClass(part.kind, kind));
  if (other)
    throw new RangeError(
      `${at}: the MultiOptimizer has ${kind.name} and ${other.kind.name}; an optimizer of torch has one class for all groups.`,
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
  const numbers = new Map<string, number>();
  const groups = parts.flatMap((part) => groupsOf(part, part.kind, numbers));
  const tensors = parts.flatMap((part) => tensorsOf(part, part.kind, numbers));
  return write(tensors, { format: 'pt', param_groups: JSON.stringify(groups) });
}

/** An optimizer with a rule, its variables, and which of these weight decay leaves alone. */
interface Part {
  readonly optimizer: Optimizer;
  readonly targets: readonly Target[];
  isExcluded(target: Target): boolean;
}

/** Those of a MultiOptimizer's optimizers that have variables, or a key in its map, which is for some; or the one itself. */
function partsIn(optimizer: Optimizer): Part[] {
  const { build, lifetime } = partsOf(optimizer) as Parts<Build>;
  if (!(optimizer instanceof MultiOptimizer)) {
    const { targets } = lifetime.require();
    return [{ optimizer, targets, isExcluded: (target) => build.isExcluded(target) }];
  }
  const { build: several } = partsOf(optimizer) as Parts<MultiBuild>;
  const { choice, optimizers } = several;
  const keyed = choice instanceof OptimizerMap ? choice.values() : [];
  const { parts } = several.require();
  return optimizers.flatMap((one) => {
    const { targets = [] } = parts.find((part) => part.optimizer === one) ?? {};
    if (targets.length === 0 && !keyed.includes(one)) return [];
    const { build: own } = partsOf(one) as Parts<Build>;
    return [
      {
        optimizer: one,
        targets,
        isExcluded: (target) => several.isExcluded(target) || own.isExcluded(target),
      },
    ];
  });
}

/** @throws RangeError for what torch has not, or would not go on with */
function kindOf(at: string, optimizer: Optimizer): TorchKind {
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
  return kind;
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

/** Its groups, as torch has them; numbers their parameters on. */
function groupsOf(part: Part, kind: TorchKind, numbers: Map<string, number>): object[] {
  const config = part.optimizer.getConfig();
  const rate = shortest(config.learning_rate as number);
  return groupsBack(part).map(({ paths, rateFactor = 1, decays = true, weightDecay }) => {
    const params = paths.map((path) => {
      numbers.set(path, numbers.size);
      return numbers.size - 1;
    });
    const decay = decays ? (weightDecay ?? (config.weight_decay as number | null) ?? 0) : 0;
    return {
      lr: rateFactor === 1 ? rate : shortest(Math.fround(rate * rateFactor)),
      ...kind.group(config),
      weight_decay: decay,
      maximize: config.maximize ?? false,
      ...howOf(kind),
      ...(isAdam(kind) && { decoupled_weight_decay: Boolean(kind.isDecoupled) }),
      params,
    };
  });
}

function tensorsOf(
  { optimizer, targets }: Part,
  kind: TorchKind,
  numbers: ReadonlyMap<string, number>,
): Parameters<typeof write>[0][number][] {
  if (targets.length === 0) return []; // and what of a MultiOptimizer has none is not built
  const { native, rule } = (partsOf(optimizer) as Parts<Build>).build.require();
  const { scalars } = ruleFacts(rule);
  const state = optimizer.variables;
  const layout = layoutOf(
    () => deserialize({ class_name: kind.className, config: { ...optimizer.getConfig(), groups: null } }),
    targets.map(({ shape }) => shape.length),
  );
  const tensors: Parameters<typeof write>[0][number][] = [];
  for (const [k, { path, row }] of targets.entries()) {
    const step = native.updatesOf(row);
    if (step === 0 && !kind.isEarly) continue;
    const add = (name: string, shape: readonly number[], value: number | Float32Array) =>
      tensors.push({ path: `state.${numbers.get(path)}.${name}`, shape, dtype: 'float32', value });
    if (kind.counts) add('step', [], step);
    for (const [j, { variable, role }] of layout.entries())
      if (variable === k) add(kind.slots[role], state[j].shape, state[j].value);
    for (const [role, name] of Object.entries(kind.scalars ?? {}))
      add(name, [], native.scalarOf(row, scalars.indexOf(role)));
  }
  return tensors;
}

/** The option `groups`, and those in none; in each, variables that weight decay leaves alone are one of their own. */
function groupsBack({ optimizer, targets, isExcluded }: Part): readonly VariableGroup[] {
  const groups = optimizer.groups ?? [];
  const listed = new Set(groups.flatMap(({ paths }) => paths));
  const here = new Set(targets.map(({ path }) => path));
  const rest = [...here].filter((path) => !listed.has(path));
  const kept = groups.map((group) => ({ ...group, paths: group.paths.filter((path) => here.has(path)) }));
  const all: VariableGroup[] = rest.length > 0 || kept.length === 0 ? [{ paths: rest }, ...kept] : kept;
  if (!optimizer.weightDecay && !groups.some(({ weightDecay }) => weightDecay)) return all;
  const excluded = new Set(targets.filter(isExcluded).map(({ path }) => path));
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
