// Steps over arrays of the JavaScript heap: they pass through two tiles of the engine's memory, which stay in the
// cache. Also gradients of which only some rows are given, and the norms of gradients out there. It moves data and
// decides nothing; engine-executor.ts does.
import type { Calls } from '../engine/calls.js';
import type { Core, EngineOptimizer } from '../engine/core.js';
import { type RuleFacts, tileSize } from '../engine/facts.js';
import type { Selection } from './executor.js';
import type { Rows } from './sparse.js';
import type { Gradient, Target } from './target.js';

/** Arrays with fewer elements share the tiles. Longer ones start where the tiles do, at a good place in a page. */
const small = 1024;

export class Tiles {
  readonly #core: Core;
  readonly #native: EngineOptimizer;
  readonly #calls: Calls;
  readonly #bySums: boolean;
  readonly #readsWhole: boolean;
  #weights: Float32Array = new Float32Array(0);
  #gradient: Float32Array = new Float32Array(0);
  // The part of the weights tile that a small array last had, and where that begins: kept, because making a view
  // costs more than the copy.
  readonly #views: Float32Array[] = [];
  readonly #starts: number[] = [];

  constructor(core: Core, native: EngineOptimizer, calls: Calls, rule: RuleFacts) {
    this.#bySums = rule.passes > 1;
    this.#readsWhole = rule.whole;
    this.#core = core;
    this.#native = native;
    this.#calls = calls;
  }

  /** Floats of a tile: a rule that reads whole variables has tiles as long as the longest. */
  get #size(): number {
    return this.#readsWhole ? this.#native.tile() : tileSize;
  }

  /** The tiles, made anew when the memory has grown away from under them. */
  get #weightsTile(): Float32Array {
    if (!this.#readsWhole) return this.#core.weightsTile;
    const address = this.#native.weightsTile(); // others once a variable has come that is longer
    if (this.#weights.length === 0 || this.#weights.byteOffset !== address) {
      this.#weights = this.#core.floats(address, this.#native.tile());
      this.#views.length = 0;
    }
    return this.#weights;
  }
  get #gradientTile(): Float32Array {
    if (!this.#readsWhole) return this.#core.gradientTile;
    const address = this.#native.gradientTile();
    if (this.#gradient.length === 0 || this.#gradient.byteOffset !== address)
      this.#gradient = this.#core.floats(address, this.#native.tile());
    return this.#gradient;
  }

  /** Calls `f` for each tile of a variable; an array's values are in the weights tile meanwhile. */
  each(target: Target, f: (from: number, size: number) => void): void {
    const inBlocks = target.stateDtype === 'int8'; // sums follow from tile to tile
    if (!inBlocks && (this.#bySums || this.#native.monitoring())) this.#half(target, 0, target.size, f);
    else this.#range(target, 0, target.size, f);
  }

  /** What is summed over the variable is taken in the order of summation: cpp/kernels/reduce.h. */
  #half(target: Target, from: number, n: number, f: (from: number, size: number) => void): void {
    if (n <= this.#size) {
      this.#range(target, from, from + n, f);
      return;
    }
    const half = (n >> 1) - ((n >> 1) % 8);
    this.#half(target, from, half, f);
    this.#half(target, from + half, n - half, f);
  }

  #range(target: Target, start: number, end: number, f: (from: number, size: number) => void): void {
    const { array } = target;
    const weights = this.#weightsTile;
    for (let from = start; from < end; from += this.#size) {
      const count = Math.min(this.#size, end - from);
      const whole = count === array?.length;
      if (array) weights.set(whole ? array : array.subarray(from, from + count));
      f(from, count);
      if (array) array.set(count === this.#size ? weights : weights.subarray(0, count), from);
    }
  }

  /** Steps with dense gradients of the entries listed: those of which something is outside of the engine. */
  step(entries: readonly number[], targets: readonly Target[], selection: Selection): void {
    for (let k = 0; k < entries.length; ) {
      const j = entries[k];
      const target = targets[selection.rows[j]];
      if (target.size < small) {
        k = this.#shared(entries, k, targets, selection);
      } else {
        this.#whole(j, target, selection.gradients[j] as Float32Array, selection.addresses[j] !== 0);
        k++;
      }
    }
  }

  /** One variable, a tile at a time. */
  #whole(entry: number, target: Target, g: Float32Array, resident: boolean): void {
    const tile = this.#gradientTile;
    this.each(target, (from, count) => {
      if (!resident) tile.set(count === g.length ? g : g.subarray(from, from + count));
      this.#calls.chunk(entry, from, count);
    });
  }

  /** As many small variables as the tiles hold, from `entries[k]` on, one behind another. Returns the next k. */
  #shared(entries: readonly number[], k: number, targets: readonly Target[], selection: Selection): number {
    const { rows, gradients, addresses } = selection;
    const [gradientTile, weightsTile] = [this.#gradientTile, this.#weightsTile];
    const first = entries[k];
    let at = 0;
    let count = 0;
    for (; k + count < entries.length && entries[k + count] === first + count; count++) {
      const j = first + count;
      const { size, array } = targets[rows[j]];
      if (size >= small || at + size > this.#size) break;
      if (addresses[j] === 0) gradientTile.set(gradients[j] as Float32Array, at);
      if (array) weightsTile.set(array, at);
      at += (size + 3) & ~3;
    }
    this.#calls.chunks(first, count);
    at = 0;
    for (let j = first; j < first + count; j++) {
      const { row, size, array } = targets[rows[j]];
      if (array) array.set(this.#weightsView(row, at, size));
      at += (size + 3) & ~3;
    }
    return k + count;
  }

  #weightsView(row: number, at: number, size: number): Float32Array {
    const view = this.#views[row];
    if (view !== undefined && view.length === size && this.#starts[row] === at) return view;
    this.#starts[row] = at;
    this.#views[row] = this.#weightsTile.subarray(at, at + size);
    return this.#views[row];
  }

  /** The rule alone. */
  updateOnly(target: Target, g: Float32Array, rate: number): void {
    this.each(target, (from, size) => {
      this.#gradientTile.set(g.subarray(from, from + size));
      this.#native.updateOnly(target.row, from, size, 0, rate);
    });
  }

  /** Puts the part of the rows that falls into [from, from + size) into the zeroed tile, or zeros it again. */
  #scatter({ rows, values, width }: Rows, from: number, size: number, clear: boolean): void {
    const tile = this.#gradientTile;
    let low = 0; // first row that ends after `from`
    for (let high = rows.length; low < high; ) {
      const middle = (low + high) >> 1;
      if ((rows[middle] + 1) * width <= from) low = middle + 1;
      else high = middle;
    }
    for (let k = low; k < rows.length && rows[k] * width < from + size; k++) {
      const first = Math.max(rows[k] * width, from);
      const last = Math.min((rows[k] + 1) * width, from + size);
      const at = k * width + first - rows[k] * width;
      if (clear) tile.fill(0, first - from, last - from);
      else tile.set(values.subarray(at, at + last - first), first - from);
    }
  }

  /** One variable's step with a gradient that is zero but for some rows. */
  sparseChunks(entry: number, target: Target, given: Rows): void {
    this.#gradientTile.fill(0, 0, Math.min(this.#size, target.size));
    this.each(target, (from, size) => {
      this.#scatter(given, from, size, false);
      this.#calls.chunk(entry, from, size);
      this.#scatter(given, from, size, true);
    });
  }

  /** Only the rows given: the lazy Adamax of optimizer_v2, and the gathering of a micro step. */
  givenRows(entry: number, target: Target, { rows, values, width }: Rows): void {
    const [weightsTile, gradientTile] = [this.#weightsTile, this.#gradientTile];
    for (let k = 0; k < rows.length; k++) {
      for (let i = 0; i < width; i += this.#size) {
        const size = Math.min(this.#size, width - i);
        const from = rows[k] * width + i;
        gradientTile.set(values.subarray(k * width + i, k * width + i + size));
        if (target.array) weightsTile.set(target.array.subarray(from, from + size));
        this.#calls.chunk(entry, from, size);
        if (target.array) target.array.set(weightsTile.subarray(0, size), from);
      }
    }
  }

  /**
   * Sum of squares of a gradient outside the engine, in the order of cpp/kernels/reduce.h: the same splits down
   * to a tile. A sparse one is summed over its rows alone, unless there is an accumulator to add.
   */
  sumOfSquares(entry: number, target: Target, gradient: Gradient, given: Rows | undefined): number {
    if (target.size === 0) return 0;
    const tile = this.#gradientTile;
    const gathered = this.#native.accumulationSteps > 0;
    const sum = (n: number, fill: (from: number, size: number) => void, from = 0): number => {
      if (n <= this.#size) {
        fill(from, n);
        return this.#native.chunkSumOfSquares(entry, gathered ? from : 0, 0, n);
      }
      const half = (n >> 1) - ((n >> 1) % 8);
      return Math.fround(sum(half, fill, from) + sum(n - half, fill, from + half));
    };
    if (given && gathered) {
      return sum(target.size, (from, size) => {
        tile.fill(0, 0, size);
        this.#scatter(given, from, size, false);
      });
    }
    const values = given ? given.values : (gradient as Float32Array);
    return sum(values.length, (from, size) => tile.set(values.subarray(from, from + size)));
  }
}
