// Keras' weight constraints: projections applied to a variable after its update and its moving average. The
// arithmetic is the engine's (cpp/kernels/constrain.h). A function of the user's own is one as well.

import { describe, isRecord, markOurs, refuseMisspelt, suggestion } from '../basics/errors.js';
import { floatsFrom, sizeOf } from '../basics/floats.js';
import { readSpelled, type Spelled } from '../basics/spelling.js';
import type { Core } from '../engine/core.js';

/** Extend it for a constraint of your own: `apply` gets a copy of the values and returns what they shall be. */
export abstract class Constraint {
  static {
    markOurs(this);
  }
  /** The class' name, also where its code was minified. */
  static readonly name: string = 'Constraint';
  /** @param values a copy, row-major; @returns as many values. Throwing leaves the optimizer as it was. */
  abstract apply(values: Float32Array, shape: readonly number[]): ArrayLike<number>;

  /** Constructor arguments in Keras' spelling. */
  getConfig(): Record<string, unknown> {
    return {};
  }

  /** From what `getConfig` gives. @throws as the constructor */
  static fromConfig<T>(this: new (config: never) => T, config: Record<string, unknown> = {}): T {
    return new this(config as never);
  }
}

/** Projects a resident variable in place. A user's own constraint works on a copy. */
export let project: (constraint: Constraint, core: Core, variable: Constrained, address: number) => void;
/** Whether it may throw after the step, so that the step must be taken back. */
export let isUsersOwn: (constraint: Constraint | null) => boolean;

/** A built-in projection as numbers, for those who do it elsewhere: norms over `axis` of [outer, axis, inner]. */
export interface Projection {
  readonly split: readonly [outer: number, axis: number, inner: number];
  /** null: negative values become 0. A rate of NaN: there is none; one of 1 is something else where a norm overflows. */
  readonly range: readonly [least: number, most: number, rate: number, unit: boolean] | null;
}
/** null for a constraint of the user's own. */
export let projectionOf: (constraint: Constraint, shape: readonly number[]) => Projection | null;

interface Constrained {
  readonly path: string;
  readonly shape: readonly number[];
  readonly size: number;
  readonly value: Float32Array;
}

abstract class BuiltIn extends Constraint {
  static {
    isUsersOwn = (constraint) => constraint !== null && !(constraint instanceof BuiltIn);
    projectionOf = (constraint, shape) =>
      constraint instanceof BuiltIn ? constraint.projection(shape) : null;
    project = (constraint, core, variable, address) => {
      if (constraint instanceof BuiltIn) {
        constraint.project(core, address, variable.shape);
        return;
      }
      const result = constraint.apply(variable.value.slice(), variable.shape);
      const values = floatsFrom(result);
      if (values?.length !== variable.size)
        throw new RangeError(
          `The constraint of '${variable.path}' must return ${variable.size} numbers, got ${describe(result)}.`,
        );
      variable.value.set(values);
    };
  }
  protected abstract project(core: Core, address: number, shape: readonly number[]): void;
  protected abstract projection(shape: readonly number[]): Projection;
  /** @throws RangeError if it cannot be applied to a variable of this shape */
  fits(_shape: readonly number[]): void {}

  apply(values: Float32Array): ArrayLike<number> {
    return values; // not called: `project` does the work in place
  }
}

/** A copy: the caller's array stays the caller's. Spread sees holes, which array methods leave out. */
function checkAxis(className: string, value: unknown): Axis {
  const axes = Array.isArray(value) ? [...value] : [value];
  if (axes.length === 0 || !axes.every((a) => Number.isInteger(a)))
    throw new TypeError(
      `${className}: axis must be an integer or an array of integers, got ${describe(value)}.`,
    );
  return Array.isArray(value) ? axes : axes[0];
}

function checkNumber(className: string, name: string, value: unknown): number {
  if (typeof value !== 'number' || !Number.isFinite(Math.fround(value)))
    throw new TypeError(`${className}: ${name} must be a finite number, in float32, got ${describe(value)}.`);
  if (value < 0 && name !== 'rate')
    throw new RangeError(`${className}: ${name} must be a number >= 0, got ${value}.`);
  return value;
}

function readArguments<T extends object>(className: string, defaults: T, given: unknown): T {
  if (!isRecord(given))
    throw new TypeError(`${className}: arguments must be a plain object, got ${describe(given)}.`);
  const read = readSpelled(className, given, Object.keys(defaults));
  for (const [name, value] of Object.entries(read))
    read[name] = name === 'axis' ? checkAxis(className, value) : checkNumber(className, name, value);
  return { ...defaults, ...read };
}

/** The shape as [outer, axis, inner] round the axes of a norm, which must be neighbours. */
function split(
  className: string,
  shape: readonly number[],
  axis: number | readonly number[],
): [number, number, number] {
  const axes = [axis].flat().map((a) => (a < 0 ? a + shape.length : a));
  axes.sort((a, b) => a - b);
  if (axes.some((a, k) => a < 0 || a >= shape.length || (k > 0 && a !== axes[k - 1] + 1)))
    throw new RangeError(
      `${className}: axis ${JSON.stringify(axis)} must name neighbouring axes of the variable's shape [${shape}].`,
    );
  const size = (from: number, to: number) => sizeOf(shape.slice(from, to));
  const [first, last] = [axes[0], axes[axes.length - 1] + 1];
  return [size(0, first), size(first, last), size(last, shape.length)];
}

/** Negative weights become 0. keras.constraints.NonNeg */
export class NonNeg extends BuiltIn {
  static override readonly name: string = 'NonNeg';
  /** @throws TypeError for any argument: there are none. */
  constructor(config: Record<string, never> = {}) {
    super();
    readArguments('NonNeg', {}, config);
  }
  protected project(core: Core, address: number, shape: readonly number[]): void {
    core.module.nonNegative(address, this.projection(shape).split[0]);
  }
  protected projection(shape: readonly number[]): Projection {
    return { split: [sizeOf(shape), 1, 1], range: null };
  }
}

type Axis = number | number[];

interface NormArguments {
  /** The axes along which norms are taken, which must be neighbours; below 0 from the last. Default 0. */
  axis?: Axis;
}

interface MostArgument {
  /** The largest norm, 0 or more. Default 2. */
  maxValue?: number;
}

interface MinMaxArguments {
  /** The smallest norm, 0 or more. Default 0. */
  minValue?: number;
  /** The largest norm, 0 or more. Default 1. */
  maxValue?: number;
  /** The share of the way by which a norm is moved at every update. Default 1. */
  rate?: number;
}
const copyOf = (axis: Axis): Axis => (typeof axis === 'number' ? axis : [...axis]);

abstract class NormConstraint extends BuiltIn {
  /** The axes along which norms are taken. */
  abstract readonly axis: Axis;
  override fits(shape: readonly number[]): void {
    split(this.constructor.name, shape, this.axis);
  }
  protected abstract range(): [least: number, most: number, rate: number, unit: boolean];

  protected project(core: Core, address: number, shape: readonly number[]): void {
    core.module.boundNorm(address, ...split(this.constructor.name, shape, this.axis), ...this.range());
  }
  protected projection(shape: readonly number[]): Projection {
    return { split: split(this.constructor.name, shape, this.axis), range: this.range() };
  }
}

/** Norms along `axis` (default 0) of at most `maxValue` (default 2). keras.constraints.MaxNorm */
export class MaxNorm extends NormConstraint {
  static override readonly name: string = 'MaxNorm';
  readonly maxValue: number;
  readonly axis: Axis;
  /** @throws TypeError, RangeError for unknown, doubled or wrong arguments. */
  constructor(config: Spelled<NormArguments & MostArgument> = {}) {
    super();
    ({ maxValue: this.maxValue, axis: this.axis } = readArguments(
      'MaxNorm',
      { maxValue: 2, axis: 0 as Axis },
      config,
    ));
  }
  protected range(): [number, number, number, boolean] {
    return [0, this.maxValue, Number.NaN, false];
  }
  override getConfig() {
    return { max_value: this.maxValue, axis: copyOf(this.axis) };
  }
}

/** Norms along `axis` (default 0) of 1. keras.constraints.UnitNorm */
export class UnitNorm extends NormConstraint {
  static override readonly name: string = 'UnitNorm';
  readonly axis: Axis;
  /** @throws TypeError for unknown, doubled or wrong arguments. */
  constructor(config: Spelled<NormArguments> = {}) {
    super();
    ({ axis: this.axis } = readArguments('UnitNorm', { axis: 0 as Axis }, config));
  }
  protected range(): [number, number, number, boolean] {
    return [1, 1, Number.NaN, true];
  }
  override getConfig() {
    return { axis: copyOf(this.axis) };
  }
}

/** Norms along `axis` moved into [minValue, maxValue], by the share `rate` of the way. keras.constraints.MinMaxNorm */
export class MinMaxNorm extends NormConstraint {
  static override readonly name: string = 'MinMaxNorm';
  readonly minValue: number;
  readonly maxValue: number;
  readonly rate: number;
  readonly axis: Axis;
  /** @throws TypeError, RangeError for unknown, doubled or wrong arguments, and for a range that is empty. */
  constructor(config: Spelled<NormArguments & MinMaxArguments> = {}) {
    super();
    const defaults = { minValue: 0, maxValue: 1, rate: 1, axis: 0 as Axis };
    ({
      minValue: this.minValue,
      maxValue: this.maxValue,
      rate: this.rate,
      axis: this.axis,
    } = readArguments('MinMaxNorm', defaults, config));
    if (this.minValue > this.maxValue)
      throw new RangeError(
        `MinMaxNorm: minValue must be at most maxValue, got ${this.minValue} and ${this.maxValue}.`,
      );
  }
  protected range(): [number, number, number, boolean] {
    return [this.minValue, this.maxValue, this.rate, false];
  }
  override getConfig() {
    return { min_value: this.minValue, max_value: this.maxValue, rate: this.rate, axis: copyOf(this.axis) };
  }
}

class FunctionConstraint extends Constraint {
  readonly apply: (values: Float32Array, shape: readonly number[]) => ArrayLike<number>;
  constructor(f: (values: Float32Array, shape: readonly number[]) => ArrayLike<number>) {
    super();
    this.apply = f;
  }
}

const classes = { NonNeg, MaxNorm, UnitNorm, MinMaxNorm };

/** What a Variable's `constraint` option may be, as a Constraint. */
export function constraintFrom(given: unknown, shape: readonly number[]): Constraint | null {
  const constraint = read(given);
  if (constraint instanceof BuiltIn) constraint.fits(shape);
  return constraint;
}

function read(given: unknown): Constraint | null {
  if (given === undefined || given === null) return null;
  if (given instanceof Constraint) {
    if (typeof given.apply === 'function') return given;
    throw new TypeError(`Variable: a Constraint must have a method apply(values), got ${describe(given)}.`);
  }
  if (typeof given === 'function') return new FunctionConstraint(given as FunctionConstraint['apply']);
  if (typeof given === 'object') refuseMisspelt('Variable: constraint', given);
  const { class_name: name, config } = given as { class_name?: unknown; config?: Record<string, unknown> };
  if (typeof given !== 'object' || typeof name !== 'string')
    throw new TypeError(
      `Variable: constraint must be a Constraint, a function, or { class_name, config }, got ${describe(given)}.`,
    );
  const found = Object.entries(classes).find(([known]) => known.toLowerCase() === name.toLowerCase());
  if (!found)
    throw new RangeError(
      `Variable: unknown constraint '${name}'.${suggestion(name, Object.keys(classes))} Known: ${Object.keys(classes).join(', ')}.`,
    );
  return new found[1]((config ?? {}) as never);
}
