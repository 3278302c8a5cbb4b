// Where a Variable's values are, behind its public face: an address in the engine or a residence elsewhere, its gradient
// buffer, and who knows it. It moves and frees memory; what a user may ask of it is variable.ts.

import type { Core } from '../engine/core.js';
import { roles } from '../engine/facts.js';
import type { Residence } from './elsewhere.js';
import type { Pending } from './pending.js';

/** What a built optimizer is to a variable that it knows. */
export interface Claim {
  readonly pending: Pending;
  /** The variable is going to be disposed: frees its state. */
  retire(variable: object): void;
}

/** In place of a view that nobody has asked for: one for all, as a buffer is a large object. */
const none = new Float32Array(0);

const homes = new WeakMap<object, Home>();

/** Of a Variable; there is nothing for anything else. */
export const homeOf = (variable: object): Home => homes.get(variable) as Home;

export class Home {
  /** Whether neither name nor path was given: then the optimizer numbers it, as it does plain arrays. */
  readonly isUnnamed: boolean;
  /** Those who know the variable: while there are several, it cannot move. */
  readonly claims = new Set<Claim>();
  /** In the engine; 0 if it lives elsewhere or was disposed. */
  address = 0;
  /** Of its gradient buffer, 0 if that was never touched. */
  gradientAddress = 0;
  /** Where it lives, if not in the engine; null also once disposed. */
  residence: Residence | null = null;
  readonly #core: Core;
  readonly #path: string;
  readonly #size: number;
  #value: Float32Array = none;
  #gradient: Float32Array = none;

  constructor(variable: { path: string; size: number }, core: Core, isUnnamed: boolean) {
    this.#core = core;
    this.#path = variable.path;
    this.#size = variable.size;
    this.isUnnamed = isUnnamed;
    homes.set(variable, this);
  }

  get isDisposed(): boolean {
    return this.address === 0 && !this.residence;
  }

  /** @throws Error once disposed */
  check(): void {
    if (this.isDisposed) throw new Error(`Variable '${this.#path}' has been disposed.`);
  }

  /** Live view of the values. @throws Error if they live elsewhere */
  get value(): Float32Array {
    if (this.#value.length === 0) {
      this.check();
      if (this.residence)
        throw new Error(
          `The variable '${this.#path}' lives on the GPU: await its read(), or onload() of its optimizer, first.`,
        );
      this.#value = this.#core.floats(this.address, this.#size);
    }
    return this.#value;
  }

  /** Live view of the gradient buffer, which is made on first use. */
  get gradient(): Float32Array {
    if (this.#gradient.length === 0) {
      this.check();
      if (this.gradientAddress === 0) {
        const what = `the gradient of '${this.#path}'`;
        this.gradientAddress = this.#core.allocate(this.#size, roles.gradient, what);
        this.#core.endEpoch();
      }
      this.#gradient = this.#core.floats(this.gradientAddress, this.#size);
    }
    return this.#gradient;
  }

  /** Zeroed values in the engine. @throws RangeError if there is no memory */
  allocate(): number {
    return this.#core.allocate(this.#size, roles.weights, `the variable '${this.#path}'`);
  }

  /**
   * Moves the home and not the values: out of the engine, or back into it (null), zeroed.
   * @throws RangeError if there is no memory: nothing was moved
   */
  relocate(to: Residence | null): void {
    const address = to ? 0 : this.allocate();
    this.#core.endEpoch();
    this.#core.module.release(this.address, this.#size);
    this.address = address;
    this.residence = to;
    this.#value = none;
  }

  free(): void {
    const { module } = this.#core;
    this.#core.endEpoch();
    this.residence?.free();
    this.residence = null;
    module.release(this.address, this.#size);
    module.release(this.gradientAddress, this.#size);
    this.address = this.gradientAddress = 0;
    this.#value = this.#gradient = none;
  }
}
