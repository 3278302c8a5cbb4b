// The plan of one step on the GPU: which spans of which rows go into which dispatch, and how their gradients get
// there. It reads the engine's rows and writes the control words; it sends nothing.
import type { Projection } from '../constraints/constraints.js';
import type { Core } from '../engine/core.js';
import { row, block as stored, told } from '../engine/facts.js';
import type { DeviceRange } from '../step/remote.js';
import type { Rows } from '../step/sparse.js';
import { type Block, holdsWeights, type Member } from './blocks.js';
import type { Context, Range } from './context.js';
import { type Control, none, type Span } from './control.js';
import type { ShaderKind } from './programs.js';

/** Elements (in lanes) of one workgroup: cpp/engine/shader_frame.h. */
const chunk = 1024;

/** Slices begin at multiples of so many elements: where blocks of int8 begin at a multiple of 256 bytes, as bindings must. */
const sliceUnit = 64 * stored.size;

/** What a step that is monitored sums of a row: cpp/engine/shader_frame.h. */
export const toldTerms = told.nonfinite - told.gradient + 1;

/** cpp/kernels/stage.h: the moving average. */
const averageBit = 8;

/** Spans that one dispatch steps: of one block, through the same stages. */
export interface Dispatch {
  readonly kind: ShaderKind;
  readonly stages: number;
  readonly block: Block;
  readonly unit: 1 | 4;
  /** Of a variable larger than a binding: the elements that this dispatch sees. */
  readonly slice: Slice | null;
  /** Gradients that are read where they are. */
  readonly direct: Range | null;
  readonly spans: Span[];
  region: { offset: number; groups: number };
}

interface Slice {
  readonly from: number;
  readonly count: number;
}

export interface Upload {
  readonly buffer: GPUBuffer;
  readonly offset: number;
  readonly data: Float32Array;
}

export class Plan {
  readonly dispatches: Dispatch[] = [];
  /** From the JavaScript heap or the engine, from other buffers, and rows of sparse gradients. */
  readonly uploads: Upload[] = [];
  readonly copies: { from: Range; to: GPUBuffer; offset: number }[] = [];
  readonly scatters: { member: Member; rows: Rows; clears: boolean }[] = [];
  /** Afterwards. */
  readonly overwrites: Member[] = [];
  readonly resets: Member[] = [];
  readonly constraints: { member: Member; projection: Projection }[] = [];
  /** Rows that have sums: each the place and count of its partial ones. */
  readonly entries: [number, number][] = [];
  /** The rows that these are. */
  readonly rows: number[] = [];
  /** The norms that clip. */
  mode: 'own' | 'global' | null = null;
  readonly #context: Context;
  readonly #memory: Uint32Array;
  readonly #byKey = new Map<string, Dispatch>();
  readonly #packed = new Set<Block>();
  readonly #terms: number;
  /** Whether the rows say that the step is monitored: then it has sums at its end as well. */
  readonly monitored: boolean;
  #sums: number;

  /**
   * @param entries how many rows there will be at most
   * @param terms what a rule in two passes sums between them; 0 if there is one pass
   */
  constructor(context: Context, core: Core, entries: number, terms: number, monitored: boolean) {
    this.monitored = monitored;
    this.#context = context;
    this.#memory = new Uint32Array(core.memory.buffer);
    this.#sums = 1 + entries;
    this.#terms = terms;
  }

  get twoPasses(): boolean {
    return this.#terms > 0;
  }
  /** Sums lie side by side, as many as a row has of them. The buffer for them begins with the total, and the entries'. */
  get width(): number {
    return Math.max(1, this.#terms, this.monitored ? toldTerms : 0);
  }
  /** Bytes of that buffer. */
  get sumBytes(): number {
    return 4 * this.width * this.#sums;
  }

  stagesAt(words: number): number {
    return this.#memory[words / 4 + row.stages];
  }

  /** A row's update, gathering or average; `range` for a part of it. */
  add(
    kind: ShaderKind,
    member: Member,
    words: number,
    direct: Range | null,
    clips: boolean,
    range?: Slice,
  ): void {
    const { block, target } = member;
    let stages = kind === 'average' ? 0 : this.stagesAt(words);
    if (kind === 'step' && this.monitored && block.average) {
      stages &= ~averageBit; // its array would be one too many beside the sums
      this.add('average', member, words, null, false, range);
    }
    const { from, count } = range ?? { from: 0, count: target.size };
    const whole = from + count === target.size;
    const unit = from % block.unit === 0 && (whole || count % block.unit === 0) ? block.unit : 1;
    const sliced = target.size > this.#context.maxBindingSize / 4;
    const most = Math.floor(this.#context.maxBindingSize / 4 / sliceUnit) * sliceUnit;
    const summed = kind === 'step' && (this.mode !== null || this.twoPasses || this.monitored);
    const entry = summed ? this.#entry(member, range) : none;
    for (let at = from; at < from + count; ) {
      const base = sliced ? Math.floor(at / most) * most : 0;
      const end = Math.min(from + count, sliced ? base + most : from + count);
      const slice = sliced ? { from: base, count: Math.min(most, target.size - base) } : null;
      const dispatch = this.#dispatch(kind, stages, block, unit, slice, direct);
      const inState = member.at + at - base;
      const inWeights = (member.weights.offset - block.weights.offset) / 4 + at - base;
      const span = {
        count: Math.ceil((end - at) / unit),
        w: inWeights / unit,
        g: (direct ? at - base : inState) / unit,
        state: inState / unit,
        size: end - at,
        sums: this.#sums,
        rows: target.matrix?.[0] ?? 0,
        columns: target.matrix?.[1] ?? 0,
        entry,
        clips,
        words,
      };
      dispatch.spans.push(span);
      if (summed) {
        const partials = Math.ceil(span.count / chunk);
        this.entries[entry][1] += partials;
        this.#sums += partials;
      }
      at = end;
    }
  }

  /** A gradient of the JavaScript heap or the engine's memory. */
  upload(member: Member, g: Float32Array): void {
    const { block, at } = member;
    if (block.members.length === 1) {
      this.uploads.push({ buffer: block.gradient, offset: 0, data: g });
      return;
    }
    const packed = block.packed;
    if (!this.#packed.has(block)) {
      this.#packed.add(block);
      this.uploads.push({ buffer: block.gradient, offset: 0, data: packed });
    }
    packed.set(g, at);
  }

  /** A gradient that is on the GPU: where it is, or null once it is going to be copied to the others. */
  place(member: Member, from: Range): Range | null {
    const { block, at, target } = member;
    if (readsInPlace(this.#context, member, from)) return from;
    if (target.size > 0) this.copies.push({ from, to: block.gradient, offset: at * 4 });
    return null;
  }

  /** Writes the control words; nothing can be added afterwards. */
  write(control: Control, limit: number): void {
    control.clear();
    for (const dispatch of this.dispatches) dispatch.region = control.region(dispatch.spans, chunk);
    if (this.entries.length > 0) control.entries(this.entries, this.width, this.mode, limit);
  }

  #entry(member: Member, range: Slice | undefined): number {
    // The parts of a row follow one another and have one entry.
    if (range && range.from !== 0 && this.#last === member) return this.entries.length - 1;
    this.#last = member;
    this.rows.push(member.target.row);
    return this.entries.push([this.#sums, 0]) - 1;
  }
  #last: Member | null = null;

  #dispatch(
    kind: ShaderKind,
    stages: number,
    block: Block,
    unit: 1 | 4,
    slice: Slice | null,
    direct: Range | null,
  ): Dispatch {
    // One row has a gradient of its own: a block with several is never read in place.
    const key = `${kind} ${stages} ${block.id} ${unit} ${slice?.from ?? 0}`;
    let found = this.#byKey.get(key);
    if (!found) {
      found = { kind, stages, block, unit, slice, direct, spans: [], region: { offset: 0, groups: 0 } };
      this.#byKey.set(key, found);
      this.dispatches.push(found);
    }
    return found;
  }
}

/** Whether a shader can read a gradient where it is: no weights, alone in its block, aligned, in fours if need be. */
function readsInPlace(context: Context, { block, target }: Member, from: Range): boolean {
  const storage = 128;
  return (
    block.members.length === 1 &&
    !holdsWeights(from.buffer) &&
    (from.buffer.usage & storage) !== 0 &&
    from.offset % context.alignment === 0 &&
    target.size % block.unit === 0
  );
}

/** A GPUBuffer or a part of one as a range of `elements` floats. */
export function rangeOf(g: DeviceRange | { size: number }, elements: number): Range {
  const { buffer, offset = 0 } = 'buffer' in g ? g : { buffer: g };
  return { buffer: buffer as unknown as GPUBuffer, offset, size: elements * 4 };
}
