// Parameter groups, as PyTorch has them: variables whose learning rate is a multiple of the optimizer's, that have a weight
// decay of their own, or that it leaves alone. Groups are data, by path, so that they are in the config and in what is
// saved. Everything else is the same for all variables: a MultiOptimizer is there for the rest.
import { describe, isRecord } from '../basics/errors.js';
import { readSpelled, type Spelled } from '../basics/spelling.js';

/** A variable, as far as groups know it. */
interface Named {
  readonly path: string;
}

/** More than one learning rate: the group of each variable, and the rate of each group at a call. */
export interface RateGroups {
  groupOf(target: Named): number;
  at(rate: number, iteration: number): readonly number[];
  /** Whether the rates change from call to call although the optimizer's own is a number. */
  varies(): boolean;
}

/** One group, whose rate falls as 1 / (1 + decay * t): what tf.train.adamax has for a schedule. */
export function fallingRate(decay: () => number, t: (iteration: number) => number): RateGroups {
  const rates = [0];
  return {
    groupOf: () => 0,
    at(rate, iteration) {
      rates[0] = rate / (1 + decay() * t(iteration));
      return rates;
    },
    varies: () => decay() !== 0,
  };
}

/** Variables with a rate of their own, or without weight decay: one of the option `groups`. */
export type VariableGroup = Spelled<{
  /** The paths of its variables. A variable in no group has the optimizer's own options. */
  readonly paths: readonly string[];
  /** The group's learning rate, in units of the optimizer's. Default 1. */
  readonly rateFactor?: number;
  /** False: the optimizer's weight decay does not apply. Default true. */
  readonly decays?: boolean;
  /** The group's weight decay, in place of the optimizer's, which must be a number. Default: the optimizer's. */
  readonly weightDecay?: number;
}>;

const names = ['paths', 'rateFactor', 'decays', 'weightDecay'] as const;
const accepted = `{ ${names.join(', ')} }`;

function finite(label: string, value: unknown): number {
  const text = `${label} must be a finite number, in float32 too, got ${describe(value)}.`;
  if (typeof value !== 'number') throw new TypeError(text);
  if (!Number.isFinite(Math.fround(value))) throw new RangeError(text);
  return value;
}

/** The check of the option; in Keras' spelling too, as in configs. @throws TypeError, RangeError */
export function readGroups(label: string, value: unknown): readonly VariableGroup[] | null {
  if (value === null) return null;
  if (!Array.isArray(value))
    throw new TypeError(`${label} must be an array of ${accepted}, got ${describe(value)}.`);
  const seen = new Set<string>();
  const groups = Array.from(value, (given, k): VariableGroup => {
    const at = `${label}[${k}]`;
    if (!isRecord(given)) throw new TypeError(`${at} must be ${accepted}, got ${describe(given)}.`);
    const { paths, rateFactor = 1, decays = true, weightDecay } = readSpelled(at, given, names);
    if (!Array.isArray(paths) || ![...paths].every((path) => typeof path === 'string'))
      throw new TypeError(`${at}.paths must be an array of strings, got ${describe(paths)}.`);
    if (typeof decays !== 'boolean')
      throw new TypeError(`${at}.decays must be true or false, got ${describe(decays)}.`);
    const own = weightDecay !== undefined && { weightDecay: finite(`${at}.weightDecay`, weightDecay) };
    if (own && !decays)
      throw new RangeError(`${at}: with decays: false there is no weightDecay, got ${own.weightDecay}.`);
    for (const path of paths) {
      if (seen.has(path)) throw new RangeError(`${label}: '${path}' is listed twice.`);
      seen.add(path);
    }
    return Object.freeze({
      ...{ paths: Object.freeze([...paths]), rateFactor: finite(`${at}.rateFactor`, rateFactor), decays },
      ...own,
    });
  });
  return Object.freeze(groups);
}

/** As in a config: Keras' spelling. */
export const groupsConfig = (groups: readonly VariableGroup[] | null) =>
  groups?.map(({ paths, rateFactor, decays, weightDecay }) => ({
    ...{ paths: [...paths], rate_factor: rateFactor, decays },
    ...(weightDecay !== undefined && { weight_decay: weightDecay }),
  })) ?? null;

export const groupOf = (groups: readonly VariableGroup[], target: Named): VariableGroup | undefined =>
  groups.find(({ paths }) => paths.includes(target.path));

/** The rates of groups after those that the class has of its own; group 0 is the optimizer's. */
export function groupedRates(own: RateGroups | null, groups: readonly VariableGroup[]): RateGroups {
  // Those of the class, of which there may be any number, come after.
  const first = groups.length + 1;
  const rates: number[] = [];
  return {
    groupOf(target) {
      const k = groups.findIndex(({ paths }) => paths.includes(target.path));
      if (k >= 0 && (groups[k].rateFactor !== 1 || groups[k].weightDecay !== undefined)) return 1 + k;
      const inner = own?.groupOf(target) ?? 0;
      return inner === 0 ? 0 : first + inner - 1;
    },
    at(rate, iteration) {
      const inner = own?.at(rate, iteration);
      rates[0] = inner?.[0] ?? rate;
      for (const [k, { rateFactor = 1 }] of groups.entries())
        rates[1 + k] = Math.fround(rates[0] * rateFactor);
      for (let k = 1; k < (inner?.length ?? 0); k++) rates[first + k - 1] = (inner as readonly number[])[k];
      return rates;
    },
    varies: () => own?.varies() ?? false,
  };
}
