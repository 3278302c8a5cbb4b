// The parameter groups of torch's state_dict(): read, checked, and of which of its optimizers they are. What becomes of them
// is torch-open.ts; which optimizers there are, torch-kinds.ts.
import { describe, oneOf, suggestion } from '../basics/errors.js';
import type { SafeTensors } from '../state/safetensors.js';
import {
  accepted,
  flags,
  isAdam,
  isOneClass,
  noEffect,
  type TorchGroup,
  type TorchKind,
  torchKinds,
} from './torch-kinds.js';
import { type States, what } from './torch-state.js';

/** @throws RangeError for metadata without them, and for a parameter that is in two */
export function groupsOf(file: SafeTensors): TorchGroup[] {
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
      `${what}: the file's metadata must have 'param_groups', the list in a torch optimizer's state_dict() as JSON, its params numbers, got ${describe(text)}.`,
    );
  const all = (groups as TorchGroup[]).flatMap(({ params }) => params);
  const twice = all.find((index, k) => all.indexOf(index) < k);
  if (twice !== undefined)
    throw new RangeError(`${what}: parameter ${twice} is in two groups, or twice in one.`);
  return groups as TorchGroup[];
}

/** @throws RangeError for groups that are of no optimizer, or of different ones */
export function kindsOf(
  groups: readonly TorchGroup[],
  states: States,
  name: string | undefined,
): TorchKind[] {
  const kinds = groups.map((group) => kindOf(group, states, name));
  for (const [k, group] of groups.entries()) checkValues(kinds[k], group);
  const other = kinds.find((kind) => !isOneClass(kind, kinds[0]));
  if (other)
    throw new RangeError(
      `${what}: the parameter groups are of ${kinds[0].name} and of ${other.name}; an optimizer of torch has one class for all.`,
    );
  return kinds;
}

/** @throws RangeError for a value that none of torch's options has; what numbers are accepted is the class' business */
function checkValues({ has, may = [] }: TorchKind, group: TorchGroup): void {
  const optional = ['maximize', ...may].filter((key) => group[key] !== undefined);
  for (const key of ['lr', 'weight_decay', ...has, ...optional]) {
    const value = group[key];
    const isNumber = (x: unknown) => typeof x === 'number' && Number.isFinite(x);
    const [fits, accepted] = flags.includes(key)
      ? [typeof value === 'boolean', 'true or false']
      : key === 'betas'
        ? [Array.isArray(value) && value.length === 2 && value.every(isNumber), 'two finite numbers']
        : [isNumber(value), 'a finite number'];
    if (!fits)
      throw new RangeError(
        `${what}: ${key} must be ${accepted} in every group, got ${key === 'betas' ? JSON.stringify(value) : describe(value)}.`,
      );
  }
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
    const { decoupled_weight_decay: decoupled } = group;
    if (isAdam(found) && typeof decoupled === 'boolean' && decoupled !== Boolean(found.isDecoupled))
      throw new RangeError(
        `${what}: name is '${name}', and a group has decoupled_weight_decay ${decoupled}, with which it is ` +
          `${decoupled ? 'an AdamW' : 'an Adam'} in torch.`,
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
  if (!first) {
    const known = [...ofAll, ...torchKinds.flatMap(({ has, may = [] }) => [...has, ...may])];
    const foreign = keys.filter((key) => !known.includes(key)).join(', ');
    throw new RangeError(
      `${what}: this is no Adam, AdamW or Adamax: its groups have ${keys.join(', ')}` +
        `${states.size > 0 ? `, its states ${[...slots].sort().join(', ')}` : ', and no state to tell it by'}; ${accepted}` +
        `${foreign && `, and none of these has ${foreign}`}. If it is one of these, give the option name.`,
    );
  }
  if (!found.some((kind) => kind.isDecoupled)) return first;
  const { decoupled_weight_decay: decoupled, weight_decay: decay } = group;
  if (decoupled === undefined && decay !== 0)
    throw new RangeError(
      `${what}: Adam or AdamW? With weight_decay ${decay} the groups must have decoupled_weight_decay, which torch ` +
        "writes from 2.7 on; or give the option name: 'AdamW'.",
    );
  return found.find((kind) => Boolean(kind.isDecoupled) === Boolean(decoupled)) as TorchKind;
}
