// The calls of a step into the engine (cpp/engine/optimizer.h). They are plain exports and not methods of Embind's
// class: that puts the arguments of every call into an array, where a memory may be larger than 2 GiB, and a step of
// small variables shall cost little and make no garbage.
import type { Core, EngineOptimizer } from './core.js';
import type { StepExports } from './step-exports.js';

export class Calls {
  readonly #exports: StepExports;
  readonly #optimizer: number;

  constructor(core: Core, optimizer: EngineOptimizer) {
    this.#exports = core.module;
    this.#optimizer = optimizer.address();
  }

  /** All of the following in one: for lists of which all lies in the engine. */
  step(count: number, changed: boolean): void {
    this.#exports._optimizer_step(this.#optimizer, count, changed ? 1 : 0);
  }

  /** `changed`: the list is not what it was at the last `begin`. Returns whether the step updates, or only gathers. */
  begin(count: number, changed: boolean): boolean {
    return this.#exports._optimizer_begin(this.#optimizer, count, changed ? 1 : 0) !== 0;
  }

  plan(): void {
    this.#exports._optimizer_plan(this.#optimizer);
  }

  sweep(): void {
    this.#exports._optimizer_sweep(this.#optimizer);
  }

  /** Part of an entry through the tiles. */
  chunk(entry: number, from: number, count: number): void {
    this.#exports._optimizer_chunk(this.#optimizer, entry, from, count);
  }

  /** Entries, whole, that lie in the tiles one behind another, each from a multiple of four floats on. */
  chunks(entry: number, count: number): void {
    this.#exports._optimizer_chunks(this.#optimizer, entry, count);
  }

  /** Whether there is a second pass over the elements: `sweep` and `chunk` again, then. */
  nextPass(): boolean {
    return this.#exports._optimizer_next_pass(this.#optimizer) !== 0;
  }

  end(): void {
    this.#exports._optimizer_end(this.#optimizer);
  }
}
