// The state of an optimizer in and out: as variables, weights, Keras' store and safetensors bytes, state variables of
// the user's own, and how it is taken back. All of it goes through one list of entries; what these are is entries.ts.

import { describe, refuseUnknown } from '../basics/errors.js';
import { sizeOf } from '../basics/floats.js';
import { core } from '../engine/core.js';
import { report as reportAt, told as toldAt } from '../engine/facts.js';
import type { Built, Executor } from '../step/executor.js';
import { isParameter, type Parameter } from '../step/parameters.js';
import { checkAlive, isDisposed, isGone } from '../step/selection.js';
import type { Target } from '../step/target.js';
import { Variable } from '../step/variable.js';
import {
  assignAll,
  copyOf,
  inKeras,
  keep,
  listed,
  OptimizerVariable,
  type StateEntry,
  userEntry,
} from './entries.js';
import { readState, writeState } from './safetensors.js';

/** Values of an array, row-major: typed or plain. */
export type Numbers = ArrayLike<number>;

/** A state variable of your own. */
export interface AddVariableOptions {
  /** Integers from 0 on; [] is a scalar. */
  shape: readonly number[];
  /** What its elements start as. Default 'zeros'. */
  initializer?: 'zeros' | 'ones' | undefined;
  /** There is no other. */
  dtype?: 'float32' | undefined;
  /** Default 'variable'. */
  name?: string | undefined;
}

/** What is asked of an optimizer's lifetime here. */
interface Lifetime {
  readonly executor: Built | null;
  alive(): void;
  require(): Built;
  ready(what: string): Built;
}

export class State {
  readonly #name: string;
  readonly #lifetime: Lifetime;
  readonly #holder: { entries(name: string): StateEntry[] };
  /** State variables of the user's own, after all others. */
  readonly #extra: Variable[] = [];

  constructor(name: string, lifetime: Lifetime, holder: { entries(name: string): StateEntry[] }) {
    this.#name = name;
    this.#lifetime = lifetime;
    this.#holder = holder;
  }

  entries(): StateEntry[] {
    return this.#holder.entries(this.#name).concat(this.#extra.map(userEntry));
  }

  /** The whole state. @throws Error after dispose, or if a variable of it was disposed */
  whole(): StateEntry[] {
    this.#lifetime.alive();
    for (const target of this.#lifetime.executor?.targets ?? []) if (isDisposed(target)) checkAlive(target);
    return this.entries();
  }

  /** The state, all of which is in reach. @throws Error if some of it lives on a GPU */
  present(what: string): StateEntry[] {
    const entries = listed(this.whole());
    const away = entries.find(({ remote }) => remote);
    if (away)
      throw new Error(
        `${what}: '${away.path}' lives on the GPU; await onload() first${what === 'serializeState' ? ', or readState() instead' : ''}.`,
      );
    return entries;
  }

  get variables(): OptimizerVariable[] {
    return inKeras(this.present('variables')).map((entry) => new OptimizerVariable(entry));
  }

  /** Copies. */
  get weights(): (number | Float32Array)[] {
    return inKeras(this.present('getWeights')).map((entry) => copyOf(entry.read()));
  }

  /** All at once, or an error that begins with `what` and names the first mismatch. */
  assign(what: string, values: readonly unknown[]): void {
    this.#lifetime.ready(what);
    assignAll(what, inKeras(this.whole()), values);
  }

  serialize(): Uint8Array {
    this.#lifetime.require();
    return writeState(this.present('serializeState'));
  }

  load(bytes: Uint8Array | ArrayBuffer): void {
    this.#lifetime.ready('loadState');
    readState(this.whole(), bytes);
  }

  add(options: AddVariableOptions): Variable {
    this.#lifetime.alive();
    refuseUnknown('addVariable', options, ['shape', 'initializer', 'dtype', 'name']);
    const { shape, initializer = 'zeros', dtype = 'float32', name = 'variable' } = options;
    if (!Array.isArray(shape) || ![...shape].every((d) => Number.isInteger(d) && d >= 0))
      throw new TypeError(
        `addVariable: shape must be an array of integers from 0 on, got ${describe(shape)}.`,
      );
    if (typeof name !== 'string' || name === '')
      throw new TypeError(`addVariable: name must be a non-empty string, got ${describe(name)}.`);
    if (initializer !== 'zeros' && initializer !== 'ones')
      throw new RangeError(
        `addVariable: initializer must be 'zeros' or 'ones', got ${describe(initializer)}.`,
      );
    if (dtype !== 'float32')
      throw new RangeError(`addVariable: dtype must be 'float32', got ${describe(dtype)}.`);
    const variable = new Variable(sizeOf(shape), { name, path: `${this.#name}/${name}`, shape });
    if (initializer === 'ones') variable.value.fill(1);
    this.#extra.push(variable);
    return variable;
  }

  /** How to put state, variables and report back to what they are now; what lives on a GPU is not concerned. */
  snapshot(executor: Built): () => void {
    const entries = this.entries().filter(({ remote }) => !remote);
    const isHere = (t: Target) => !executor.elsewhere?.has(t.row) && !isDisposed(t) && !isGone(t);
    const targets = executor.targets.filter(isHere);
    const state = entries.map(keep);
    const { joint } = executor;
    const reports = (executor.executors ?? [executor as Executor]).map(keepReport);
    const values = targets.map((t) => executor.values(t).slice());
    return () => {
      for (const restore of state) restore(); // as it was, without a check: that cannot fail
      for (const restore of reports) restore();
      if (joint !== undefined) executor.joint = joint;
      targets.forEach((t, k) => {
        executor.values(t).set(values[k]);
      });
    };
  }

  /** Frees the user's own; the rest is the executor's. */
  dispose(): void {
    for (const variable of this.#extra.splice(0)) variable.dispose();
  }
}

/** How to put back what the last monitored update was like: the engine's words of it, as optimizers/report.ts reads them. */
function keepReport({ native }: Executor): () => void {
  const { memory } = core('state');
  const words = (address: number, count: number) => new Uint32Array(memory.buffer, address >>> 0, count);
  const head = words(native.report(), reportAt.words).slice();
  const rows = words(head[reportAt.rows], head[reportAt.count] * toldAt.words).slice();
  return () => {
    words(native.report(), head.length).set(head);
    words(head[reportAt.rows], rows.length).set(rows);
  };
}

/** What `addVariable` takes for a variable shaped as another and named after it. */
export function optionsLike(
  variable: Parameter,
  options: Pick<AddVariableOptions, 'name' | 'initializer'>,
): AddVariableOptions {
  refuseUnknown('addVariableFromReference', options, ['name', 'initializer']);
  const { name = 'var', initializer } = options;
  if (!isParameter(variable))
    throw new TypeError(`addVariableFromReference takes a variable, got ${describe(variable)}.`);
  const { path, shape } =
    variable instanceof Variable ? variable : { path: 'variable', shape: [variable.length] };
  return { shape, initializer, name: `${path.replaceAll('/', '_')}_${name}` };
}
