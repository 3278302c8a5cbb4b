// SparseGradient: rows of a gradient whose other rows are zero, as an embedding gives them. Duplicates are
// summed and the result is treated as the dense gradient it stands for; nothing dense is ever made.
import { describe, detached, markOurs, refuseUnknown } from '../basics/errors.js';
import { floatsFrom, isDetached, isFloats, isInts, plainFloats, plainInts } from '../basics/floats.js';

/** What a SparseGradient is made of. */
export interface SparseGradientOptions {
  /** Rows of the variable's first axis; any order, duplicates allowed. */
  indices: Int32Array | readonly number[];
  /** Row by row: `indices.length` times the size of one row. */
  values: Float32Array | readonly number[];
  /**
   * `'rows'`: clipnorm and clipvalue clip the rows as given, before duplicates are summed, as tf_keras does;
   * globalClipnorm always sees the sums. Default `'sum'`.
   */
  clip?: 'sum' | 'rows' | undefined;
}

/** Rows of a gradient whose other rows are zero, as an embedding gives them; never made dense. */
export class SparseGradient {
  static {
    markOurs(this);
  }
  /** The class' name, also where its code was minified. */
  static readonly name: string = 'SparseGradient';
  /** Rows of the variable's first axis; the array that was given, if it was an Int32Array. */
  readonly indices: Int32Array;
  /** Row by row; the array that was given, if it was a Float32Array. */
  readonly values: Float32Array;
  /** What clipnorm and clipvalue clip: sums of duplicates, or rows as given. */
  readonly clip: 'sum' | 'rows';

  /**
   * @throws TypeError for the wrong kinds; RangeError for an index that is no row number; Error for a detached array.
   *   Sizes are checked by apply.
   */
  constructor(options: SparseGradientOptions) {
    refuseUnknown('SparseGradient', options, ['indices', 'values', 'clip']);
    const { indices, values, clip = 'sum' } = options;
    checkAttached('SparseGradient', { indices, values });
    const rows = isInts(indices) ? plainInts(indices) : Array.isArray(indices) ? [...indices] : null;
    if (!rows)
      throw new TypeError(
        `SparseGradient: indices must be an Int32Array or an array of integers, got ${describe(indices)}.`,
      );
    const bad = (rows as readonly number[]).findIndex(
      (i) => !Number.isInteger(i) || i < 0 || i > 2 ** 31 - 1,
    );
    if (bad >= 0)
      throw new RangeError(`SparseGradient: indices must be integers from 0 on, got ${describe(rows[bad])}.`);
    const read = isFloats(values) ? plainFloats(values) : Array.isArray(values) ? floatsFrom(values) : null;
    if (!read)
      throw new TypeError(
        `SparseGradient: values must be a Float32Array or an array of numbers, got ${describe(values)}.`,
      );
    if (clip !== 'sum' && clip !== 'rows')
      throw new RangeError(`SparseGradient: clip must be 'sum' or 'rows', got ${describe(clip)}.`);
    this.indices = rows instanceof Int32Array ? rows : Int32Array.from(rows);
    this.values = read;
    this.clip = clip;
  }
}

/** A sparse gradient for one variable: unique rows in ascending order, duplicates summed. */
export interface Rows {
  readonly rows: Int32Array;
  readonly values: Float32Array;
  readonly width: number;
}

interface Shaped {
  readonly path: string;
  readonly shape: readonly number[];
  readonly size: number;
}

const rowWidth = ({ shape, size }: Shaped) => (shape[0] ? size / shape[0] : 0);

/** Of what is detached nobody knows how much it was, not even that it was none. @throws Error */
function checkAttached(what: string, arrays: Readonly<Record<string, unknown>>): void {
  for (const [name, array] of Object.entries(arrays))
    if ((isInts(array) || isFloats(array)) && isDetached(array))
      throw detached(`${what}: the array of ${name}`);
}

/** @throws RangeError if indices or values do not fit the variable; Error if they are detached. */
export function checkRows({ indices, values }: SparseGradient, target: Shaped): void {
  const { path, shape } = target;
  checkAttached(`SparseGradient for '${path}'`, { indices, values });
  const width = rowWidth(target);
  if (values.length !== indices.length * width)
    throw new RangeError(
      `SparseGradient for '${path}' of shape [${shape}]: ${indices.length} indices need ${indices.length * width} ` +
        `values (${width} a row), got ${values.length}.`,
    );
  for (const row of indices) // looked at again: the array is the caller's, and may have been refilled
    if (!(row >= 0 && row < (shape[0] ?? 0)))
      throw new RangeError(
        `SparseGradient for '${path}' of shape [${shape}]: index ${row} is not a row of it.`,
      );
}

/** The rows of a gradient that fits (`checkRows`). */
export function rowsFor({ indices, values }: SparseGradient, target: Shaped): Rows {
  const width = rowWidth(target);
  const order = Array.from(indices.keys()).sort((a, b) => indices[a] - indices[b]); // stable: duplicates as they came
  const unique = Int32Array.from(new Set(order.map((k) => indices[k])));
  const sums = new Float32Array(unique.length * width);
  let at = -1;
  order.forEach((k, j) => {
    const first = j === 0 || indices[k] !== indices[order[j - 1]];
    if (first) at++;
    const to = at * width;
    const from = k * width;
    for (let i = 0; i < width; i++) sums[to + i] = first ? values[from + i] : sums[to + i] + values[from + i];
  });
  return { rows: unique, values: sums, width };
}

interface Clips {
  readonly clipnorm: number | null;
  readonly clipvalue: number | null;
  readonly globalClipnorm: number | null;
}

/** Whether a gradient's rows are clipped as given, and not again: a global norm is always of the sums. */
export function clipsRows(g: unknown, { globalClipnorm }: Clips): boolean {
  return g instanceof SparseGradient && g.clip === 'rows' && !((globalClipnorm ?? 0) > 0);
}

/** The rows of a gradient that fits, clipped before duplicates are summed where that is asked for. */
export function clippedRows(g: SparseGradient, target: Shaped, clips: Clips): Rows {
  return rowsFor(clipsRows(g, clips) ? clipRows(g, clips.clipnorm ?? 0, clips.clipvalue ?? 0) : g, target);
}

/** The values as given, clipped (tf_keras). Plain float32 steps over what is given; a legacy path. */
function clipRows(sparse: SparseGradient, clipnorm: number, clipvalue: number): SparseGradient {
  const { values } = sparse;
  if (!(clipnorm > 0) && !(clipvalue > 0)) return sparse;
  const clipped = values.slice();
  if (clipnorm > 0) {
    let sum = 0;
    for (const x of values) sum = Math.fround(sum + Math.fround(x * x));
    const norm = Math.fround(Math.sqrt(sum));
    const c = Math.fround(clipnorm);
    for (let i = 0; i < clipped.length; i++) clipped[i] = Math.fround(values[i] * c) / Math.max(norm, c);
  } else {
    for (let i = 0; i < clipped.length; i++)
      clipped[i] = Math.min(Math.max(values[i], -clipvalue), clipvalue);
  }
  return new SparseGradient({ indices: sparse.indices, values: clipped, clip: 'rows' });
}
