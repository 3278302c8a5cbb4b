// What every way into the memory of TensorFlow.js has in common: the checks of a call, and how a variable gets data of
// its own.
import { describe } from '../basics/errors.js';
import { checkRows, SparseGradient } from '../step/sparse.js';
import type { Target } from '../step/target.js';
import type { Access } from './roster.js';
import type { TfBackend, TfEngine, TfTensor, TfVariable } from './tfjs-engine.js';

export type TfGradient = TfTensor | SparseGradient;

export interface TfAccess extends Access<TfVariable, TfGradient> {
  readonly backend: TfBackend;
  /** Whether a sparse gradient is made the dense one that it stands for: then no single rows are stepped. */
  readonly spreads: boolean;
  /** Whether what it made for the variables has been moved away from where tfjs sees it, by `onload`. */
  readonly isStale: boolean;
  /** Frees that, once the state is elsewhere or has gone. */
  release(): void;
  /** After a call, whether it was refused or not: what tfjs has to be told. */
  finish(stepped: boolean): void;
}

/** Twice for each variable of a step: as texts, this was two fifths of all that a step costs beside the kernel. */
const sameShape = (a: readonly number[], b: readonly number[]) =>
  a.length === b.length && a.every((extent, axis) => extent === b[axis]);

export abstract class Base implements TfAccess {
  readonly spreads: boolean = false;
  readonly backend: TfBackend;
  protected readonly engine: TfEngine;

  constructor(engine: TfEngine) {
    this.engine = engine;
    this.backend = engine.backend;
  }

  abstract executor(...args: Parameters<TfAccess['executor']>): ReturnType<TfAccess['executor']>;
  abstract bind(variable: TfVariable, target: Target): void;
  abstract bindGradient(gradient: TfGradient, target: Target): unknown;

  check(variable: TfVariable, gradient: TfGradient | null, target: Target): void {
    if (variable.isDisposed) throw new Error(`The variable '${variable.name}' has been disposed.`);
    if (variable.dtype !== 'float32')
      throw new TypeError(
        `The variable '${variable.name}' must be float32 to be trained, not ${variable.dtype}.`,
      );
    if (!sameShape(variable.shape, target.shape))
      throw new RangeError(
        `The variable '${variable.name}' had shape [${target.shape}], and has [${variable.shape}] now.`,
      );
    if (gradient === null) return;
    if (gradient instanceof SparseGradient) {
      checkRows(gradient, target);
      if (gradient.clip === 'rows')
        throw new RangeError(
          `The gradient of '${variable.name}': clip: 'rows' is for Variables and Float32Arrays; leave it at 'sum' here.`,
        );
      return;
    }
    if (typeof gradient.dtype !== 'string')
      throw new TypeError(
        `The gradient of '${variable.name}' must be a tensor, a SparseGradient or null, got ${describe(gradient)}.`,
      );
    if (gradient.isDisposed) throw new Error(`The gradient of '${variable.name}' has been disposed.`);
    if (gradient.dtype !== 'float32')
      throw new TypeError(`The gradient of '${variable.name}' must be float32, not ${gradient.dtype}.`);
    if (!sameShape(gradient.shape, target.shape))
      throw new RangeError(
        `The gradient of '${variable.name}' must have its shape [${target.shape}], got [${gradient.shape}].`,
      );
  }

  get isStale(): boolean {
    return false;
  }

  release(): void {}

  finish(_stepped: boolean): void {}

  /** Gives a variable data of its own. Whoever else holds the old data keeps it as it is. */
  protected replace(variable: TfVariable, values: Float32Array): void {
    const tensor = this.engine.makeTensor(values, variable.shape, 'float32');
    variable.assign(tensor);
    tensor.dispose();
  }
}
