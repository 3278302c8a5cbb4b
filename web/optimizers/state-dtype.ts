// The option `stateDtype`: in how many bits the state of which variables is kept. What that means for a slot is the
// engine's (cpp/kernels/quantize.h).
import { describe, isRecord } from '../basics/errors.js';
import { pattern } from '../basics/pattern.js';
import { readSpelled, type Spelled } from '../basics/spelling.js';
import { ruleFacts } from '../engine/facts.js';
import type { NarrowDtype, StateDtype } from '../step/narrow.js';

/** A variable, as far as the option knows it. */
interface Sized {
  readonly name: string;
  readonly path: string;
  readonly size: number;
}

/** Which state is kept in fewer bits: `stateDtype` of every optimizer with element-wise state. */
export type StateDtypeOptions = Spelled<{
  /** Of the slots: bfloat16 takes 2 bytes an element, int8 a little more than 1 (8-bit codes in blocks of 256). */
  readonly dtype: StateDtype;
  /** Variables with fewer elements keep float32. Default 4096. */
  readonly minSize?: number;
  /** Regular expressions; variables whose name one of them matches keep float32 (an embedding, say). Default none. */
  readonly exclude?: readonly string[];
}>;

/** With all that is not given filled in. */
export interface StoredState {
  readonly dtype: StateDtype;
  readonly minSize: number;
  readonly exclude: readonly string[];
}

const dtypes: readonly unknown[] = ['float32', 'bfloat16', 'int8'] satisfies StateDtype[];
const names = ['dtype', 'minSize', 'exclude'] as const;

/** The check of the option. @throws TypeError, RangeError */
export function readStateDtype(label: string, value: unknown): StoredState {
  const options: Record<string, unknown> = { dtype: 'float32', minSize: 4096, exclude: [] };
  if (typeof value === 'string') options.dtype = value;
  else if (isRecord(value)) Object.assign(options, readSpelled(label, value, names));
  else
    throw new TypeError(
      `${label} must be 'float32', 'bfloat16', 'int8' or { dtype, minSize, exclude }, got ${describe(value)}.`,
    );
  const { dtype, minSize, exclude } = options;
  if (!dtypes.includes(dtype))
    throw new (typeof dtype === 'string' ? RangeError : TypeError)(
      `${label} must be 'float32', 'bfloat16' or 'int8', got ${describe(dtype)}.`,
    );
  if (typeof minSize !== 'number' || !(minSize >= 0 && minSize < Number.POSITIVE_INFINITY))
    throw new (typeof minSize === 'number' ? RangeError : TypeError)(
      `${label}: minSize must be a finite number from 0 on, got ${describe(minSize)}.`,
    );
  if (!Array.isArray(exclude) || ![...exclude].every((source) => typeof source === 'string'))
    throw new TypeError(
      `${label}: exclude must be an array of regular expressions as strings, got ${describe(exclude)}.`,
    );
  for (const source of exclude) pattern(`${label}: exclude`, source);
  return Object.freeze({ dtype: dtype as StateDtype, minSize, exclude: Object.freeze([...exclude]) });
}

export const float32State: StoredState = readStateDtype('', 'float32');

/** As in a config; null for float32. */
export function stateDtypeConfig({ dtype, minSize, exclude }: StoredState): unknown {
  if (dtype === 'float32') return null;
  if (minSize === float32State.minSize && exclude.length === 0) return dtype;
  return { dtype, min_size: minSize, exclude: [...exclude] };
}

/** How the slots of a variable are stored, if not as float32. */
export function dtypeOf(
  { dtype, minSize, exclude }: StoredState,
  { size, name, path }: Sized,
): NarrowDtype | null {
  if (dtype === 'float32' || size < minSize) return null;
  const isExcluded = exclude.some((source) => {
    const regular = new RegExp(source);
    return regular.test(name) || regular.test(path);
  });
  return isExcluded ? null : dtype;
}

/** @throws RangeError for what it does not go with; for a rule whose state is not element by element */
export function checkStateDtype(
  className: string,
  { dtype }: StoredState,
  rule: () => string,
  { legacySparse }: { readonly legacySparse?: unknown },
): void {
  if (dtype === 'float32') return;
  if (ruleFacts(rule()).whole)
    throw new RangeError(
      `${className}: stateDtype '${dtype}' is for rules that go over elements; ${className} reads whole variables, and keeps its state as float32.`,
    );
  if (legacySparse && dtype === 'int8')
    throw new RangeError(
      `${className}: legacySparse steps single rows, and the blocks of stateDtype 'int8' cross them; use 'bfloat16', or leave one of the two off.`,
    );
}
