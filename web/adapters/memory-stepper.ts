// Steps variables whose arrays all lie in another library's WebAssembly memory, where they are: the engine plans
// a step and computes its scalars, the kernels inside that memory do the work. State lives there as well.
import { Calls } from '../engine/calls.js';
import type { Engine, EngineOptimizer } from '../engine/engine.js';
import { Pending } from '../step/pending.js';
import type { Rows } from '../step/sparse.js';
import type { Selecting, Stepping } from '../step/stepping.js';
import type { StepOptions, Target } from '../step/target.js';
import { kernelsIn, type MemoryHost, Words } from './kernels.js';

/** A gradient in the library's memory. */
export interface MemoryGradient {
  address: number;
  size: number;
}

interface StateArrays {
  slots: number[];
  accumulator: number;
  average: number;
  /** For sparse gradients, made when one comes. */
  gradient: number;
  /** What was allocated. */
  blocks: number[];
}

// Sizes in words, and places in a Row: cpp/kernels/sweep.h, stage.h, rule.h.
const rowWords = 11;
const pipeWords = 13;
const coefWords = 8;
const At = { w: 0, g: 1, slot: 2, acc: 5, avg: 6, pipe: 7, coef: 8, n: 9, stages: 10 } as const;
const prepared = 0b10011; // of the stages: any Grad but none
const entryWords = 4; // of the engine's step list: row, gradient address, sum of squares, clipped

// Large arrays start at page offsets of their own, as in cpp/engine/memory.cc.
const page = 4096;
const offsets = { slots: [0, 2048, 512], accumulator: 1536, average: 2560 };

export class MemoryStepper implements Stepping {
  readonly native: EngineOptimizer;
  readonly rule: string;
  readonly targets: readonly Target[];
  readonly canThrow = false;
  readonly pending = new Pending();
  /** Addresses of the variables, by row. The caller keeps them right; arrays may move between steps. */
  readonly weights: number[];
  readonly #engine: Engine;
  readonly #calls: Calls;
  readonly #host: MemoryHost;
  readonly #kernels: ReturnType<typeof kernelsIn>;
  readonly #number: number;
  readonly #averages: boolean;
  readonly #accumulates: boolean;
  readonly #state: StateArrays[] = [];
  readonly #there: Words;
  readonly #here: Words;
  readonly #rows: number;
  readonly #pipes: number;
  readonly #coefs: number;
  #scratch = 0;
  #deleted = false;

  /** @throws RangeError if there is no memory; nothing is left behind. */
  constructor(
    engine: Engine,
    host: MemoryHost,
    rule: string,
    targets: readonly Target[],
    averages: boolean,
    accumulates: boolean,
  ) {
    this.#engine = engine;
    this.#host = host;
    this.#kernels = kernelsIn(host.memory);
    this.#there = new Words(host.memory);
    this.#here = new Words(engine.memory);
    this.rule = rule;
    this.targets = targets;
    this.weights = targets.map(() => 0);
    this.#averages = averages;
    this.#accumulates = accumulates;
    this.#number = engine.rule(rule);
    this.native = new engine.module.Optimizer(this.#number);
    this.#calls = new Calls(engine, this.native);
    const words = rowWords + pipeWords + coefWords;
    this.#rows = this.#allocate(4 * words * targets.length + 4);
    this.#pipes = this.#rows + 4 * rowWords * targets.length;
    this.#coefs = this.#pipes + 4 * pipeWords * targets.length;
    let complete = this.#rows > 0;
    for (const { size } of targets) {
      this.native.addElsewhere(size, averages);
      complete = complete && this.#allocateState(size);
    }
    if (complete) return;
    this.delete();
    throw new RangeError(
      `No memory for the optimizer state of ${targets.length} variables in the host's heap.`,
    );
  }

  set lossScale(scale: number) {
    this.native.lossScale = scale;
  }

  /** @param gradients MemoryGradients: the adapter's selection makes them. */
  step({ rows, gradients, count }: Selecting, options: StepOptions): void {
    const { native } = this;
    const given = gradients as readonly unknown[] as readonly MemoryGradient[];
    const list = native.reserve(this.targets.length) >>> 2;
    const { words, floats } = this.#here;
    for (let j = 0, at = list; j < count; j++, at += entryWords) {
      words[at] = rows[j];
      words[at + 1] = words[at + 3] = 0;
    }
    const updating = this.#calls.begin(count, true);
    const overwriting = native.overwriting();
    if (updating && ((options.clipnorm ?? 0) > 0 || (options.globalClipnorm ?? 0) > 0)) {
      for (let j = 0; j < count; j++) {
        this.#writeRow(j, rows[j], given[j].address);
        floats[list + j * entryWords + 2] = this.#kernels.sum_of_squares(this.#rowAt(j));
      }
    }
    this.#calls.plan();
    let stages = 0;
    for (let j = 0; j < count; j++) stages |= this.#writeRow(j, rows[j], given[j].address);
    this.#kernels.step(this.#number, this.#rows, count, stages & prepared ? this.#scratchBlock() : 0);
    this.#calls.end();
    if (this.#averages || this.#accumulates) this.#others(rows, count, updating, overwriting);
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

  averageOf({ row, size }: Target): Float32Array | null {
    return this.#averages ? this.#view(this.#state[row].average, size) : null;
  }

  accumulatorOf({ row, size }: Target): Float32Array | null {
    return this.#accumulates ? this.#view(this.#state[row].accumulator, size) : null;
  }

  slotOf({ row, size }: Target, k: number): Float32Array {
    return this.#view(this.#state[row].slots[k], size);
  }

  /** A sparse gradient as the dense one that it stands for: its address, good until the next step. */
  spread({ rows, values, width }: Rows, { row, size }: Target): number {
    const state = this.#state[row];
    if (!state.gradient) {
      state.gradient = this.#allocate(size * 4 + 4);
      if (!state.gradient) throw new RangeError("No memory for a sparse gradient in the host's heap.");
      state.blocks.push(state.gradient);
    }
    const dense = this.#view(state.gradient, size).fill(0);
    for (let k = 0; k < rows.length; k++)
      dense.set(values.subarray(k * width, (k + 1) * width), rows[k] * width);
    return state.gradient;
  }

  #view(address: number, size: number): Float32Array {
    return new Float32Array(this.#host.memory.buffer, address, size);
  }

  delete(): void {
    if (this.#deleted) return;
    this.#deleted = true;
    this.native.delete();
    const blocks = [this.#rows, this.#scratch, ...this.#state.flatMap((state) => state.blocks)];
    for (const address of blocks) if (address) this.#host.free(address);
  }

  /** Addresses are unsigned, also where the host's allocator is an export of a wasm module and gives signed ones. */
  #allocate(bytes: number): number {
    return this.#host.allocate(bytes) >>> 0;
  }

  #allocateState(size: number): boolean {
    const blocks: number[] = [];
    const array = (offset: number): number => {
      const staggered = size * 4 >= 4 * page;
      const block = this.#allocate(size * 4 + (staggered ? 2 * page : 4));
      blocks.push(block);
      return staggered ? Math.ceil(block / page) * page + offset : block;
    };
    const { slotCount } = this.#engine.module;
    const state = {
      slots: Array.from({ length: slotCount(this.#number) }, (_, k) => array(offsets.slots[k])),
      accumulator: this.#accumulates ? array(offsets.accumulator) : 0,
      average: this.#averages ? array(offsets.average) : 0,
      gradient: 0,
      blocks,
    };
    this.#state.push(state);
    if (blocks.includes(0)) return false;
    for (const address of [...state.slots, state.accumulator, state.average])
      if (address) this.#view(address, size).fill(0);
    return true;
  }

  #rowAt(j: number): number {
    return this.#rows + 4 * rowWords * j;
  }

  /** The j-th row of the block, with its scalars, from the engine's row. Returns its stages. */
  #writeRow(j: number, row: number, gradient: number): number {
    const { words: from, floats: scalars } = this.#here;
    const { words: to, floats } = this.#there;
    const source = this.native.rowOf(row) >>> 2;
    const at = this.#rowAt(j) >>> 2;
    const state = this.#state[row];
    const pipe = this.#pipes + 4 * pipeWords * j;
    const coef = this.#coefs + 4 * coefWords * j;
    to[at + At.w] = this.weights[row];
    to[at + At.g] = gradient;
    for (let k = 0; k < 3; k++) to[at + At.slot + k] = state.slots[k] ?? 0;
    to[at + At.acc] = state.accumulator;
    to[at + At.avg] = state.average;
    to[at + At.pipe] = pipe;
    to[at + At.coef] = coef;
    to[at + At.n] = from[source + At.n];
    to[at + At.stages] = from[source + At.stages];
    for (let k = 0, a = from[source + At.pipe] >>> 2, b = pipe >>> 2; k < pipeWords; k++)
      floats[b + k] = scalars[a + k];
    for (let k = 0, a = from[source + At.coef] >>> 2, b = coef >>> 2; a && k < coefWords; k++)
      floats[b + k] = scalars[a + k];
    return to[at + At.stages];
  }

  /** What Keras does to variables without a gradient, and the overwrite of all of them by their average. */
  #others(rows: readonly number[], count: number, updating: boolean, overwriting: boolean): void {
    const stepped = new Set(rows.slice(0, count));
    for (const target of this.targets) {
      const { row } = target;
      if (!stepped.has(row)) {
        if (this.#averages) {
          this.#writeRow(0, row, 0);
          this.#kernels.average(this.#rows);
        }
        if (updating) this.accumulatorOf(target)?.fill(0);
      }
      if (overwriting) this.values(target).set(this.averageOf(target) as Float32Array);
    }
  }

  #scratchBlock(): number {
    if (!this.#scratch) {
      this.#scratch = this.#allocate(this.#engine.module.scratchBytes + 16);
      if (!this.#scratch) throw new RangeError("No memory for a step's scratch block in the host's heap.");
    }
    return Math.ceil(this.#scratch / 16) * 16;
  }
}
