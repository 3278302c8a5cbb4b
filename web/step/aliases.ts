// Gradients that are views of what a step writes: a variable's value (the loss Σ a·b has the gradients b and a), or
// state. The step reads them as they were before it, so they are copied; here is how they are found. What is surely
// none costs a comparison: a variable's own gradient buffer, and arrays in buffers of their own.
import type { Core } from '../engine/core.js';
import { ruleFacts } from '../engine/facts.js';
import type { Executor } from './executor.js';
import { homeOf } from './home.js';
import type { Target } from './target.js';

export interface Range {
  readonly start: number;
  readonly end: number;
}

export class Aliases {
  readonly #core: Core;
  readonly #executor: Executor;
  /** Of plain arrays, by buffer, in ascending order: they do not overlap. */
  readonly #arrays = new Map<ArrayBufferLike, Range[]>();
  /** Of the engine's memory, and the epoch in which they were looked up. */
  #resident: Range[] = [];
  #epoch = -1;

  constructor(core: Core, executor: Executor) {
    this.#core = core;
    this.#executor = executor;
    for (const { array } of executor.targets) {
      if (!array) continue;
      const { buffer } = array;
      const list = this.#arrays.get(buffer);
      if (list) list.push(rangeOf(array));
      else this.#arrays.set(buffer, [rangeOf(array)]);
    }
    for (const list of this.#arrays.values()) list.sort(byStart);
  }

  /** @param address in the engine's memory; 0 for an array of the JavaScript heap */
  has(gradient: Float32Array, address: number, { variable }: Target): boolean {
    if (address === 0) {
      if (this.#arrays.size === 0) return false;
      const list = this.#arrays.get(gradient.buffer);
      return list !== undefined && overlaps(list, rangeOf(gradient));
    }
    if (variable && address === homeOf(variable).gradientAddress) return false;
    return overlaps(this.#written(), rangeOf(gradient));
  }

  #written(): readonly Range[] {
    const { epoch } = this.#core;
    if (epoch === this.#epoch) return this.#resident;
    const executor = this.#executor;
    const slots = ruleFacts(executor.rule).slots.length;
    const views: (Float32Array | null)[] = [];
    for (const target of executor.targets) {
      const { variable } = target;
      if (variable && homeOf(variable).address === 0) continue; // disposed, or on a GPU
      if (variable) views.push(variable.value);
      views.push(executor.averageOf(target), executor.accumulatorOf(target));
      for (let k = 0; k < slots; k++) views.push(executor.slotOf(target, k));
    }
    const ranges = views.filter((view) => view !== null).map(rangeOf);
    this.#resident = ranges.filter(({ start, end }) => start < end).sort(byStart);
    this.#epoch = epoch;
    return this.#resident;
  }
}

export const byStart = (a: Range, b: Range) => a.start - b.start;
const rangeOf = ({ byteOffset, byteLength }: Float32Array): Range => ({
  start: byteOffset,
  end: byteOffset + byteLength,
});

/** Whether one of the ranges, in ascending order and without overlaps, shares bytes with another. */
export function overlaps(ranges: readonly Range[], { start, end }: Range): boolean {
  let low = 0; // the first range that ends after `start`
  for (let high = ranges.length; low < high; ) {
    const middle = (low + high) >> 1;
    if (ranges[middle].end <= start) low = middle + 1;
    else high = middle;
  }
  return low < ranges.length && start < end && ranges[low].start < end;
}
