// openTorch: an optimizer that goes on where one of torch.optim stopped. It reads a state_dict() flattened into
// safetensors; what the parameters were is the caller's. What the groups say is torch-groups.ts; what stands in the
// tensors, torch-state.ts; the way back, torch-save.ts.
import { describe, refuseUnknown } from '../basics/errors.js';
import { core } from '../engine/core.js';
import type { VariableGroup } from '../optimizers/groups.js';
import type { Optimizer } from '../optimizers/optimizer.js';
import { partsOf } from '../optimizers/parts.js';
import { deserialize, MultiOptimizer, OptimizerMap } from '../optimizers/registry.js';
import { parse } from '../state/safetensors.js';
import { type Parameter, targetsFor } from '../step/parameters.js';
import { checkVariables } from './state.js';
import { groupsOf, kindsOf } from './torch-groups.js';
import type { TorchGroup, TorchKind } from './torch-kinds.js';
import { stateOf, statesOf, type TorchState, what } from './torch-state.js';

/** What `openTorch` cannot read from the file, or shall not. */
export interface TorchOptions {
  /** The class in torch, `'AdamW'`, where the groups do not tell it: before torch 2.7, or without a state. */
  name?: string | undefined;
  /** Instead of the groups' own. */
  maximize?: boolean | undefined;
}

/** An optimizer here, and what it shall step. */
interface Part {
  readonly optimizer: Optimizer;
  readonly paths: readonly string[];
  readonly variables: readonly Parameter[];
  readonly state: TorchState;
}

/**
 * An optimizer with `compat: 'torch'` and the state of one from PyTorch: Adam, AdamW, Adamax, NAdam, RAdam, SGD,
 * RMSprop, Adagrad or Adadelta. The file holds `state_dict()`: tensors `state.<index>.<name>` (`step`, `exp_avg`, …) of
 * F32, BF16, F16 or F64, and `param_groups` as JSON in the metadata:
 *
 *     sd = optimizer.state_dict()
 *     tensors = {f"state.{i}.{k}": torch.as_tensor(v) for i, s in sd["state"].items() for k, v in s.items()}
 *     groups = json.dumps(sd["param_groups"], default=float)  # rates may be tensors
 *     safetensors.torch.save_file(tensors, path, metadata={"param_groups": groups})
 *
 * Groups that differ in their rates and weight decays become the option `groups`. If they differ in anything else, such as
 * `betas`, what comes is a MultiOptimizer, whose `optimizers` are those of the groups, in their order. Groups without
 * parameters stay, for saveTorch. Each parameter goes on with its own count of steps; one without a state, which never had
 * a gradient, begins anew.
 * @param variables in the order of torch's parameters, group by group; their values are left alone
 * @throws TypeError for anything but bytes and variables; RangeError for bytes that are no such file, another
 *   optimizer, groups of different ones, a state that lacks a tensor (where torch raises a KeyError),
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
  const kinds = kindsOf(groups, states, options.name);
  const configs = groups.map((group, k) => configOf(kinds[k], group, options));
  const isOne = configs.every(
    (config, k) => kinds[k] === kinds[0] && JSON.stringify(config) === JSON.stringify(configs[0]),
  );
  const shares = (isOne ? [groups] : groups.map((group) => [group])).map((own, k) => {
    const base = commonOf(own);
    const make = (more: object = {}) =>
      made(kinds[k], { ...configs[k], ...baseConfig(kinds[k], base), ...more });
    const indices = own.flatMap(({ params }) => params);
    return { own, base, make, state: stateOf(kinds[k], make, file, states, indices) };
  });
  const shapes = shares.flatMap(({ state }) => state.shapes);
  checkVariables(what, shapes, variables);
  const paths = targetsFor(variables, core(`${what}()`)).map(({ path }) => path);
  let end = 0;
  const parts = shares.map(({ own, base, make, state }): Part => {
    const at = end;
    end += state.shapes.length;
    const mine = paths.slice(at, end);
    const optimizer = make({ groups: groupsHere(own, base, mine) });
    return { optimizer, paths: mine, variables: variables.slice(at, end), state };
  });
  const optimizer = parts.length === 1 ? parts[0].optimizer : several(parts, shares[shares.length - 1].make);
  try {
    optimizer.build(variables);
    partsOf(optimizer).build.iterations = Math.max(...parts.map(({ state }) => state.most));
    for (const part of parts) part.state.load(part.optimizer); // each with its own count
  } catch (error) {
    optimizer.dispose();
    throw error;
  }
  return optimizer;
}

/**
 * An optimizer for each group, in their order. The last one is for what no pattern matches; where its group has no
 * parameters, it has a pattern as well, as saveTorch takes it for a group, and another one that `spare` makes comes last.
 */
function several(parts: readonly Part[], spare: () => Optimizer): Optimizer {
  const { optimizer: last, paths } = parts[parts.length - 1];
  const map = new OptimizerMap(paths.length > 0 ? last : spare());
  // One pattern for each: in a config an optimizer under two keys would become two.
  for (const [k, { optimizer, paths }] of parts.entries())
    if (optimizer !== map.defaultOptimizer) map.set(paths.map(escaped).join('|') || `(?!)${k}`, optimizer); // matches nothing
  return new MultiOptimizer(map);
}

const escaped = (path: string) => path.replace(/[\\^$*+?()[\]{}|.]/g, '\\$&');

interface Common {
  /** The rate that groups are compared with. */
  readonly rate: number;
  /** The decay that groups are compared with. */
  readonly decay: number;
}

function commonOf(groups: readonly TorchGroup[]): Common {
  const firstOf = (key: 'lr' | 'weight_decay') =>
    groups.map((group) => group[key] as number).find((x) => x !== 0) ?? 0;
  return { rate: firstOf('lr'), decay: firstOf('weight_decay') };
}

/** The groups as an option; null for a single one. */
function groupsHere(groups: readonly TorchGroup[], { rate, decay }: Common, paths: readonly string[]) {
  const isPlain = (group: TorchGroup) => group.lr === rate && (group.weight_decay as number) === decay;
  if (groups.length === 1 && isPlain(groups[0])) return null;
  let at = 0;
  return groups.map((group): VariableGroup => {
    at += group.params.length;
    return {
      paths: paths.slice(at - group.params.length, at),
      rateFactor: rate === 0 ? 1 : factorOf(group.lr as number, rate),
      decays: group.weight_decay !== 0 || decay === 0,
      ...(group.weight_decay !== 0 &&
        group.weight_decay !== decay && { weightDecay: group.weight_decay as number }),
    };
  });
}

/** With which the rate is torch's in float32, too: ten times 0.01 is a neighbour of 0.1 there. */
function factorOf(lr: number, rate: number): number {
  const { fround } = Math;
  const factor = lr / rate;
  return fround(fround(rate) * factor) === fround(lr) ? factor : fround(lr) / fround(rate);
}
/** What all groups of one optimizer have in common. */
function configOf(kind: TorchKind, group: TorchGroup, options: TorchOptions): Record<string, unknown> {
  const maximize = options.maximize ?? Boolean(group.maximize);
  if (typeof maximize !== 'boolean')
    throw new TypeError(`${what}: maximize must be true or false, got ${describe(maximize)}.`);
  return { ...kind.config(group), maximize, compat: 'torch' };
}

const baseConfig = (kind: TorchKind, { rate, decay }: Common) => ({
  learningRate: rate,
  weightDecay: decay !== 0 || kind.isDecoupled ? decay : null,
});

const made = ({ className }: TorchKind, config: Record<string, unknown>): Optimizer =>
  deserialize({ class_name: className, config });
