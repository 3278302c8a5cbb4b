// simdescent/torch: an optimizer that goes on where torch.optim.Adam, AdamW or Adamax stopped. It reads a
// state_dict() flattened into safetensors; what the parameters were is the caller's.
import './index.js'; // as every entry point does: scripts/build.mjs
import { describe } from './basics/errors.js';
import { engine } from './engine/engine.js';
import { layoutOf } from './files/layout.js';
import { checkVariables } from './files/state.js';
import { Adam, AdamW } from './optimizers/adam.js';
import { Adamax } from './optimizers/adamax.js';
import type { Optimizer } from './optimizers/optimizer.js';
import { parse, type SafeTensors, values } from './state/safetensors.js';
import type { Parameter } from './step/parameters.js';

const what = 'openTorch';

/** What torch calls our slots. */
const names: Readonly<Record<string, string>> = {
  momentum: 'exp_avg',
  velocity: 'exp_avg_sq',
  velocity_hat: 'max_exp_avg_sq',
  norm: 'exp_inf',
};

/** How torch computes, not what. */
const noEffect = ['params', 'foreach', 'capturable', 'differentiable', 'fused', 'initial_lr', 'param_names'];

/** The full names of the tensors of each parameter, by their short names. */
type States = ReadonlyMap<number, ReadonlyMap<string, string>>;
type Group = Readonly<Record<string, unknown>> & { readonly params: readonly number[] };

/**
 * An optimizer with `compat: 'torch'` and the state of one from PyTorch. The file holds `state_dict()`: tensors
 * `state.<index>.step`, `.exp_avg`, `.exp_avg_sq` (Adam, AdamW), `.max_exp_avg_sq` (with amsgrad), `.exp_inf` (Adamax)
 * as F32, and `param_groups` as JSON in the metadata. It is AdamW if the groups have `decoupled_weight_decay: true`
 * (torch >= 2.7).
 * @param variables in the order of torch's parameters, group by group; their values are left alone
 * @throws TypeError for anything but bytes and variables; RangeError for bytes that are no such file, another
 *   optimizer, options that differ between groups, `maximize`, steps that differ between parameters, and another
 *   count or shape of variables; Error before `init()`. Then nothing has changed.
 */
export function openTorch(
  safetensorsBytes: Uint8Array | ArrayBuffer,
  variables: readonly Parameter[],
): Optimizer {
  engine(`${what}()`);
  const file = parse(what, safetensorsBytes);
  const group = groupOf(file);
  const indices = group.params;
  const states = statesOf(file, indices);
  const make = makerOf(group, states);
  const layout = layoutOf(make, indices.length);
  const slots = new Set(layout.flatMap(({ variable, role }) => (variable === null ? [] : [names[role]])));
  checkNames(states, slots);
  const step = stepOf(file, states);
  const unknown = indices.map((index) => ({ path: `parameter ${index}`, shape: null }));
  checkVariables(what, shapesOf(file, indices, states, [...slots]) ?? unknown, variables);
  const optimizer = make();
  const weights = layout.map(({ variable, role }) => {
    if (variable === null) return role === 'iteration' ? step : optimizer.learningRate;
    const tensor = states.get(indices[variable])?.get(names[role]);
    return tensor && values(what, tensor, file);
  });
  optimizer.build(variables);
  if (states.size > 0) optimizer.setWeights(weights as (number | Float32Array)[]);
  return optimizer;
}

/** The options of all groups together, which must be equal. */
function groupOf(file: SafeTensors): Group {
  const text = file.metadata.param_groups;
  let groups: unknown;
  try {
    groups = JSON.parse(text);
  } catch {
    groups = null;
  }
  const isGroup = (group: unknown) =>
    typeof group === 'object' && group !== null && Array.isArray((group as Group).params);
  if (!Array.isArray(groups) || groups.length === 0 || !groups.every(isGroup))
    throw new RangeError(
      `${what}: the file's metadata must have 'param_groups', the list in a torch optimizer's state_dict() as JSON, got ${describe(text)}.`,
    );
  const [first, ...others] = groups as Group[];
  const keys = Object.keys(first).filter((key) => !noEffect.includes(key));
  for (const group of others) {
    const different = keys.find((key) => JSON.stringify(group[key]) !== JSON.stringify(first[key]));
    if (different)
      throw new RangeError(
        `${what}: '${different}' differs between the parameter groups (${describe(first[different])} and ` +
          `${describe(group[different])}); one optimizer here has one set of options.`,
      );
  }
  return { ...first, params: (groups as Group[]).flatMap(({ params }) => params) };
}

/** A parameter that never had a gradient has none. */
function statesOf(file: SafeTensors, indices: readonly number[]): States {
  const states = new Map<number, Map<string, string>>();
  for (const tensor of file.tensors.keys()) {
    const [, index, name] = /^state\.(\d+)\.(\w+)$/.exec(tensor) ?? [];
    if (!name || !indices.includes(Number(index)))
      throw new RangeError(
        `${what}: '${tensor}' is no state of a parameter; names are state.<index>.<name>, and the groups have the indices ${indices.join(', ')}.`,
      );
    const state = states.get(Number(index)) ?? new Map<string, string>();
    states.set(Number(index), state.set(name, tensor));
  }
  return states;
}

function makerOf(group: Group, states: States): () => Optimizer {
  const { lr, betas, eps, weight_decay: decay, amsgrad, maximize, decoupled_weight_decay: decoupled } = group;
  if (maximize) throw new RangeError(`${what}: maximize is not supported; negate the gradients instead.`);
  if (!Array.isArray(betas) || typeof lr !== 'number' || typeof eps !== 'number' || typeof decay !== 'number')
    throw new RangeError(
      `${what}: this is no Adam, AdamW or Adamax: its groups have ${Object.keys(group).join(', ')}, and lr, betas, eps and weight_decay are needed.`,
    );
  const [beta1, beta2] = betas as number[];
  const options = { learningRate: lr, beta1, beta2, epsilon: eps, compat: 'torch' } as const;
  const l2 = decay === 0 ? null : decay;
  if (amsgrad === undefined) {
    if (![...states.values()].every((state) => state.has('exp_inf')))
      throw new RangeError(
        `${what}: the groups have no amsgrad, as Adamax has none, but the states are no Adamax's; accepted are Adam, AdamW and Adamax.`,
      );
    return () => new Adamax({ ...options, weightDecay: l2 });
  }
  if (decoupled === undefined && decay !== 0)
    throw new RangeError(
      `${what}: Adam or AdamW? With weight_decay ${decay} the groups must have decoupled_weight_decay, which torch writes from 2.7 on.`,
    );
  const adam = { ...options, amsgrad: Boolean(amsgrad) };
  return decoupled
    ? () => new AdamW({ ...adam, weightDecay: decay })
    : () => new Adam({ ...adam, weightDecay: l2 });
}

function checkNames(states: States, slots: ReadonlySet<string>): void {
  const expected = [...slots, 'step'].sort().join(', ');
  for (const [index, state] of states) {
    const found = [...state.keys()].sort().join(', ');
    if (found !== expected)
      throw new RangeError(
        `${what}: the state of parameter ${index} is ${found}, and ${expected} is expected.`,
      );
  }
}

/** torch counts for each parameter, we for all. */
function stepOf(file: SafeTensors, states: States): number {
  const steps = new Map<number, number>();
  for (const [index, state] of states) {
    const tensor = state.get('step') as string;
    const [step, ...more] = values(what, tensor, file);
    if (more.length > 0 || !Number.isInteger(step) || step < 0 || step >= 2 ** 31)
      throw new RangeError(`${what}: '${tensor}' must be an integer from 0 on, got ${step}.`);
    steps.set(step, steps.get(step) ?? index);
  }
  if (steps.size > 1) {
    const text = [...steps].map(([step, index]) => `${step} (parameter ${index})`).join(' and ');
    throw new RangeError(
      `${what}: the parameters have made different numbers of steps, ${text}; here one count holds for all.`,
    );
  }
  return [...steps.keys()][0] ?? 0;
}

/** The shapes in the file, or null if torch has not made a step. */
function shapesOf(
  file: SafeTensors,
  indices: readonly number[],
  states: States,
  slots: readonly string[],
): { path: string; shape: readonly number[] }[] | null {
  if (states.size === 0) return null;
  return indices.map((index) => {
    const state = states.get(index);
    if (!state)
      throw new RangeError(
        `${what}: parameter ${index} has no state and others have: it never had a gradient, and here one count of steps holds for all.`,
      );
    const shapes = slots.map((slot) => file.tensors.get(state.get(slot) as string)?.shape ?? []);
    if (new Set(shapes.map(String)).size > 1)
      throw new RangeError(`${what}: the tensors of parameter ${index} differ in shape.`);
    return { path: `state.${index}`, shape: shapes[0] };
  });
}
