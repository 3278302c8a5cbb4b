// Blocks: the arrays of the variables that one dispatch can step together. Their weights lie in one buffer; their
// slots, accumulators, averages and gradients in one buffer each, packed, all at the same places.

import { sizeOf } from '../basics/floats.js';
import { type SlotFacts, block as stored } from '../engine/facts.js';
import { type NarrowDtype, storedBytes } from '../step/narrow.js';
import { slotShape } from '../step/slots.js';
import type { Target } from '../step/target.js';
import { type Context, type Range, usage } from './context.js';
import type { Region } from './pages.js';

/** A variable's weights on the GPU. */
export interface Part {
  readonly target: Target;
  readonly weights: Region;
}

/** Which arrays a rule and its options need. */
export interface Layout {
  readonly slots: readonly SlotFacts[];
  /** How slot k of a variable is stored, if not as float32. */
  dtypeOf(target: Target, k: number): NarrowDtype | null;
  readonly averages: boolean;
  readonly accumulates: boolean;
  /** Of a rule that reads whole variables: every variable is a block by itself, and its slots have sizes of their own. */
  readonly apart: boolean;
}

/** The elements of a slot. */
export const slotSize = (slot: SlotFacts, target: Target): number => sizeOf(slotShape(slot, target) ?? [0]);

/** One variable on the GPU: its weights, and where its state starts in the block's arrays, in elements. */
export interface Member {
  readonly target: Target;
  readonly weights: Range;
  readonly block: Block;
  readonly at: number;
}

const flags = usage.storage | usage.copySrc | usage.copyDst;
let made = 0;

const written = new WeakSet<GPUBuffer>();

/** Whether the weights of some variable are in it, so that a step may write where it reads a gradient. */
export const holdsWeights = (buffer: GPUBuffer): boolean => written.has(buffer);

/** What an array has of a variable's elements: whole lanes, and whole blocks of int8. */
const roomOf = ({ size, stateDtype }: Target): number => {
  const unit = stateDtype === 'int8' ? stored.size : 4;
  return Math.ceil(size / unit) * unit;
};

export class Block {
  readonly id = made++;
  /** What a shader sees as the weights. */
  readonly weights: Range;
  /** Elements that a shader takes at once: 4, or 1 where the weights do not come in fours. */
  readonly unit: 1 | 4;
  readonly members: Member[] = [];
  /** Length of the state arrays. */
  readonly length: number;
  readonly slots: readonly GPUBuffer[];
  readonly accumulator: GPUBuffer | null;
  readonly average: GPUBuffer | null;
  readonly #context: Context;
  readonly #dtypes: readonly (NarrowDtype | null)[];
  #gradient: GPUBuffer | null = null;
  #packed: Float32Array | null = null;

  /** @throws RangeError for more than one buffer may hold; then nothing was made */
  constructor(context: Context, parts: readonly Part[], layout: Layout) {
    this.#context = context;
    const [{ weights }] = parts;
    const { shared, padded } = weights;
    written.add(weights.buffer);
    const { apart } = layout;
    this.unit = !apart && (weights.size % 16 === 0 || padded) ? 4 : 1;
    this.weights = shared ? { buffer: weights.buffer, offset: 0, size: weights.buffer.size } : weights;
    let length = 0;
    for (const part of parts) {
      this.members.push({ target: part.target, weights: part.weights, block: this, at: length });
      length += roomOf(part.target);
    }
    this.length = length;
    this.#dtypes = layout.slots.map((_, k) => layout.dtypeOf(parts[0].target, k));
    const arrays: GPUBuffer[] = [];
    const array = (what: string, bytes = length * 4) => {
      const buffer = context.buffer(`${what} of '${parts[0].target.path}'`, bytes, flags);
      arrays.push(buffer);
      return buffer;
    };
    try {
      this.slots = layout.slots.map((slot, k) =>
        array(`slot ${k}`, this.slotBytes(k, apart ? slotSize(slot, parts[0].target) : length)),
      );
      this.accumulator = layout.accumulates ? array('the accumulator') : null;
      this.average = layout.averages ? array('the average') : null;
    } catch (error) {
      for (const buffer of arrays) buffer.destroy();
      throw error;
    }
  }

  /** What elements of slot k take: where an element is, if whole blocks lie before it. */
  slotBytes(k: number, elements: number): number {
    return storedBytes(this.#dtypes[k], elements);
  }

  /** For gradients that come from elsewhere; made on first use. */
  get gradient(): GPUBuffer {
    this.#gradient ??= this.#context.buffer('gradients', this.length * 4, flags);
    return this.#gradient;
  }

  /** Where gradients of the JavaScript heap are packed, to be uploaded together. */
  get packed(): Float32Array {
    this.#packed ??= new Float32Array(this.length);
    return this.#packed;
  }

  destroy(): void {
    for (const buffer of [...this.slots, this.accumulator, this.average, this.#gradient]) buffer?.destroy();
  }
}

/**
 * Variables whose weights share a page share a block, where a rule takes them element by element and their state is
 * stored alike; as many as one binding has room for, because blocks of int8 may take more of it than their weights.
 */
function grouped(parts: readonly Part[], most: number, apart: boolean): Part[][] {
  const groups: Part[][] = [];
  const open = new Map<unknown, { group: Part[]; length: number }>();
  for (const dtype of new Set(parts.map(({ target }) => target.stateDtype))) {
    open.clear();
    for (const part of parts) {
      if (part.target.stateDtype !== dtype) continue;
      const key = part.weights.shared && !apart ? part.weights.buffer : part.target;
      const length = roomOf(part.target);
      const found = open.get(key);
      if (found && found.length + length <= most) {
        found.group.push(part);
        found.length += length;
        continue;
      }
      const group = [part];
      groups.push(group);
      open.set(key, { group, length });
    }
  }
  return groups;
}

/** Blocks for all of them. @throws RangeError for more than one buffer may hold; then nothing was made */
export function blocksFor(context: Context, parts: readonly Part[], layout: Layout): Block[] {
  const blocks: Block[] = [];
  try {
    for (const group of grouped(parts, context.maxBindingSize / 4, layout.apart))
      blocks.push(new Block(context, group, layout));
  } catch (error) {
    for (const block of blocks) block.destroy();
    throw error;
  }
  return blocks;
}
