// An optimizer's state as one list of entries in Keras' order; everything that reads or writes state goes
// through it: `variables`, weights, stores, files.

import { describe } from '../basics/errors.js';
import { floatsFrom, isFloats, plainFloats, sizeOf } from '../basics/floats.js';
import { core } from '../engine/core.js';
import { neverNegative, ruleFacts, type SlotFacts } from '../engine/facts.js';
import type { Elsewhere } from '../step/elsewhere.js';
import type { Executor } from '../step/executor.js';
import type { NarrowSlot } from '../step/narrow.js';
import type { Remote } from '../step/remote.js';
import { isDisposed } from '../step/selection.js';
import { slotShape } from '../step/slots.js';
import type { Target } from '../step/target.js';
import type { Variable } from '../step/variable.js';

export interface StateEntry {
  /** Its name in a state file: by variable path, whatever the optimizer is called. */
  readonly key: string;
  /** Its name in Keras. */
  readonly path: string;
  readonly shape: readonly number[];
  readonly dtype: 'float32' | 'int32';
  /** Where it is, if it lives on a GPU: then `read` throws. */
  readonly remote?: Remote;
  /** A number for a scalar; else a live view. */
  read(): number | Float32Array;
  /** Refuses a value of the right kind. */
  check?(value: number): void;
  /**
   * Of a count that a variable can have for itself: whether any of the optimizer's does. If none does, the entry is not
   * listed, and it may be missing from what is loaded.
   */
  apart?(): boolean;
  /** Of a slot of the optimizer's rule, which it is. */
  readonly slot?: string;
  /** If it is stored in fewer bits: then `read` gives a copy. */
  readonly narrow?: NarrowSlot;
  /** Keras makes it past `add_variable`: it has no scope of the optimizer's own, and a LossScaleOptimizer does not know it. */
  readonly isRaw?: boolean;
  /** Of such a one within a LossScaleOptimizer: it is saved, but Keras' list of variables has it not. */
  readonly isHidden?: boolean;
  /** Of the right kind and size: see `assignAll`. */
  write(value: number | ArrayLike<number>): void;
}

/** Without counts that no variable has for itself. */
export const listed = (entries: readonly StateEntry[]) => entries.filter(({ apart }) => apart?.() ?? true);

/** What Keras lists: `variables`, weights, its files. */
export const inKeras = (entries: readonly StateEntry[]) => entries.filter(({ isHidden }) => !isHidden);

/** How to put an entry back to what it is now, to the bit. */
export function keep({ narrow, read, write }: StateEntry): () => void {
  if (narrow) {
    const bytes = narrow.bytes.slice();
    return () => narrow.bytes.set(bytes);
  }
  const value = copyOf(read());
  return () => write(value);
}

/** The same state in another place. */
export function copyEntry(from: StateEntry, to: StateEntry): void {
  if (from.narrow && !from.remote && to.narrow?.dtype === from.narrow.dtype) to.narrow.put(from.narrow.bytes);
  else to.write(from.read());
}

/** What an entry has for a file: numbers, or the bytes of a slot that is stored in fewer bits. */
export const storedOf = ({ narrow, read }: StateEntry) => narrow?.bytes ?? read();

/** A copy of that, from wherever it is. */
export async function fetchStored(entry: StateEntry): Promise<number | Float32Array | Uint8Array> {
  const { narrow, remote, read } = entry;
  return narrow?.fetch() ?? remote?.read() ?? copyOf(read());
}

/** What an entry has read, to keep. */
export const copyOf = (value: number | Float32Array): number | Float32Array =>
  typeof value === 'number' ? value : value.slice();

/** One of `optimizer.variables`. `value` is read when asked for: a number, or a live view. */
export class OptimizerVariable {
  /** The class' name, also where its code was minified. */
  static readonly name: string = 'OptimizerVariable';
  /** As Keras names it: `adam/dense_kernel_momentum`. */
  readonly path: string;
  /** [] for a scalar. */
  readonly shape: readonly number[];
  /** Counts are int32. */
  readonly dtype: 'float32' | 'int32';
  readonly #entry: StateEntry;

  /** @internal */
  constructor(entry: StateEntry) {
    this.path = entry.path;
    this.shape = entry.shape;
    this.dtype = entry.dtype;
    this.#entry = entry;
  }

  /** A number, or a live view. @throws Error if it lives on a GPU */
  get value(): number | Float32Array {
    return this.#entry.read();
  }
}

export function scalarEntry(
  path: string, // Keras' `optimizer/name`
  dtype: StateEntry['dtype'],
  read: () => number,
  write: (value: number) => void,
  check?: (value: number) => void,
): StateEntry {
  const cast = dtype === 'int32' ? Math.trunc : Math.fround;
  return {
    key: path.slice(path.indexOf('/') + 1),
    path,
    shape: [],
    dtype,
    // Counts go on beyond Keras' type, but are saved within it: loading refuses all others.
    read: dtype === 'int32' ? () => Math.min(read(), 2 ** 31 - 1) : read,
    write: (value) => write(cast(value as number)),
    check,
  };
}

function arrayEntry(
  key: string,
  path: string,
  shape: readonly number[],
  view: () => Float32Array,
  slot?: string,
): StateEntry {
  const isScalar = shape.length === 0; // a parameter of shape []
  return {
    key,
    path,
    shape,
    dtype: 'float32',
    read: () => (isScalar ? view()[0] : view()),
    write: (value) => view().set(typeof value === 'number' ? [value] : value),
    slot,
  };
}

/**
 * Refuses a value below zero where a step would take a root of it, or move the other way.
 * @param at what refuses, `setWeights: 'adam/kernel_velocity'` @throws RangeError
 */
export function checkSlot(at: string, slot: string, value: number | ArrayLike<number>): void {
  if (!neverNegative.has(slot)) return;
  const list = typeof value === 'number' ? [value] : value;
  for (let k = 0; k < list.length; k++)
    if (list[k] < 0)
      throw new RangeError(
        `${at} has ${list[k]} at ${k}, and a ${slot} is never below zero. Weights in another order look like this: ` +
          "Keras' legacy optimizers (optimizer_v2, and `.h5` files of Keras 2) list all first moments and then all " +
          'second ones, the ones here both of each variable.',
      );
}

function unreadable(path: string): never {
  throw new Error(`'${path}' lives on the GPU: await onload() first, or readState().`);
}

function remoteEntry(
  key: string,
  path: string,
  shape: readonly number[],
  remote: Remote,
  slot: string | undefined,
): StateEntry {
  const read = () => unreadable(path);
  const write = (value: number | ArrayLike<number>) =>
    remote.write(typeof value === 'number' ? [value] : value);
  return { key, path, shape, dtype: 'float32', remote, read, write, slot };
}

function narrowEntry(
  key: string,
  path: string,
  shape: readonly number[],
  narrow: NarrowSlot,
  slot: string | undefined,
): StateEntry {
  const remote = narrow.remote ?? undefined;
  const values = () => (remote ? unreadable(path) : narrow.read());
  const read = () => (shape.length === 0 ? values()[0] : values());
  const write = (values: number | ArrayLike<number>) =>
    narrow.write(typeof values === 'number' ? [values] : values);
  return { key, path, shape, dtype: 'float32', remote, narrow, read, write, slot };
}

export const userEntry = (variable: Variable): StateEntry =>
  arrayEntry(`${variable.name}/user`, variable.path, variable.shape, () => variable.value);

/** Averages, accumulators, then slots: group by group, in a group interleaved per variable. */
export function slotEntries(name: string, executor: Executor): StateEntry[] {
  const { slots } = ruleFacts(executor.rule);
  const { targets, elsewhere } = executor;
  const entries: StateEntry[] = [];
  const add = (
    target: Target,
    suffix: string,
    view: () => Float32Array | null,
    remoteOf: (away: Elsewhere) => Remote | null,
    slot?: SlotFacts,
    narrow?: NarrowSlot | null,
  ) => {
    const shape = slot ? slotShape(slot, target) : target.shape;
    if (isDisposed(target) || !shape) return;
    const key = `${target.path}/${suffix}`;
    // Keras gives a slot of another shape the variable's own name, and what is no matrix a number in its place.
    const isFactor = slot?.extent === 1 || slot?.extent === 2;
    const isRaw = isFactor && !target.matrix;
    const path = `${name}/${isFactor ? target.name : `${target.path.replaceAll('/', '_')}_${suffix}`}`;
    const push = (entry: StateEntry) => entries.push(isRaw ? { ...entry, isRaw } : entry);
    if (narrow) {
      push(narrowEntry(key, path, shape, narrow, slot?.name));
      return;
    }
    if (!elsewhere?.has(target.row)) {
      if (view()) push(arrayEntry(key, path, shape, view as () => Float32Array, slot?.name));
      return;
    }
    const remote = remoteOf(elsewhere);
    if (remote) push(remoteEntry(key, path, shape, remote, slot?.name));
  };
  for (const t of targets)
    add(
      t,
      'average',
      () => executor.averageOf(t),
      (away) => away.average(t.row),
    );
  for (const t of targets)
    add(
      t,
      'gradient_accumulator',
      () => executor.accumulatorOf(t),
      (away) => away.accumulator(t.row),
    );
  const groups = new Set(slots.map(({ group }) => group));
  for (const group of groups)
    for (const t of targets)
      for (const [k, slot] of slots.entries())
        if (slot.group === group)
          add(
            t,
            slot.name,
            () => executor.slotOf(t, k),
            (away) => away.slot(t.row, k),
            slot,
            executor.narrowOf?.(t, k),
          );
  return entries;
}

/** Scalars of the rule that are state, such as Nadam's running product: after the slots, as in Keras. */
export function ruleScalars(name: string, { native, rule }: Executor): StateEntry[] {
  return ruleFacts(rule).scalars.map((scalar, k) =>
    scalarEntry(
      `${name}/${scalar}`,
      'float32',
      () => native.scalar(k),
      (x) => native.setScalar(k, x),
    ),
  );
}

/**
 * PyTorch counts the updates of each variable, and the rule's scalars go with the count. After the optimizer's own: to
 * write that makes all the same.
 */
export function ownCounts(name: string, { native, rule, targets }: Executor): StateEntry[] {
  const { scalars } = ruleFacts(rule);
  const apart = () => native.apart();
  if (targets.length < 2) return []; // then the optimizer's count is its own
  return targets
    .filter((target) => !isDisposed(target))
    .flatMap(({ row, path }) => {
      const entry = (
        what: string,
        dtype: StateEntry['dtype'],
        read: () => number,
        write: (x: number) => void,
      ): StateEntry => ({
        ...scalarEntry(`${name}/${path.replaceAll('/', '_')}_${what}`, dtype, read, write),
        key: `${path}/${what}`,
        apart,
      });
      return [
        entry(
          'step',
          'int32',
          () => native.updatesOf(row),
          (x) => native.setUpdates(row, x),
        ),
        ...scalars.map((scalar, k) =>
          entry(
            scalar,
            'float32',
            () => native.scalarOf(row, k),
            (x) => native.setScalarOf(row, k, x),
          ),
        ),
      ];
    });
}

/** A scalar comes as a number or an array of one. */
function scalar(value: unknown): number | undefined {
  if (typeof value === 'number') return value;
  const list = value as ArrayLike<unknown>;
  return typeof value === 'object' && value !== null && list.length === 1 && typeof list[0] === 'number'
    ? list[0]
    : undefined;
}

/** Numbers as they are now: a list is read once; a view of the engine's memory may be written before it is read. */
function numbers(value: unknown): ArrayLike<number> | null {
  if (!isFloats(value)) return floatsFrom(value);
  const array = plainFloats(value);
  return core('state').owns(array) ? new Float32Array(array) : array;
}

/**
 * All values at once, or an error that names the first that does not fit, and then none. With counts that variables
 * have for themselves, or without.
 */
export function assignAll(what: string, all: readonly StateEntry[], values: readonly unknown[]): void {
  if (!Array.isArray(values)) throw new TypeError(`${what} takes a list of values, got ${describe(values)}.`);
  const entries = values.length === all.length ? all : all.filter(({ apart }) => !apart);
  if (values.length !== entries.length)
    throw new RangeError(
      `${what}: the optimizer has ${entries.length} variables (${entries
        .slice(0, 4)
        .map((e) => e.path)
        .join(', ')}${entries.length > 4 ? ', …' : ''}), got ${values.length} values.`,
    );
  const checked = entries.map((entry, k) => checkValue(what, entry, values[k]));
  entries.forEach((entry, k) => {
    entry.write(checked[k]);
  });
}

/** @throws TypeError, RangeError that begin with `what` */
export function checkValue(
  what: string,
  { path, shape, dtype, check, slot }: StateEntry,
  value: unknown,
): number | ArrayLike<number> {
  if (value instanceof OptimizerVariable) value = value.value;
  if (shape.length === 0) {
    const x = scalar(value);
    if (x === undefined) throw new TypeError(`${what}: '${path}' is a number, got ${describe(value)}.`);
    if (dtype === 'int32' && !(Number.isInteger(x) && x >= 0 && x < 2 ** 31))
      throw new RangeError(`${what}: '${path}' must be an integer from 0 on, got ${x}.`);
    check?.(x);
    if (slot) checkSlot(`${what}: '${path}'`, slot, x);
    return x;
  }
  const read = numbers(value);
  if (!read) throw new TypeError(`${what}: '${path}' must be an array of numbers, got ${describe(value)}.`);
  const size = sizeOf(shape);
  if (read.length !== size)
    throw new RangeError(`${what}: '${path}' of shape [${shape}] has ${size} elements, got ${read.length}.`);
  if (slot) checkSlot(`${what}: '${path}'`, slot, read);
  return read;
}
