// What a call of an optimizer begins with, whether it steps variables of its own (run.ts) or those of optimizers within
// it (multi-run.ts): may it be called now, what is it called with, and is there something to build first.

import { describe } from '../basics/errors.js';
import { isFloats } from '../basics/floats.js';
import type { Core } from '../engine/core.js';
import type { Parameter } from '../step/parameters.js';
import type { DeviceBuffer, DeviceRange } from '../step/remote.js';
import type { GradientLike } from '../step/target.js';
import type { Configuration } from './configuration.js';
import type { Lifetime } from './lifetime.js';
import type { Building, Face, Running } from './parts.js';
import type { Account } from './report.js';

export type Variables = readonly Parameter[] | undefined;

export abstract class BaseRun<B extends Building> implements Running {
  protected readonly options: Configuration;
  protected readonly build: B;
  protected readonly lifetime: Lifetime;
  readonly #face: Face;

  constructor(options: Configuration, build: B, lifetime: Lifetime, face: Face) {
    this.options = options;
    this.build = build;
    this.lifetime = lifetime;
    this.#face = face;
  }

  apply(grads: readonly GradientLike[], variables: Variables): void | Promise<void> {
    this.lifetime.idle('apply');
    return this.applyScaled(grads, variables, this.options.values.lossScaleFactor ?? 1);
  }

  record(encoder: object, grads: readonly GradientLike[], variables: Variables): void {
    if (typeof (encoder as { beginComputePass?: unknown } | null)?.beginComputePass !== 'function')
      throw new TypeError(`record takes a GPUCommandEncoder first, got ${describe(encoder)}.`);
    this.lifetime.idle('record');
    this.applyScaled(grads, variables, this.options.values.lossScaleFactor ?? 1, encoder);
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

  /** Refuses what are no lists, and builds if there are variables for it. Returns the gradients, as `kept` does. */
  protected built(grads: readonly GradientLike[], variables: Variables): readonly GradientLike[] {
    if (!Array.isArray(grads))
      throw new TypeError(`apply takes an array of gradients, got ${describe(grads)}.`);
    if (variables !== undefined && !Array.isArray(variables))
      throw new TypeError(`apply: variables must be an array, got ${describe(variables)}.`);
    if (!this.build.executor && variables)
      grads = kept(this.build.core, grads, () => this.#face.build(variables));
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
