// Keras' weight constraints: projections applied to a variable after its update and its moving average. The
// arithmetic is the engine's (cpp/kernels/constrain.h). A function of the user's own is one as well.

import { describe, suggestion } from '../basics/errors.js';
import type { Engine } from '../engine/engine.js';
import { snakeCase } from '../optimizers/options.js';

/** Extend it for a constraint of your own: `apply` gets a copy of the values and returns what they shall be. */
export abstract class Constraint {
  static readonly name: string = 'Constraint';
  /** @param values a copy, row-major; @returns as many values. Throwing leaves the optimizer as it was. */
  abstract apply(values: Float32Array, shape: readonly number[]): ArrayLike<number>;

  /** Constructor arguments in Keras' spelling. */
  getConfig(): Record<string, unknown> {
    return {};
  }

  static fromConfig<T>(this: new (config: never) => T, config: Record<string, unknown> = {}): T {
    return new this(config as never);
  }
}

/** Projects a resident variable in place. A user's own constraint works on a copy. */
export let project: (constraint: Constraint, engine: Engine, variable: Constrained, address: number) => void;
/** Whether it may throw after the step, so that the step must be taken back. */
export let isUsersOwn: (constraint: Constraint | null) => boolean;

/** A built-in projection as numbers, for those who do it elsewhere: norms over `axis` of [outer, axis, inner]. */
export interface Projection {
  readonly split: readonly [outer: number, axis: number, inner: number];
  /** null: negative values become 0. */
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
    project = (constraint, engine, variable, address) => {
      if (constraint instanceof BuiltIn) {
        constraint.project(engine, address, variable.shape);
        return;
      }
      const result = constraint.apply(variable.value.slice(), variable.shape);
      if (typeof result !== 'object' || result === null || result.length !== variable.size)
        throw new RangeError(
          `The constraint of '${variable.path}' must return ${variable.size} values, got ${describe(result)}.`,
        );
      variable.value.set(result);
    };
  }
  protected abstract project(engine: Engine, address: number, shape: readonly number[]): void;
  protected abstract projection(shape: readonly number[]): Projection;
  /** @throws RangeError if it cannot be applied to a variable of this shape */
  fits(_shape: readonly number[]): void {}

  apply(values: Float32Array): ArrayLike<number> {
    return values; // not called: `project` does the work in place
  }
}

function readArguments<T extends object>(className: string, defaults: T, given: unknown): T {
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    throw new TypeError(`${className}: arguments must be an object, got ${describe(given)}.`);
  const out: Record<string, unknown> = Object.fromEntries(Object.entries(defaults));
  const names = Object.keys(defaults);
  for (const [key, value] of Object.entries(given)) {
    const name = names.find((n) => n === key || snakeCase(n) === key);
    if (!name) throw new TypeError(`${className}: unknown argument '${key}'.${suggestion(key, names)}`);
    if (value === undefined) continue;
    const fits =
      name === 'axis'
        ? [value].flat().every((a) => Number.isInteger(a))
        : typeof value === 'number' && Number.isFinite(value);
    if (!fits)
      throw new TypeError(
        `${className}: ${name} must be ${name === 'axis' ? 'an integer or an array of integers' : 'a finite number'}, got ${describe(value)}.`,
      );
    out[name] = value;
  }
  return out as T;
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
  const size = (from: number, to: number) => shape.slice(from, to).reduce((a, b) => a * b, 1);
  const [first, last] = [axes[0], axes[axes.length - 1] + 1];
  return [size(0, first), size(first, last), size(last, shape.length)];
}

/** Negative weights become 0. keras.constraints.NonNeg */
export class NonNeg extends BuiltIn {
  static override readonly name: string = 'NonNeg';
  constructor(config: Record<string, never> = {}) {
    super();
    readArguments('NonNeg', {}, config);
  }
  protected project(engine: Engine, address: number, shape: readonly number[]): void {
    engine.module.nonNegative(address, this.projection(shape).split[0]);
  }
  protected projection(shape: readonly number[]): Projection {
    return { split: [shape.reduce((a, b) => a * b, 1), 1, 1], range: null };
  }
}

type Axis = number | number[];

abstract class NormConstraint extends BuiltIn {
  abstract readonly axis: Axis;
  override fits(shape: readonly number[]): void {
    split(this.constructor.name, shape, this.axis);
  }
  protected abstract range(): [least: number, most: number, rate: number, unit: boolean];

  protected project(engine: Engine, address: number, shape: readonly number[]): void {
    engine.module.boundNorm(address, ...split(this.constructor.name, shape, this.axis), ...this.range());
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
  constructor(config: { maxValue?: number; axis?: Axis } = {}) {
    super();
    ({ maxValue: this.maxValue, axis: this.axis } = readArguments(
      'MaxNorm',
      { maxValue: 2, axis: 0 as Axis },
      config,
    ));
  }
  protected range(): [number, number, number, boolean] {
    return [0, this.maxValue, 1, false];
  }
  override getConfig() {
    return { max_value: this.maxValue, axis: this.axis };
  }
}

/** Norms along `axis` (default 0) of 1. keras.constraints.UnitNorm */
export class UnitNorm extends NormConstraint {
  static override readonly name: string = 'UnitNorm';
  readonly axis: Axis;
  constructor(config: { axis?: Axis } = {}) {
    super();
    ({ axis: this.axis } = readArguments('UnitNorm', { axis: 0 as Axis }, config));
  }
  protected range(): [number, number, number, boolean] {
    return [1, 1, 1, true];
  }
  override getConfig() {
    return { axis: this.axis };
  }
}

/** Norms along `axis` moved into [minValue, maxValue], by the share `rate` of the way. keras.constraints.MinMaxNorm */
export class MinMaxNorm extends NormConstraint {
  static override readonly name: string = 'MinMaxNorm';
  readonly minValue: number;
  readonly maxValue: number;
  readonly rate: number;
  readonly axis: Axis;
  constructor(config: { minValue?: number; maxValue?: number; rate?: number; axis?: Axis } = {}) {
    super();
    const defaults = { minValue: 0, maxValue: 1, rate: 1, axis: 0 as Axis };
    ({
      minValue: this.minValue,
      maxValue: this.maxValue,
      rate: this.rate,
      axis: this.axis,
    } = readArguments('MinMaxNorm', defaults, config));
  }
  protected range(): [number, number, number, boolean] {
    return [this.minValue, this.maxValue, this.rate, false];
  }
  override getConfig() {
    return { min_value: this.minValue, max_value: this.maxValue, rate: this.rate, axis: this.axis };
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
  if (given instanceof Constraint) return given;
  if (typeof given === 'function') return new FunctionConstraint(given as FunctionConstraint['apply']);
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
