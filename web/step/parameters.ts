// What an optimizer is built with: Variables and plain Float32Arrays, checked and given rows.

import { describe, detached } from '../basics/errors.js';
import { isDetached, isFloats, plainFloats } from '../basics/floats.js';
import type { Core } from '../engine/core.js';
import { homeOf } from './home.js';
import type { Target } from './target.js';
import { Variable } from './variable.js';

/** A parameter: engine-resident, or an array of your own that is updated in place. */
export type Parameter = Variable | Float32Array;

export function isParameter(value: unknown): value is Parameter {
  return value instanceof Variable || isFloats(value);
}

export function pathOf(parameter: Parameter): string {
  return parameter instanceof Variable ? `'${parameter.path}'` : describe(parameter);
}

/** @throws TypeError, RangeError, Error for what cannot be built. */
export function targetsFor(parameters: readonly Parameter[], core: Core): Target[] {
  if (!Array.isArray(parameters))
    throw new TypeError(`build takes an array of variables, got ${describe(parameters)}.`);
  parameters = [...parameters]; // in which a hole is undefined, and not left out
  const rows = new Map<Parameter, number>();
  parameters.forEach((parameter, row) => {
    const first = rows.get(parameter);
    rows.set(parameter, row);
    if (first !== undefined)
      throw new RangeError(
        `build: variables[${first}] and variables[${row}] are the same variable, given twice.`,
      );
  });
  let unnamed = 0;
  const targets = parameters.map((parameter, row): Target => {
    if (!isParameter(parameter))
      throw new TypeError(
        `build: variables[${row}] must be a Variable or a Float32Array, got ${describe(parameter)}.`,
      );
    const variable = parameter instanceof Variable ? parameter : null;
    const array = parameter instanceof Variable ? null : plainFloats(parameter);
    if (variable && homeOf(variable).isDisposed)
      throw new Error(`build: the variable '${variable.path}' has been disposed.`);
    if (array && isDetached(parameter as Float32Array)) throw detached(`build: variables[${row}]`);
    if (array && core.owns(array))
      throw new RangeError(
        `build: variables[${row}] is a view of the engine's memory, as Variable.value gives it; pass the Variable itself.`,
      );
    let name = variable?.name;
    let path = variable?.path;
    if (!variable || homeOf(variable).isUnnamed) {
      name = path = unnamed === 0 ? 'variable' : `variable_${unnamed}`;
      unnamed++;
    }
    const size = (variable?.size ?? array?.length) as number;
    const shape = variable?.shape ?? [size];
    return {
      row,
      name,
      path,
      shape,
      size,
      variable,
      array,
      constraint: variable?.constraint ?? null,
    } as Target;
  });
  checkPaths(targets);
  checkOverlaps(targets);
  return targets;
}

function checkPaths(targets: readonly Target[]): void {
  const rows = new Map<string, number>();
  for (const { path, row } of targets) {
    const other = rows.get(path);
    if (other !== undefined)
      throw new RangeError(
        `build: variables[${other}] and variables[${row}] have one path, '${path}'; state is keyed by path.`,
      );
    rows.set(path, row);
  }
}

const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array) => ({
  buffer: buffer as object,
  start: byteOffset,
  end: byteOffset + byteLength,
});

/**
 * Two parameters that share bytes would be updated twice, in an order nobody chose. Variables in the engine have memory
 * of their own, which no array may be a view of.
 */
function checkOverlaps(targets: readonly Target[]): void {
  const ranges = new Map<object, { start: number; end: number; path: string }[]>();
  for (const { array, variable, path } of targets) {
    const range = variable ? homeOf(variable).residence?.range() : bytesOf(array as Float32Array);
    if (!range || range.start === range.end) continue;
    const { buffer, start, end } = range;
    const list = ranges.get(buffer);
    if (list) list.push({ start, end, path });
    else ranges.set(buffer, [{ start, end, path }]);
  }
  for (const list of ranges.values()) {
    list.sort((a, b) => a.start - b.start);
    for (let k = 1; k < list.length; k++)
      if (list[k].start < list[k - 1].end)
        throw new RangeError(`build: '${list[k - 1].path}' and '${list[k].path}' overlap in memory.`);
  }
}
