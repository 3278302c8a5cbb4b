// The engine-facing half of an optimizer: rows for its variables and one step over them. It moves addresses
// and, for arrays of the JavaScript heap, tiles. What is valid is selection.ts, and what the options mean configuration.ts.

import { sizeOf } from '../basics/floats.js';
import { isUsersOwn, project } from '../constraints/constraints.js';
import { Calls } from '../engine/calls.js';
import type { Core, EngineOptimizer } from '../engine/core.js';
import { entry, type RuleFacts, ruleFacts, storages, tileSize } from '../engine/facts.js';
import type { Elsewhere, Guest } from './elsewhere.js';
import type { Executor, Selection } from './executor.js';
import { homeOf } from './home.js';
import { type NarrowSlot, narrowSlot } from './narrow.js';
import { Pending } from './pending.js';
import { countOf, slotShape } from './slots.js';
import { clippedRows, clipsRows, type Rows, SparseGradient } from './sparse.js';
import type { Gradient, Resident, StepOptions, Target } from './target.js';
import { Tiles } from './tiles.js';

type SparseRows = Map<number, Rows>;
const none: SparseRows = new Map(); // shared, so that a dense step makes no garbage
const empty = new Float32Array(0);

const rowBytes = 512; // of a variable in the engine's lists, while they grow, generously
const { words } = entry;

export class EngineExecutor implements Executor, Guest {
  readonly native: EngineOptimizer;
  readonly rule: string;
  readonly targets: readonly Target[];
  /** A constraint of the user's own may throw after the update. */
  readonly canThrow: boolean;
  readonly pending = new Pending();
  /** The rows that live on a GPU; null until there are any. */
  elsewhere: Elsewhere | null = null;
  /** For `elsewhere`: whether rows have averages and accumulators. */
  readonly averages: boolean;
  readonly accumulates: boolean;
  readonly #core: Core;
  readonly #calls: Calls;
  #list = new Uint32Array(0);
  #sums = new Float32Array(0);
  readonly #rule: RuleFacts;
  readonly #parallel: boolean;
  readonly #foreign: boolean;
  readonly #constrained: boolean;
  #lossScale = Number.NaN;
  /** The version of the selection that the list was written for. */
  #listed = -1;
  /** Whether anything of that selection is out of the engine's reach; and what of it goes through the tiles. */
  #outside = false;
  #sparse: SparseRows = none;
  readonly #staged: number[] = [];
  readonly #tiles: Tiles;

  /** @throws RangeError if there is no memory; nothing is left behind. */
  constructor(core: Core, rule: string, targets: readonly Target[], averages: boolean, accumulates: boolean) {
    this.#core = core;
    this.averages = averages;
    this.accumulates = accumulates;
    this.rule = rule;
    this.targets = targets;
    this.#foreign = targets.some((t) => t.array);
    this.#constrained = targets.some((t) => t.constraint);
    this.canThrow = targets.some((t) => isUsersOwn(t.constraint));
    this.#rule = ruleFacts(rule);
    this.native = new core.module.Optimizer(this.#rule.index);
    this.#calls = new Calls(core, this.native);
    this.#tiles = new Tiles(core, this.native, this.#calls, this.#rule);
    const arrays = this.#rule.slots.length + Number(averages) + Number(accumulates);
    let bytes = rowBytes * targets.length;
    if (!core.module.fits(bytes)) {
      this.native.delete();
      throw core.outOfMemory(bytes, `${targets.length} variables`);
    }
    for (const target of targets) {
      const { row, variable, size, matrix, stateDtype } = target;
      const home = variable && homeOf(variable);
      if (home?.residence) this.native.addElsewhere(size, averages);
      else {
        this.native.add(size, home?.address ?? 0, averages, accumulates);
        bytes += 4 * size * arrays;
      }
      if (matrix) this.native.setMatrix(row, countOf(target), ...matrix);
      if (stateDtype) this.native.setStorage(row, storages[stateDtype]);
    }
    if (!this.native.build()) {
      this.native.delete();
      throw core.outOfMemory(bytes, `the optimizer state of ${targets.length} variables`);
    }
    this.native.reserve(targets.length);
    try {
      this.#settle();
    } catch (error) {
      this.delete();
      throw error;
    }
    const { pool } = core;
    this.#parallel =
      pool !== null && !this.#rule.whole && targets.reduce((sum, t) => sum + t.size, 0) >= pool.threshold;
    if (this.#parallel && pool) this.native.reserveParts(pool.partSize);
  }

  /** Says of all variables that they are known here, and makes the state of those that live on a GPU. */
  #settle(): void {
    for (const { variable } of this.targets) {
      if (!variable) continue;
      const { residence, claims } = homeOf(variable);
      if (residence) this.elsewhere ??= residence.accelerator.host(this);
      claims.add(this);
    }
  }

  /** A variable is going to be disposed: nothing reads or writes its memory any more, and its state is freed. */
  retire(variable: object): void {
    for (const target of this.targets) {
      if (target.variable !== variable) continue;
      if (this.elsewhere?.has(target.row)) this.elsewhere.retire(target.row);
      this.native.evict(target.row);
    }
    this.forget();
  }

  /** A row's gradients came from one memory and now come from another. */
  forget(): void {
    this.#listed = -1;
  }

  /** Plans rows that live elsewhere by themselves, so that their norms can be taken before the step. */
  planAhead(rows: readonly number[]): void {
    const list = this.#entries();
    this.forget();
    rows.forEach((row, j) => {
      list.fill(0, j * words, (j + 1) * words);
      list[j * words + entry.row] = row;
    });
    this.#calls.begin(rows.length, true);
  }

  /** What is resident, by all threads if there are any and it is worth it. */
  #sweep(): void {
    const { pool } = this.#core;
    if (this.#parallel && pool) {
      const { native } = this;
      const parts = native.cut();
      pool.run(this.#rule.index, native.parts(), parts);
    } else {
      this.#calls.sweep();
    }
  }

  averageOf(target: Target): Float32Array | null {
    return this.#view(this.native.averageOf(target.row), target);
  }

  accumulatorOf(target: Target): Float32Array | null {
    return this.#view(this.native.accumulatorOf(target.row), target);
  }

  slotOf(target: Target, k: number): Float32Array {
    if (target.stateDtype) {
      const { native } = this;
      return this.#core.floats(native.slot(target.row, k), native.slotFloats(target.row, k));
    }
    const shape = slotShape(this.#rule.slots[k], target) ?? [0];
    return this.#core.floats(this.native.slot(target.row, k), sizeOf(shape));
  }

  narrowOf({ row, size, stateDtype }: Target, k: number): NarrowSlot | null {
    if (!stateDtype) return null;
    const remote = this.elsewhere?.has(row) ? this.elsewhere.slot(row, k) : null;
    return narrowSlot(this.#core, this.native, row, k, size, { remote });
  }

  /** What gradients are divided by. Kept, because it is asked for at every step and seldom changes. */
  set lossScale(scale: number) {
    if (scale === this.#lossScale) return;
    this.native.lossScale = this.#lossScale = scale;
  }

  /** The values of a variable, wherever they live. An empty array may be detached, which nobody can tell or need know. */
  values({ size, array, variable }: Target): Float32Array {
    return size === 0 ? empty : (array ?? (variable as Resident).value);
  }

  /** Steps what was selected. Cannot throw. */
  step(selection: Selection, options: StepOptions): void {
    const list = this.#entries();
    const changed = selection.version !== this.#listed;
    if (changed) this.#write(list, selection, options);
    const { count } = selection;
    if (!this.#outside && !this.#parallel) {
      this.#calls.step(count, changed);
      return;
    }
    const updating = this.#calls.begin(count, changed);
    if (this.#outside && updating && ((options.clipnorm ?? 0) > 0 || (options.globalClipnorm ?? 0) > 0))
      this.#sumsOutside(list, selection);
    this.#calls.plan();
    do {
      this.#sweep();
      if (this.#outside) this.#stepStaged(selection, updating, options);
    } while (this.#calls.nextPass());
    if (this.#outside) this.#stepOutside(selection, options);
    this.#calls.end();
  }

  /** What the engine has to know of a selection, and what it cannot reach. */
  #write(list: Uint32Array, selection: Selection, options: StepOptions): void {
    const { rows, gradients, addresses, count } = selection;
    const { targets, elsewhere } = this;
    this.#sparse = none;
    this.#outside = this.#foreign; // averages of arrays move without a gradient, too
    this.#staged.length = 0;
    for (let j = 0, at = 0; j < count; j++, at += words) {
      const row = rows[j];
      const g = gradients[j];
      const target = targets[row];
      const away = elsewhere?.has(row) ?? false;
      const address = away ? 0 : addresses[j];
      list[at + entry.row] = row;
      list[at + entry.gradient] = address;
      list[at + entry.clipped] = 0;
      list[at + entry.partial] = 0;
      if (g instanceof SparseGradient) {
        list[at + entry.clipped] = clipsRows(g, options) ? 1 : 0;
        list[at + entry.partial] = options.legacySparse ? 1 : 0;
        if (!away) {
          if (this.#sparse === none) this.#sparse = new Map();
          this.#sparse.set(j, clippedRows(g, target, options));
        }
      } else if (!away && (address === 0 || target.array) && target.size > 0) {
        this.#staged.push(j);
      }
      if (address === 0) this.#outside = true;
    }
    this.#listed = selection.version;
  }

  /** Sums of squares of the gradients that the engine cannot reach. */
  #sumsOutside(list: Uint32Array, { rows, gradients, count }: Selection): void {
    const { elsewhere, targets } = this;
    for (let j = 0; j < count; j++) {
      if (list[j * words + entry.gradient] !== 0) continue;
      this.#sums[j * words + entry.sumOfSquares] = elsewhere?.has(rows[j])
        ? elsewhere.sumOf(rows[j])
        : this.#tiles.sumOfSquares(j, targets[rows[j]], gradients[j], this.#sparse.get(j));
    }
  }

  /** What goes through the tiles. */
  #stepStaged(selection: Selection, updating: boolean, options: StepOptions): void {
    this.#tiles.step(this.#staged, this.targets, selection);
    for (const [j, given] of this.#sparse) {
      const target = this.targets[selection.rows[j]];
      if (options.legacySparse || !(updating || this.averages)) this.#tiles.givenRows(j, target, given);
      else this.#tiles.sparseChunks(j, target, given);
    }
  }

  /** The averages of arrays, and what lives elsewhere. */
  #stepOutside({ rows, gradients, count }: Selection, options: StepOptions): void {
    if (this.averages && this.#foreign) this.#averageForeign(rows, count, this.native.overwriting());
    this.elsewhere?.step(rows, gradients, count, options);
  }

  /** The constraints of the stepped variables. Those of the user's own may throw. */
  constrain(rows: readonly number[], count: number): void {
    if (!this.#constrained) return;
    for (let j = 0; j < count; j++) {
      const { constraint, variable } = this.targets[rows[j]];
      if (constraint && variable && !this.elsewhere?.has(rows[j]))
        project(constraint, this.#core, variable, homeOf(variable).address);
    }
  }

  /** The rule alone, on one variable. */
  updateOnly(target: Target, g: Float32Array, rate: number): void {
    if (this.elsewhere?.has(target.row)) {
      this.elsewhere.updateOnly(target, g, rate);
      return;
    }
    if (target.variable && this.#core.owns(g)) {
      this.native.updateOnly(target.row, 0, target.size, g.byteOffset, rate);
      return;
    }
    if (this.#rule.passes > 1 && target.size > tileSize)
      throw new Error(
        `updateStep: '${this.rule}' sums over all ${target.size} elements; with more than ${tileSize} it takes a Variable and its own gradient buffer.`,
      );
    this.#tiles.updateOnly(target, g, rate);
  }

  /** Whether every element of a gradient is finite. */
  isFinite(gradient: Gradient): boolean {
    const g = gradient instanceof SparseGradient ? gradient.values : (gradient as Float32Array);
    const { module, gradientTile } = this.#core;
    if (this.#core.owns(g)) return module.finite(g.byteOffset, g.length);
    for (let from = 0; from < g.length; from += tileSize) {
      const part = g.subarray(from, from + tileSize);
      gradientTile.set(part);
      if (!module.finite(gradientTile.byteOffset, part.length)) return false;
    }
    return true;
  }

  delete(): void {
    for (const { variable } of this.targets) if (variable) homeOf(variable).claims.delete(this);
    this.elsewhere?.delete();
    this.native.delete();
  }

  #view(address: number, target: Target): Float32Array | null {
    return address ? this.#core.floats(address, target.size) : null;
  }

  /** The step list, renewed when the memory has grown away from under it. */
  #entries(): Uint32Array {
    if (this.#list.length === 0) {
      this.forget();
      const address = this.native.reserve(this.targets.length);
      this.#list = new Uint32Array(this.#core.memory.buffer, address, this.targets.length * words);
      this.#sums = new Float32Array(this.#core.memory.buffer, address, this.targets.length * words);
    }
    return this.#list;
  }

  /** Averages of arrays that were not stepped, and the overwrite of all arrays by their average. */
  #averageForeign(rows: readonly number[], count: number, overwriting: boolean): void {
    const stepped = new Set(rows.slice(0, count));
    for (const target of this.targets) {
      if (!target.size || target.array?.length !== target.size) continue; // no array, or one transferred away
      if (!stepped.has(target.row))
        this.#tiles.each(target, (from, size) => this.native.averageChunk(target.row, from, size));
      if (overwriting) target.array.set(this.averageOf(target) as Float32Array);
    }
  }
}
