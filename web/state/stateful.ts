// The state of an optimizer in and out: as variables, weights, Keras' store and safetensors bytes, and state
// variables of the user's own. All of it goes through one list of entries; what these are is the subclass'.
/// <reference lib="esnext.disposable" preserve="true" />

import { describe, refuseUnknown } from '../basics/errors.js';
import { floatsFrom } from '../basics/floats.js';
import { Configured } from '../optimizers/configured.js';
import { isParameter, type Parameter, pathOf } from '../step/parameters.js';
import { checkAlive, isDisposed } from '../step/selection.js';
import type { Stepping } from '../step/stepping.js';
import { Variable } from '../step/variable.js';
import { assignAll, OptimizerVariable, type StateEntry } from './entries.js';
import { readState, writeState } from './safetensors.js';

type Numbers = ArrayLike<number>;

export abstract class Stateful extends Configured {
  /** State variables of the user's own, after all others. */
  protected readonly extra: Variable[] = [];

  /** The state in Keras' order, without that of variables that were disposed. */
  protected abstract entries(): StateEntry[];
  /** @throws Error if nothing was built, or after dispose */
  protected abstract stepper(): Stepping;

  /** The whole state. @throws Error after dispose, or if a variable of it was disposed */
  protected whole(): StateEntry[] {
    this.alive();
    if (this.built) for (const target of this.stepper().targets) if (isDisposed(target)) checkAlive(target);
    return this.entries();
  }

  abstract get built(): boolean;

  /** The state, all of which is in reach. @throws Error if some of it lives on a GPU */
  protected present(what: string): StateEntry[] {
    const entries = this.whole();
    const away = entries.find(({ remote }) => remote);
    if (away)
      throw new Error(
        `${what}: '${away.path}' lives on the GPU; await onload() first${what === 'serializeState' ? ', or readState() instead' : ''}.`,
      );
    return entries;
  }

  /** State in Keras' order: iteration, learning_rate (if a number), averages, accumulators, slots, then your own. */
  get variables(): OptimizerVariable[] {
    return this.present('variables').map((entry) => new OptimizerVariable(entry));
  }

  /** Copies of the values of `variables`. */
  getWeights(): (number | Float32Array)[] {
    return this.present('getWeights').map((entry) => {
      const value = entry.read();
      return typeof value === 'number' ? value : value.slice();
    });
  }

  /** All of `variables` at once. @throws Error if not built; TypeError, RangeError at the first mismatch: nothing was set. */
  setWeights(weights: readonly (number | Numbers)[]): void {
    this.stepper();
    this.idle('setWeights');
    assignAll('setWeights', this.whole(), weights);
  }

  /** Keras' layout: keys "0", "1", … in the order of `variables`. */
  saveOwnVariables(store: Record<string, unknown>): void {
    if (typeof store !== 'object' || store === null)
      throw new TypeError(`saveOwnVariables takes an object to write to, got ${describe(store)}.`);
    Object.assign(store, this.getWeights());
  }

  /** @throws as setWeights, also where Keras only warns (another number of values). */
  loadOwnVariables(store: Record<string, number | Numbers>): void {
    this.stepper();
    this.idle('loadOwnVariables');
    if (typeof store !== 'object' || store === null)
      throw new TypeError(`loadOwnVariables takes an object of values by number, got ${describe(store)}.`);
    const keys = Object.keys(store);
    assignAll(
      'loadOwnVariables',
      this.whole(),
      keys.map((_, k) => store[k]),
    );
  }

  /** The whole state as safetensors; after `loadState` the next step has the same bits. */
  serializeState(): Uint8Array {
    this.stepper();
    return writeState(this.present('serializeState'));
  }

  /** @throws Error if not built; TypeError, RangeError that names the first mismatch: nothing was changed. */
  loadState(bytes: Uint8Array | ArrayBuffer): void {
    this.stepper();
    this.idle('loadState');
    readState(this.whole(), bytes);
  }

  /** A state variable of your own, tracked and saved with the others; `dispose` frees it with them. */
  addVariable(options: {
    shape: readonly number[];
    initializer?: 'zeros' | 'ones';
    dtype?: 'float32';
    name?: string;
  }): Variable {
    this.alive();
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
    const size = shape.reduce((a, b) => a * b, 1);
    const variable = new Variable(size, { name, path: `${this.name}/${name}`, shape });
    if (initializer === 'ones') variable.value.fill(1);
    this.extra.push(variable);
    return variable;
  }

  /** A state variable shaped as another variable and named after it. */
  addVariableFromReference(
    variable: Parameter,
    options: { name?: string; initializer?: 'zeros' | 'ones' } = {},
  ): Variable {
    if (!isParameter(variable))
      throw new TypeError(`addVariableFromReference takes a variable, got ${describe(variable)}.`);
    refuseUnknown('addVariableFromReference', options, ['name', 'initializer']);
    const { path, shape } =
      variable instanceof Variable ? variable : { path: 'variable', shape: [variable.length] };
    const { name = 'var', initializer } = options;
    return this.addVariable({ shape, initializer, name: `${path.replaceAll('/', '_')}_${name}` });
  }

  /** `variable = value`, element by element. @throws TypeError, RangeError */
  assign(variable: Parameter, value: Numbers | number): void {
    this.#assign('assign', variable, value, (_, x) => x);
  }
  /** `variable += value`. */
  assignAdd(variable: Parameter, value: Numbers | number): void {
    this.#assign('assignAdd', variable, value, (v, x) => v + x);
  }
  /** `variable -= value`. */
  assignSub(variable: Parameter, value: Numbers | number): void {
    this.#assign('assignSub', variable, value, (v, x) => v - x);
  }

  #assign(
    what: string,
    variable: Parameter,
    value: Numbers | number,
    f: (v: number, x: number) => number,
  ): void {
    this.alive();
    if (!isParameter(variable)) throw new TypeError(`${what} takes a variable, got ${describe(variable)}.`);
    const array = variable instanceof Variable ? variable.value : variable;
    const read = typeof value === 'number' ? null : floatsFrom(value);
    if (typeof value !== 'number' && read?.length !== array.length)
      throw new RangeError(
        `${what}: ${pathOf(variable)} has ${array.length} elements, got ${describe(value)}${read ? '' : ', which is no list of numbers'}.`,
      );
    const single = Math.fround(value as number);
    for (let i = 0; i < array.length; i++) array[i] = f(array[i], read ? read[i] : single);
  }
}
