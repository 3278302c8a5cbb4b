// What a call of an optimizer begins with, whether it steps variables of its own (run.ts) or those of optimizers within
// it (multi-run.ts): may it be called now, what is it called with, and is there something to build first.

import { describe } from '../basics/errors.js';
import { isFloats } from '../basics/floats.js';
import type { Core } from '../engine/core.js';
import type { Parameter } from '../step/parameters.js';
import type { DeviceBuffer, DeviceRange } from '../step/remote.js';
import { heldGradient } from '../step/selection.js';
import { SparseGradient } from '../step/sparse.js';
import type { GradientLike } from '../step/target.js';
import type { Configuration } from './configuration.js';
import type { Lifetime } from './lifetime.js';
import type { Building, Face, Running } from './parts.js';
import type { Account } from './report.js';

export type Variables = readonly Parameter[] | undefined;

export const isHere = (g: unknown) => isFloats(g) || g instanceof SparseGradient;

export abstract class BaseRun<B extends Building> implements Running {
  protected readonly options: Configuration;
  protected readonly build: B;
  protected readonly lifetime: Lifetime;
  readonly #face: Face;
  /** Steps that were left out because of a gradient that was not finite. */
  skipped = 0;

  constructor(options: Configuration, build: B, lifetime: Lifetime, face: Face) {
    this.options = options;
    this.build = build;
    this.lifetime = lifetime;
    this.#face = face;
  }

  apply(grads: readonly GradientLike[], variables: Variables): void | Promise<void> {
    this.lifetime.idle('apply');
    return this.#apply(grads, variables);
  }

  record(encoder: object, grads: readonly GradientLike[], variables: Variables): void {
    if (typeof (encoder as { beginComputePass?: unknown } | null)?.beginComputePass !== 'function')
      throw new TypeError(`record takes a GPUCommandEncoder first, got ${describe(encoder)}.`);
    this.lifetime.idle('record');
    this.#apply(grads, variables, encoder);
  }

  #apply(grads: readonly GradientLike[], variables: Variables, encoder?: object): void | Promise<void> {
    const scale = this.options.values.lossScaleFactor ?? 1;
    const isEmpty = Array.isArray(grads) && grads.length === 0 && !variables?.length;
    if (isEmpty || !this.skips) return this.applyScaled(grads, variables, scale, encoder);
    const step = (finite: boolean, known: readonly GradientLike[]) => {
      if (finite) return this.applyScaled(known, variables, scale, encoder);
      this.skipped++;
    };
    return this.build.orUndo(() => this.ifFinite(grads, variables, step, encoder));
  }

  /** Whether a step with a gradient that is not finite is left out. */
  protected abstract get skips(): boolean;

  ifFinite(
    grads: readonly GradientLike[],
    variables: Variables,
    step: (finite: boolean, grads: readonly GradientLike[]) => void | Promise<void>,
    encoder?: object,
  ): void | Promise<void> {
    if (encoder && Array.isArray(grads) && !grads.every((g) => !g || isHere(g)))
      throw new Error(
        `record: whether gradients on the GPU are finite must be waited for, as ${this.options.kind.className} is set up, and cannot be recorded; await apply() instead.`,
      );
    const finite = this.allFinite(grads, variables);
    if (!(finite instanceof Promise)) return step(finite, grads);
    const held = grads.map(heldGradient);
    const finished = finite.then((known) => step(known, held));
    return this.lifetime.require().pending.during('apply', finished);
  }

  /** A step whose gradients are divided by `lossScale` first; also while LossScaleOptimizer's has not settled. */
  applyScaled(
    grads: readonly GradientLike[],
    variables: Variables,
    lossScale: number,
    encoder?: object,
  ): void | Promise<void> {
    this.lifetime.alive();
    if (Array.isArray(grads) && grads.length === 0 && !variables?.length) return undefined;
    if (this.build.executor) return this.begin(grads, variables, lossScale, encoder); // without a closure
    return this.build.orUndo(() => this.begin(grads, variables, lossScale, encoder));
  }

  /** The call, of an optimizer that is built or will be undone if it fails. */
  protected abstract begin(
    grads: readonly GradientLike[],
    variables: Variables,
    lossScale: number,
    encoder?: object,
  ): void | Promise<void>;

  abstract allFinite(grads: readonly GradientLike[], variables: Variables): boolean | Promise<boolean>;
  abstract updateOnly(
    gradient: Float32Array | DeviceBuffer | DeviceRange,
    variable: Parameter,
    learningRate: number,
  ): void;
  abstract finalize(variables: readonly Parameter[]): void;
  abstract account(): Account | null;
  abstract readAccount(): Promise<Account | null>;

  /** Refuses what are no lists, and builds if there are variables for it. Returns the gradients, as `kept` does. */
  protected built(grads: readonly GradientLike[], variables: Variables): readonly GradientLike[] {
    if (!Array.isArray(grads))
      throw new TypeError(`apply takes an array of gradients, got ${describe(grads)}.`);
    if (variables !== undefined && !Array.isArray(variables))
      throw new TypeError(`apply: variables must be an array, got ${describe(variables)}.`);
    if (!this.build.executor && variables)
      grads = kept(this.build.core, grads, () => {
        this.#face.build(variables);
        this.build.byApply = true;
      });
    this.lifetime.alive();
    return grads;
  }
}

/** The gradients after building: those that lie in the engine's memory are looked at anew, because it may have grown. */
function kept(core: Core, grads: readonly GradientLike[], build: () => void): readonly GradientLike[] {
  const places = grads.map((g) =>
    isFloats(g) && core.owns(g) ? { at: g.byteOffset, size: g.length } : null,
  );
  build();
  return places.map((place, k) => (place ? core.floats(place.at, place.size) : grads[k]));
}
