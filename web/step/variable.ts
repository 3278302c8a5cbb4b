// Variable: a parameter tensor that lives in the engine's memory and is updated there without a copy.
// The public face; the memory is home.ts. It knows nothing of optimizers; one variable may serve several of them.
/// <reference lib="esnext.disposable" preserve="true" />

import { describe, detached, markOurs, refuseUnknown } from '../basics/errors.js';
import { floatsFrom, isDetached, isFloats, plainFloats, sizeOf } from '../basics/floats.js';
import { type Constraint, constraintFrom } from '../constraints/constraints.js';
import { core } from '../engine/core.js';
import type { Residence } from './elsewhere.js';
import { Home } from './home.js';

/** What a Variable is called, how it is shaped, and what is done to it. */
export interface VariableOptions {
  /** Short name, matched by `excludeFromWeightDecay`. Default: the last part of `path`, or `'variable'`. */
  name?: string | undefined;
  /** Full name, such as `'dense/kernel'`: keys the optimizer's state. Default: the name. */
  path?: string | undefined;
  /** Default: `[length]`. */
  shape?: readonly number[] | undefined;
  /** Information for the caller; default true. */
  trainable?: boolean | undefined;
  /** A projection applied after every update: an instance, a function, or Keras' `{ class_name, config }`. */
  constraint?: Constraint | ((values: Float32Array) => ArrayLike<number>) | object | null | undefined;
}

type Values = Float32Array | readonly number[];
type Settle = (values: Values | number, variable: Variable) => Residence;

const known = ['name', 'path', 'shape', 'trainable', 'constraint'];

function checkText(what: string, value: unknown): asserts value is string | undefined {
  if (value !== undefined && (typeof value !== 'string' || value === ''))
    throw new TypeError(`Variable: ${what} must be a non-empty string, got ${describe(value)}.`);
}

function checkShape(shape: unknown, size: number): readonly number[] {
  if (shape === undefined) return [size];
  if (!Array.isArray(shape) || ![...shape].every((d) => Number.isInteger(d) && d >= 0))
    // spread: no hole is left out
    throw new TypeError(`Variable: shape must be an array of non-negative integers, got ${describe(shape)}.`);
  const product = sizeOf(shape);
  if (product !== size)
    throw new RangeError(
      `Variable: shape [${shape}] has ${product} elements, but ${size} values were given.`,
    );
  return [...shape];
}

/** An array of numbers (typed as float32, or plain, which is read once); null for anything else, also a number. */
function readValues(values: unknown): Float32Array | null {
  if (isFloats(values)) {
    const floats = plainFloats(values);
    return floats.length > 0 ? floats : floatsFrom(floats); // one of no elements may be detached
  }
  return Array.isArray(values) ? floatsFrom(values) : null;
}

/** What is no number in an array, and what to do where rows were given. */
function inside(values: unknown): string {
  if (!Array.isArray(values)) return '';
  const at = values.findIndex((value) => typeof value !== 'number');
  const rows = Array.isArray(values[at]) ? '; give all rows as one array, and a shape' : '';
  return ` with ${describe(values[at])} at [${at}]${rows}`;
}

/**
 * A float32 tensor that lives in the engine's memory, or on a GPU, and is updated there without a copy. One
 * may serve several optimizers.
 */
export class Variable {
  static {
    markOurs(this);
  }
  /** The class' name, also where its code was minified. */
  static readonly name: string = 'Variable';
  /** Short name, as given. */
  readonly name: string;
  /** Full name, which keys the optimizer's state. */
  readonly path: string;
  /** Row-major. */
  readonly shape: readonly number[];
  /** How many elements it has. */
  readonly size: number;
  /** As given; nothing here looks at it. */
  readonly trainable: boolean;
  /** What projects it after every update, or null. */
  readonly constraint: Constraint | null;
  /** Same as `dispose()`. */
  declare [Symbol.dispose]: () => void;
  readonly #home: Home;

  /**
   * @param values what it starts as, row-major; a number is a length, and starts as zeros.
   * @throws TypeError, RangeError for values or options of the wrong kind or size, or if there is no memory;
   *   Error before `init()`.
   */
  constructor(values: Float32Array | readonly number[] | number, options?: VariableOptions);
  /** @internal For one that lives elsewhere from the beginning: `settle` puts the values, or so many zeros, there. */
  constructor(values: Values | number, options: VariableOptions, settle: Settle);
  constructor(values: Values | number, options: VariableOptions = {}, settle?: Settle) {
    const found = core('new Variable()');
    const isLength = typeof values === 'number';
    if (isLength && (!Number.isInteger(values) || values < 0 || values > 2 ** 30 - 1))
      throw new RangeError(`Variable: a length must be an integer from 0 to ${2 ** 30 - 1}, got ${values}.`);
    const read = isLength ? values : readValues(values);
    if (read === null)
      throw new TypeError(
        `Variable: values must be a Float32Array, an array of numbers or a length, got ${describe(values)}${inside(values)}.`,
      );
    if (isFloats(values) && isDetached(values)) throw detached('Variable: values');
    refuseUnknown('Variable', options, known);
    checkText('name', options.name);
    checkText('path', options.path);
    this.name = options.name ?? options.path?.split('/').pop() ?? 'variable';
    this.path = options.path ?? this.name;
    this.size = typeof read === 'number' ? read : read.length;
    this.shape = Object.freeze(checkShape(options.shape, this.size));
    this.trainable = options.trainable ?? true;
    this.constraint = constraintFrom(options.constraint, this.shape);
    this.#home = new Home(this, found, options.name === undefined && options.path === undefined);
    if (settle) {
      this.#home.residence = settle(read, this);
      return;
    }
    // A view of the engine's own memory would be detached if the allocation makes it grow.
    const source = typeof read !== 'number' && found.owns(read) ? new Float32Array(read) : read;
    this.#home.address = this.#home.allocate();
    if (typeof source !== 'number') this.value.set(source);
  }

  /** Where it lives. */
  get placement(): 'wasm' | 'gpu' {
    return this.#home.residence ? 'gpu' : 'wasm';
  }

  /** Live view of the values. Read it anew after making other variables: memory growth detaches old views. */
  get value(): Float32Array {
    return this.#home.value;
  }

  /** Live view of a gradient buffer in the engine, made and zeroed on first use. Not cleared by a step. */
  get gradient(): Float32Array {
    return this.#home.gradient;
  }

  /** Copies values in. @throws TypeError, RangeError: nothing was changed. */
  assign(values: Float32Array | readonly number[]): void {
    this.#home.check();
    const read = readValues(values);
    if (!read)
      throw new TypeError(
        `Variable '${this.path}': assign takes a Float32Array or an array of numbers, got ${describe(values)}.`,
      );
    if (read.length !== this.size)
      throw new RangeError(`Variable '${this.path}' has ${this.size} elements, assign got ${read.length}.`);
    const { residence } = this.#home;
    if (residence) residence.write(read);
    else this.value.set(read);
  }

  /** A copy of the values, from wherever they live. */
  async read(): Promise<Float32Array> {
    this.#home.check();
    return this.#home.residence?.read() ?? this.value.slice();
  }

  /**
   * Frees the memory, and its state in every optimizer that knows it: those go on with `apply(grads, variables)` of
   * others, and what concerns all variables throws. While an apply or a move of one has not settled, it waits for
   * that. Idempotent; every other use afterwards throws.
   */
  dispose(): void {
    const home = this.#home;
    if (home.isDisposed) return;
    const busy = [...home.claims].find(({ pending }) => !pending.isIdle);
    if (busy) {
      busy.pending.afterwards(() => this.dispose());
      return;
    }
    for (const claim of home.claims) claim.retire(this);
    home.claims.clear();
    home.free();
  }
}

// By key, not by syntax: Node 20 has no Symbol.dispose, and then nobody can ask for it either.
if (Symbol.dispose)
  Object.defineProperty(Variable.prototype, Symbol.dispose, {
    value: Variable.prototype.dispose,
    writable: true,
  });
