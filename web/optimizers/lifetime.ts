// Whether an optimizer can be used now, and the errors if not: before it is built, after it was disposed, and while a
// call has not settled. What building makes is build.ts.

import type { StateEntry } from '../state/entries.js';
import type { Built } from '../step/executor.js';

/** Who has what was built, and the state: the optimizer's own part, or optimizers that it wraps. */
export interface Holder {
  /** Calls so far. */
  readonly iterations: number;
  /** null if nothing is built */
  readonly executor: Built | null;
  /** @throws Error if nothing is built */
  require(): Built;
  /** The state in Keras' order, without that of variables that were disposed. `name` is the optimizer's. */
  entries(name: string): StateEntry[];
}

export class Lifetime {
  readonly #name: string;
  readonly #holder: Holder;
  #disposed = false;

  constructor(name: string, holder: Holder) {
    this.#name = name;
    this.#holder = holder;
  }

  get executor(): Built | null {
    return this.#disposed ? null : this.#holder.executor;
  }

  /** Calls so far. */
  get iterations(): number {
    return this.#holder.iterations;
  }

  /** @throws Error after dispose, or if nothing was built */
  require(): Built {
    this.alive();
    return this.#holder.require();
  }

  /** What was built, to be read as a whole or changed. @throws Error as `require`, and while a call has not settled */
  ready(what: string): Built {
    const executor = this.require();
    executor.pending.check(what);
    return executor;
  }

  /** @throws Error after dispose */
  alive(): void {
    if (this.#disposed) throw new Error(`The optimizer '${this.#name}' has been disposed.`);
  }

  /** @throws Error after dispose, and while a call has not settled */
  idle(what: string): void {
    this.alive();
    this.#holder.executor?.pending.check(what);
  }

  /** Returns whether this is the first time. */
  end(): boolean {
    const first = !this.#disposed;
    this.#disposed = true;
    return first;
  }
}
