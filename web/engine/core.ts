// The typed face of the wasm module: what Embind exports, and views of its memory. The only file that turns
// addresses into arrays. Not public: nothing here leaves the package.

import { tileSize } from './facts.js';
import type { StepExports } from './step-exports.js';

/** One optimizer's state in the engine: see cpp/engine/optimizer.h. Addresses are bytes, 0 is none. */
export interface EngineOptimizer {
  /** A hyperparameter of the rule, and a scalar of its state, by its number in the rule's facts. */
  setHyper(k: number, value: number): void;
  scalar(k: number): number;
  setScalar(k: number, value: number): void;
  /** PyTorch's count of updates of each row: whether there is one that is not the optimizer's; see cpp/engine/optimizer.h. */
  apart(): boolean;
  updatesOf(row: number): number;
  setUpdates(row: number, count: number): void;
  scalarOf(row: number, k: number): number;
  setScalarOf(row: number, k: number, value: number): void;
  dialect: number;
  clipnorm: number;
  globalClipnorm: number;
  clipvalue: number;
  clampFirst: boolean;
  weightDecay: number;
  decays: boolean;
  l2: number;
  lossScale: number;
  accumulationSteps: number;
  overwriteFrequency: number;
  emaMomentum: number;
  /** Set, it is the count of all rows. */
  iterations: number;
  add(size: number, weights: number, averages: boolean, accumulates: boolean): void;
  /** A row whose arrays are in another memory; see cpp/engine/optimizer.h. */
  addElsewhere(size: number, averages: boolean): void;
  /** Of a row added and not built: it is of matrices of so many rows and columns. For rules that read whole variables. */
  setMatrix(row: number, count: number, rows: number, columns: number): void;
  /** Addresses of this optimizer's tiles, and how many floats they hold. */
  weightsTile(): number;
  gradientTile(): number;
  tile(): number;
  /** The floats that a rule works in which reads whole variables, of the rows that were added; 0 for all others. */
  room(): number;
  /** Makes the state of what was added; false if there is no memory. */
  build(): boolean;
  /** A row's arrays are freed, or made, zeroed: false if there is no memory. */
  evict(row: number): void;
  place(row: number, weights: number, accumulates: boolean): boolean;
  /** Every so many updates are told of, 0: none. */
  monitor(every: number): void;
  /** Whether the step that has begun, or the last one, is. */
  monitoring(): boolean;
  /** Address of what the last one was like: see `report` in facts.ts. */
  report(): number;
  excludeFromDecay(row: number): void;
  setGroup(row: number, group: number): void;
  setRate(group: number, rate: number): void;
  /** A weight decay of the group's own; NaN: the optimizer's. */
  setDecay(group: number, decay: number): void;
  slot(row: number, k: number): number;
  /** Of a row added and not built: how its slots are stored, by the number in the facts. */
  setStorage(row: number, storage: number): void;
  storageOf(row: number, k: number): number;
  /** The words of memory that a slot takes. */
  slotFloats(row: number, k: number): number;
  /**
   * Part of a slot that is not float32 into the tile of gradients, or out of it; `from` is a multiple of the tile. Of a
   * row elsewhere what is written comes to lie in the tile of weights.
   */
  readSlot(row: number, k: number, from: number, count: number): void;
  writeSlot(row: number, k: number, from: number, count: number): void;
  averageOf(row: number): number;
  accumulatorOf(row: number): number;
  reserve(count: number): number;
  updating(): boolean;
  overwriting(): boolean;
  /** Address of a row's words (cpp/kernels/sweep.h), complete between `plan` and `end`. */
  rowOf(row: number): number;
  /** Of the C++ object: for calls.ts, where the calls of a step are. */
  address(): number;
  /** For threads: room for parts of at most `size` elements; writes those of the planned rows, returns how many. */
  reserveParts(size: number): void;
  cut(): number;
  /** Address of the parts: rows, one behind another. */
  parts(): number;
  /** For a kernel in another memory, rows that were added as elsewhere: see cpp/engine/optimizer.h. */
  locate(row: number, role: number, address: number): void;
  reservePack(): void;
  packedBytes(): number;
  /**
   * Address of a block of `packedBytes` at most, of the rows listed, to be copied to `at` in that memory, where a rule
   * that reads whole variables works in the floats at `room`.
   */
  pack(at: number, room: number): number;
  packOne(row: number, at: number): number;
  /** The block has been copied back to where `pack` had it: takes the sums of a first pass. */
  unpack(): void;
  chunkSumOfSquares(entry: number, from: number, at: number, count: number): number;
  averageChunk(row: number, from: number, count: number): void;
  updateOnly(row: number, from: number, count: number, gradient: number, rate: number): void;
  /** Makes a row's words those of `updateOnly`, for a row elsewhere. */
  planOnly(row: number, rate: number): void;
  delete(): void;
}

export interface EngineModule extends StepExports {
  Optimizer: new (rule: number) => EngineOptimizer;
  allocate(size: number, role: number): number;
  release(address: number, size: number): void;
  finite(address: number, size: number): boolean;
  /** In the order of cpp/kernels/reduce.h. */
  sum(address: number, size: number): number;
  /** Whether so many bytes could be had in one piece. */
  fits(bytes: number): boolean;
  nonNegative(address: number, size: number): void;
  boundNorm(
    address: number,
    outer: number,
    axis: number,
    inner: number,
    least: number,
    most: number,
    rate: number,
    unit: boolean,
  ): void;
  fingerprint: number;
  weightsTile(): number;
  gradientTile(): number;
  exponentialDecay(initial: number, step: number, steps: number, rate: number, staircase: boolean): number;
  polynomialDecay(
    initial: number,
    step: number,
    steps: number,
    end: number,
    power: number,
    cycle: boolean,
  ): number;
  inverseTimeDecay(initial: number, step: number, steps: number, rate: number, staircase: boolean): number;
  cosineDecay(initial: number, step: number, steps: number, alpha: number): number;
  cosineDecayWarmup(
    initial: number,
    step: number,
    steps: number,
    alpha: number,
    target: number,
    warmup: number,
  ): number;
  cosineDecayRestarts(
    initial: number,
    step: number,
    first: number,
    tMul: number,
    mMul: number,
    alpha: number,
  ): number;
}

/** Several threads over the engine's memory: threads/pool.ts. */
export interface Pool {
  /** Rows are cut into parts of this many elements. */
  readonly partSize: number;
  /** Steps with fewer elements are not worth waking anybody. */
  readonly threshold: number;
  run(rule: number, parts: number, count: number): void;
  dispose(): void;
}

export class Core {
  readonly module: EngineModule;
  readonly memory: WebAssembly.Memory;
  /** Absent where one thread does the work. */
  pool: Pool | null = null;
  /** Those that views were made of: shared memory has another one after each growth, and views of older ones stay good. */
  readonly #buffers = new WeakSet<ArrayBufferLike>();
  #probe: Uint8Array = new Uint8Array(0);
  #epoch = 0;
  #weightsTile: Float32Array = new Float32Array(0);
  #gradientTile: Float32Array = new Float32Array(0);

  constructor(module: EngineModule, memory: WebAssembly.Memory) {
    this.module = module;
    this.memory = memory;
  }

  /**
   * Changes whenever what somebody remembers of the memory may have become wrong: it has grown, which detaches views,
   * or a variable was disposed, has moved, or got its gradient buffer.
   */
  get epoch(): number {
    if (this.#probe.length === 0) {
      this.#probe = new Uint8Array(this.memory.buffer);
      this.#epoch++;
    }
    return this.#epoch;
  }

  endEpoch(): void {
    this.#epoch++;
  }

  floats(address: number, size: number): Float32Array {
    const { buffer } = this.memory;
    this.#buffers.add(buffer);
    return new Float32Array(buffer, address, size);
  }

  /** Whether an array is a view of this memory. */
  owns(array: Float32Array): boolean {
    return this.#buffers.has(array.buffer);
  }

  /** Zeroed floats; throws a RangeError that says how much was asked for if there is no room. */
  allocate(size: number, role: number, what: string): number {
    const address = this.module.allocate(size, role);
    if (address === 0) throw this.outOfMemory(size * 4, what);
    return address;
  }

  outOfMemory(bytes: number, what: string): RangeError {
    return new RangeError(
      `No memory for ${what}: ${bytes} bytes more were asked for; the engine holds ${this.memory.buffer.byteLength} ` +
        'bytes and can grow to 4 GiB at most, as far as the machine allows. Nothing was changed.',
    );
  }

  /** Views of the tiles, made anew when the memory has grown away from under them. */
  get weightsTile(): Float32Array {
    if (this.#weightsTile.length === 0) this.#weightsTile = this.floats(this.module.weightsTile(), tileSize);
    return this.#weightsTile;
  }

  get gradientTile(): Float32Array {
    if (this.#gradientTile.length === 0)
      this.#gradientTile = this.floats(this.module.gradientTile(), tileSize);
    return this.#gradientTile;
  }
}

let current: Core | undefined;

export function setCore(core: Core): void {
  current = core;
}

/** The engine of this realm, or the error that a beginner meets first. */
export function core(what: string): Core {
  if (!current)
    throw new Error(`${what} needs the engine: await init() first (import { init } from 'simdescent').`);
  return current;
}
