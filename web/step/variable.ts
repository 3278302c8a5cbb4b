// Variable: a parameter tensor that lives in the engine's memory and is updated there without a copy.
// It knows nothing of optimizers; one variable may serve several of them.
/// <reference lib="esnext.disposable" preserve="true" />

import { describe, markOurs, refuseUnknown } from '../basics/errors.js';
import { floatsFrom, isFloats, plainFloats } from '../basics/floats.js';
import { type Constraint, constraintFrom } from '../constraints/constraints.js';
import { type Engine, engine } from '../engine/engine.js';
import { roles } from '../engine/facts.js';
import type { Residence } from './elsewhere.js';
import type { Pending } from './pending.js';

export interface VariableOptions {
  /** Short name, matched by `excludeFromWeightDecay`. Default: the last part of `path`, or `'variable'`. */
  name?: string;
  /** Full name, such as `'dense/kernel'`: keys the optimizer's state. Default: the name. */
  path?: string;
  /** Default: `[length]`. */
  shape?: readonly number[];
  /** Information for the caller; default true. */
  trainable?: boolean;
  /** A projection applied after every update: an instance, a function, or Keras' `{ class_name, config }`. */
  constraint?: Constraint | ((values: Float32Array) => ArrayLike<number>) | object | null;
}

type Values = Float32Array | readonly number[];

const known = ['name', 'path', 'shape', 'trainable', 'constraint'];

/** The engine's address of a variable, 0 once disposed; and of its gradient buffer, 0 if it was never touched. */
export let addressOf: (variable: Variable) => number;
export let gradientAddressOf: (variable: Variable) => number;
/** Whether neither name nor path was given: then the optimizer numbers it, as it does plain arrays. */
export let isUnnamed: (variable: Variable) => boolean;
/** Where a variable lives, if not in the engine; null also once disposed. */
export let residenceOf: (variable: Variable) => Residence | null;
/** A variable that lives elsewhere from the beginning; `settle` gets its values, or its length for zeros. */
export let makeElsewhere: (
  values: Values | number,
  options: VariableOptions,
  settle: (values: Values | number, variable: Variable) => Residence,
) => Variable;
/**
 * Moves the home of a variable and not its values: out of the engine, or back into it (null), zeroed.
 * @throws RangeError if there is no memory: nothing was moved
 */
export let relocate: (variable: Variable, to: Residence | null) => void;
/** What a built optimizer is to a variable that it knows. */
export interface Claim {
  readonly pending: Pending;
  /** The variable is going to be disposed: frees its state. */
  retire(variable: Variable): void;
}
/** Those who know a variable: while there are several, it cannot move. */
export let claimsOf: (variable: Variable) => Set<Claim>;
let settleNext: ((values: Values | number, variable: Variable) => Residence) | null = null;

function checkText(what: string, value: unknown): asserts value is string | undefined {
  if (value !== undefined && (typeof value !== 'string' || value === ''))
    throw new TypeError(`Variable: ${what} must be a non-empty string, got ${describe(value)}.`);
}

function checkShape(shape: unknown, size: number): readonly number[] {
  if (shape === undefined) return [size];
  if (!Array.isArray(shape) || ![...shape].every((d) => Number.isInteger(d) && d >= 0))
    // spread: no hole is left out
    throw new TypeError(`Variable: shape must be an array of non-negative integers, got ${describe(shape)}.`);
  const product = shape.reduce((a, b) => a * b, 1);
  if (product !== size)
    throw new RangeError(
      `Variable: shape [${shape}] has ${product} elements, but ${size} values were given.`,
    );
  return [...shape];
}

/** An array of numbers (typed as float32, or plain, which is read once); null for anything else, also a number. */
function readValues(values: unknown): Float32Array | null {
  if (isFloats(values)) return plainFloats(values);
  return Array.isArray(values) ? floatsFrom(values) : null;
}

export class Variable {
  static readonly name: string = 'Variable';
  readonly name: string;
  readonly path: string;
  readonly shape: readonly number[];
  readonly size: number;
  readonly trainable: boolean;
  readonly constraint: Constraint | null;
  readonly #unnamed: boolean;
  /** Same as `dispose()`. */
  declare [Symbol.dispose]: () => void;
  #engine: Engine;
  #address: number;
  #value: Float32Array = new Float32Array(0);
  #gradientAddress = 0;
  #residence: Residence | null = null;
  readonly #claims = new Set<Claim>();
  #gradient: Float32Array = new Float32Array(0);

  static {
    markOurs(Variable);
    addressOf = (variable) => variable.#address;
    gradientAddressOf = (variable) => variable.#gradientAddress;
    isUnnamed = (variable) => variable.#unnamed;
    residenceOf = (variable) => variable.#residence;
    claimsOf = (variable) => variable.#claims;
    makeElsewhere = (values, options, settle) => {
      settleNext = settle;
      try {
        return new Variable(values, options);
      } finally {
        settleNext = null;
      }
    };
    relocate = (variable, to) => variable.#relocate(to);
  }

  /**
   * @param values what it starts as, row-major; a number is a length, and starts as zeros.
   * @throws TypeError, RangeError for values or options of the wrong kind or size, or if there is no memory;
   *   Error before `init()`.
   */
  constructor(values: Float32Array | readonly number[] | number, options: VariableOptions = {}) {
    this.#engine = engine('new Variable()');
    const isLength = typeof values === 'number';
    if (isLength && (!Number.isInteger(values) || values < 0 || values > 2 ** 30 - 1))
      throw new RangeError(`Variable: a length must be an integer from 0 to ${2 ** 30 - 1}, got ${values}.`);
    const read = isLength ? values : readValues(values);
    if (read === null)
      throw new TypeError(
        `Variable: values must be a Float32Array, an array of numbers or a length, got ${describe(values)}.`,
      );
    refuseUnknown('Variable', options, known);
    checkText('name', options.name);
    checkText('path', options.path);
    this.name = options.name ?? options.path?.split('/').pop() ?? 'variable';
    this.path = options.path ?? this.name;
    this.size = typeof read === 'number' ? read : read.length;
    this.shape = Object.freeze(checkShape(options.shape, this.size));
    this.trainable = options.trainable ?? true;
    this.constraint = constraintFrom(options.constraint, this.shape);
    this.#unnamed = options.name === undefined && options.path === undefined;
    if (settleNext) {
      this.#address = 0;
      this.#residence = settleNext(read, this);
      return;
    }
    // A view of the engine's own memory would be detached if the allocation makes it grow.
    const source = typeof read !== 'number' && this.#engine.owns(read) ? new Float32Array(read) : read;
    this.#address = this.#engine.allocate(this.size, roles.weights, `the variable '${this.path}'`);
    if (typeof source !== 'number') this.value.set(source);
  }

  /** Where it lives. */
  get placement(): 'wasm' | 'gpu' {
    return this.#residence ? 'gpu' : 'wasm';
  }

  /** Live view of the values. Read it anew after making other variables: memory growth detaches old views. */
  get value(): Float32Array {
    if (this.#value.length === 0) {
      this.#check();
      if (this.#residence)
        throw new Error(
          `The variable '${this.path}' lives on the GPU: await its read(), or onload() of its optimizer, first.`,
        );
      this.#value = this.#engine.floats(this.#address, this.size);
    }
    return this.#value;
  }

  /** Live view of a gradient buffer in the engine, made and zeroed on first use. Not cleared by a step. */
  get gradient(): Float32Array {
    if (this.#gradient.length === 0) {
      this.#check();
      if (this.#gradientAddress === 0) {
        const what = `the gradient of '${this.path}'`;
        this.#gradientAddress = this.#engine.allocate(this.size, roles.gradient, what);
        this.#engine.endEpoch();
      }
      this.#gradient = this.#engine.floats(this.#gradientAddress, this.size);
    }
    return this.#gradient;
  }

  /** Copies values in. @throws TypeError, RangeError: nothing was changed. */
  assign(values: Float32Array | readonly number[]): void {
    this.#check();
    const read = readValues(values);
    if (!read)
      throw new TypeError(
        `Variable '${this.path}': assign takes a Float32Array or an array of numbers, got ${describe(values)}.`,
      );
    if (read.length !== this.size)
      throw new RangeError(`Variable '${this.path}' has ${this.size} elements, assign got ${read.length}.`);
    if (this.#residence) this.#residence.write(read);
    else this.value.set(read);
  }

  /** A copy of the values, from wherever they live. */
  async read(): Promise<Float32Array> {
    this.#check();
    return this.#residence ? this.#residence.read() : this.value.slice();
  }

  /**
   * Frees the memory, and its state in every optimizer that knows it: those go on with `apply(grads, variables)` of
   * others, and what concerns all variables throws. While an apply or a move of one has not settled, it waits for
   * that. Idempotent; every other use afterwards throws.
   */
  dispose(): void {
    if (this.#address === 0 && !this.#residence) return;
    const busy = [...this.#claims].find(({ pending }) => !pending.isIdle);
    if (busy) {
      busy.pending.afterwards(() => this.dispose());
      return;
    }
    for (const claim of this.#claims) claim.retire(this);
    this.#claims.clear();
    this.#engine.endEpoch();
    this.#residence?.free();
    this.#residence = null;
    this.#engine.module.release(this.#address, this.size);
    this.#engine.module.release(this.#gradientAddress, this.size);
    this.#address = this.#gradientAddress = 0;
    this.#value = this.#gradient = new Float32Array(0);
  }

  #relocate(to: Residence | null): void {
    const address = to ? 0 : this.#engine.allocate(this.size, roles.weights, `the variable '${this.path}'`);
    this.#engine.endEpoch();
    this.#engine.module.release(this.#address, this.size);
    this.#address = address;
    this.#residence = to;
    this.#value = new Float32Array(0);
  }

  #check(): void {
    if (this.#address === 0 && !this.#residence)
      throw new Error(`Variable '${this.path}' has been disposed.`);
  }
}

// By key, not by syntax: Node 20 has no Symbol.dispose, and then nobody can ask for it either.
if (Symbol.dispose)
  Object.defineProperty(Variable.prototype, Symbol.dispose, {
    value: Variable.prototype.dispose,
    writable: true,
  });
