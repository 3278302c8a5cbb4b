// Steps variables whose arrays all lie in another library's WebAssembly memory, where they are: the engine plans
// a step, computes its scalars and packs its rows, of which it knows only the addresses; the kernels inside that
// memory do the work. State lives there as well.
import { describe } from '../basics/errors.js';
import { sizeOf } from '../basics/floats.js';
import { Calls } from '../engine/calls.js';
import type { Core, EngineOptimizer } from '../engine/core.js';
import {
  entry,
  page,
  type RuleFacts,
  roles,
  row as rowAt,
  ruleFacts,
  scratchBytes,
  storages,
} from '../engine/facts.js';
import type { Executor, Selection } from '../step/executor.js';
import { type NarrowSlot, narrowSlot } from '../step/narrow.js';
import { Pending } from '../step/pending.js';
import { countOf, slotShape } from '../step/slots.js';
import type { Rows } from '../step/sparse.js';
import type { StepOptions, Target } from '../step/target.js';
import { kernelsIn, type MemoryHost } from './kernels.js';

/** A gradient in the library's memory. */
export interface MemoryGradient {
  address: number;
  size: number;
  /** What it was spread from. */
  given: Rows | null;
}

/** Of one row: addresses by role. */
interface StateArrays {
  readonly at: Map<number, number>;
  /** For sparse gradients, made when one comes. */
  gradient: number;
  /** What was allocated. */
  readonly blocks: number[];
}

const rowBytes = 4 * rowAt.words;

export class MemoryExecutor implements Executor {
  readonly native: EngineOptimizer;
  readonly rule: string;
  readonly targets: readonly Target[];
  readonly canThrow = false;
  readonly pending = new Pending();
  /** Addresses of the variables, by row. The caller keeps them right; arrays may move between steps. */
  readonly weights: number[];
  readonly #core: Core;
  readonly #calls: Calls;
  readonly #host: MemoryHost;
  readonly #kernels: ReturnType<typeof kernelsIn>;
  readonly #rule: RuleFacts;
  readonly #averages: boolean;
  readonly #accumulates: boolean;
  readonly #state: StateArrays[] = [];
  /** Where the packed rows go, and what a kernel needs beside them. */
  readonly #block: number = 0;
  readonly #scratch: number = 0;
  /** Where a rule works that reads whole variables; 0 for all others. */
  readonly #room: number = 0;
  #deleted = false;

  /** @throws RangeError if there is no memory; nothing is left behind. */
  constructor(
    core: Core,
    host: MemoryHost,
    rule: string,
    targets: readonly Target[],
    averages: boolean,
    accumulates: boolean,
  ) {
    this.#core = core;
    this.#host = host;
    this.#kernels = kernelsIn(host.memory);
    this.rule = rule;
    this.targets = targets;
    this.weights = targets.map(() => 0);
    this.#averages = averages;
    this.#accumulates = accumulates;
    this.#rule = ruleFacts(rule);
    this.native = new core.module.Optimizer(this.#rule.index);
    this.#calls = new Calls(core, this.native);
    for (const target of targets) {
      const { row, size, matrix, stateDtype } = target;
      this.native.addElsewhere(size, averages);
      if (stateDtype) this.native.setStorage(row, storages[stateDtype]);
      if (matrix) this.native.setMatrix(row, countOf(target), ...matrix);
    }
    this.native.reservePack();
    try {
      this.#block = this.#allocate(this.native.packedBytes() + 4);
      this.#scratch = this.#allocate(scratchBytes + 16);
      if (this.#rule.whole) this.#room = this.#allocate(this.native.room() * 4 + 4);
      for (const target of targets) this.#allocateState(target);
    } catch (error) {
      this.delete();
      throw error;
    }
    // It keeps the maps of int8, and would take what others have left of such maps in the host's heap for them.
    this.#view(Math.ceil(this.#scratch / 16) * 16, scratchBytes / 4).fill(0);
  }

  set lossScale(scale: number) {
    this.native.lossScale = scale;
  }

  /** @param gradients MemoryGradients: the adapter's selection makes them. */
  step({ rows, gradients, count }: Selection, options: StepOptions): void {
    const { native } = this;
    const given = gradients as readonly unknown[] as readonly MemoryGradient[];
    const list = native.reserve(this.targets.length) >>> 2;
    const words = new Uint32Array(this.#core.memory.buffer);
    for (let j = 0, at = list; j < count; j++, at += entry.words) {
      words[at + entry.row] = rows[j];
      words[at + entry.gradient] = given[j].address;
      words[at + entry.clipped] = 0;
      words[at + entry.partial] = 0;
      native.locate(rows[j], roles.weights, this.weights[rows[j]]);
    }
    const updating = this.#calls.begin(count, true);
    const overwriting = native.overwriting();
    if (updating && ((options.clipnorm ?? 0) > 0 || (options.globalClipnorm ?? 0) > 0)) {
      this.#copy(native.pack(this.#block, this.#room));
      const floats = new Float32Array(words.buffer);
      for (let j = 0, at = list + entry.sumOfSquares; j < count; j++, at += entry.words)
        floats[at] = this.#sumOfSquares(j, given[j], this.targets[rows[j]]);
    }
    this.#calls.plan();
    let more: boolean;
    do {
      const packed = native.pack(this.#block, this.#room);
      this.#copy(packed);
      this.#kernels.step(this.#rule.index, this.#block, count, Math.ceil(this.#scratch / 16) * 16);
      if (this.#rule.passes > 1 || native.monitoring()) this.#copyBack(packed);
      more = this.#calls.nextPass();
    } while (more);
    this.#calls.end();
    if (this.#averages || this.#accumulates) this.#others(rows, count, updating, overwriting);
  }

  /** Of the rows of a sparse gradient alone, unless they are added to what has been gathered. They are packed anew. */
  #sumOfSquares(j: number, { address, given }: MemoryGradient, target: Target): number {
    const at = this.#block + j * rowBytes;
    if (!given || this.#accumulates) return this.#kernels.sum_of_squares(at);
    const { length } = given.values;
    this.#view(address, length).set(given.values);
    new Uint32Array(this.#host.memory.buffer, at, rowAt.words)[rowAt.n] = length;
    const sum = this.#kernels.sum_of_squares(at);
    this.spread(given, target);
    return sum;
  }

  constrain(): void {}

  updateOnly(): void {
    throw new Error(
      'updateStep works on Variables and Float32Arrays, not on variables in a memory of others.',
    );
  }

  isFinite(gradient: unknown): boolean {
    const { address, size } = gradient as MemoryGradient;
    return this.#kernels.all_finite(address, size) !== 0;
  }

  values(target: Target): Float32Array {
    return this.#view(this.weights[target.row], target.size);
  }

  averageOf(target: Target): Float32Array | null {
    return this.#averages ? this.#array(target, roles.average) : null;
  }

  accumulatorOf(target: Target): Float32Array | null {
    return this.#accumulates ? this.#array(target, roles.accumulator) : null;
  }

  slotOf(target: Target, k: number): Float32Array {
    return this.#array(target, roles.slots + k, this.#slotFloats(target, k));
  }

  narrowOf(target: Target, k: number): NarrowSlot | null {
    const { row, size, stateDtype } = target;
    if (!stateDtype) return null;
    const elsewhere = () => {
      const { buffer, byteOffset, byteLength } = this.slotOf(target, k);
      return new Uint8Array(buffer, byteOffset, byteLength);
    };
    return narrowSlot(this.#core, this.native, row, k, size, { elsewhere });
  }

  /** A sparse gradient as the dense one that it stands for: its address, good until the next step. */
  spread({ rows, values, width }: Rows, { row, size }: Target): number {
    const address = this.#gradientBlock(row, size);
    const dense = this.#view(address, size).fill(0);
    for (let k = 0; k < rows.length; k++)
      dense.set(values.subarray(k * width, (k + 1) * width), rows[k] * width);
    return address;
  }

  /** A copy of a gradient that the step would write: its address, good until the next step. */
  held(gradient: number, { row, size }: Target): number {
    const address = this.#gradientBlock(row, size);
    this.#view(address, size).set(this.#view(gradient, size));
    return address;
  }

  /** @throws RangeError */
  #gradientBlock(row: number, size: number): number {
    const state = this.#state[row];
    if (!state.gradient) {
      state.gradient = this.#allocate(size * 4 + 4);
      state.blocks.push(state.gradient);
    }
    return state.gradient;
  }

  #array({ row, size }: Target, role: number, length = size): Float32Array {
    return this.#view(this.#state[row].at.get(role) as number, length);
  }

  /** Of memory. */
  #slotFloats(target: Target, k: number): number {
    if (target.stateDtype) return this.native.slotFloats(target.row, k);
    return sizeOf(slotShape(this.#rule.slots[k], target) ?? [0]);
  }

  #view(address: number, size: number): Float32Array {
    return new Float32Array(this.#host.memory.buffer, address, size);
  }

  delete(): void {
    if (this.#deleted) return;
    this.#deleted = true;
    this.native.delete();
    const own = [this.#block, this.#scratch, this.#room];
    const blocks = own.concat(this.#state.flatMap((state) => state.blocks));
    for (const address of blocks) if (address) this.#host.free(address);
  }

  /**
   * Addresses are unsigned, also where the host's allocator is an export of a wasm module and gives signed ones.
   * @throws RangeError if there is no memory, or it is none
   */
  #allocate(bytes: number): number {
    const given: unknown = bytes < 2 ** 32 ? this.#host.allocate(bytes) : 0;
    if (given === 0)
      throw new RangeError(
        `No memory for ${bytes} bytes in the host's heap: the optimizer of ${this.targets.length} variables keeps its state there.`,
      );
    const address = typeof given === 'number' ? given >>> 0 : Number.NaN;
    if (address % 4 === 0 && address + bytes <= this.#host.memory.buffer.byteLength) return address;
    if (typeof given === 'number') this.#host.free(given);
    throw new RangeError(
      `The host's allocate(${bytes}) must give the address of so many bytes in its memory, which 4 divides, or 0; got ${describe(given)}.`,
    );
  }

  /** @throws RangeError */
  #allocateState(target: Target): void {
    const { row } = target;
    const blocks: number[] = [];
    const state: StateArrays = { at: new Map(), gradient: 0, blocks };
    this.#state.push(state);
    const wanted = this.#rule.slots.map((_, k) => [roles.slots + k, this.#slotFloats(target, k)]);
    if (this.#accumulates) wanted.push([roles.accumulator, target.size]);
    if (this.#averages) wanted.push([roles.average, target.size]);
    for (const [role, size] of wanted) {
      // Large arrays start at page offsets of their own, as the engine's (cpp/engine/memory.h).
      const staggered = size * 4 >= 4 * page.bytes;
      const block = this.#allocate(size * 4 + (staggered ? 2 * page.bytes : 4));
      blocks.push(block);
      const at = staggered ? Math.ceil(block / page.bytes) * page.bytes + page.offsets[role] : block;
      state.at.set(role, at);
      this.#view(at, size).fill(0);
      this.native.locate(row, role, at);
    }
  }

  /** What the engine has packed, to where it works. */
  #copy(packed: number): void {
    const bytes = new Uint8Array(this.#core.memory.buffer, packed, this.native.packedBytes());
    new Uint8Array(this.#host.memory.buffer, this.#block, bytes.length).set(bytes);
  }

  /** The block with the sums that the kernel has left in it. */
  #copyBack(packed: number): void {
    const bytes = this.native.packedBytes();
    new Uint8Array(this.#core.memory.buffer, packed, bytes).set(
      new Uint8Array(this.#host.memory.buffer, this.#block, bytes),
    );
    this.native.unpack();
  }

  /** What Keras does to variables without a gradient, and the overwrite of all of them by their average. */
  #others(rows: readonly number[], count: number, updating: boolean, overwriting: boolean): void {
    const stepped = new Set(rows.slice(0, count));
    for (const target of this.targets) {
      const { row } = target;
      if (!stepped.has(row)) {
        if (this.#averages) {
          this.native.locate(row, roles.weights, this.weights[row]);
          this.#copy(this.native.packOne(row, this.#block));
          this.#kernels.average(this.#block);
        }
        if (updating) this.accumulatorOf(target)?.fill(0);
      }
      if (overwriting) this.values(target).set(this.averageOf(target) as Float32Array);
    }
  }
}
