// Which rows of an optimizer live on the GPU, their state arrays, and the ways there and back. A move happens as a
// whole or not at all; what a step does with the rows is host.ts.
import { projectionOf } from '../constraints/constraints.js';
import { type Core, core } from '../engine/core.js';
import { type RuleFacts, ruleFacts } from '../engine/facts.js';
import type { Guest, Residence } from '../step/elsewhere.js';
import { type Home, homeOf } from '../step/home.js';
import { storedAs } from '../step/narrow.js';
import type { Remote } from '../step/remote.js';
import type { Target } from '../step/target.js';
import type { Variable } from '../step/variable.js';
import { type Block, blocksFor, type Member, type Part, slotSize } from './blocks.js';
import { type Context, type Range, usage } from './context.js';
import { type Form, formOf } from './whole.js';

export class Rows {
  readonly members = new Map<number, Member>();
  readonly core: Core = core('The GPU');
  readonly rule: RuleFacts;
  /** How a rule that reads whole variables runs. */
  readonly form: Form | undefined;
  /** What it works in: one for all rows, as large as the largest needs; and the one of blocks that are made, not added. */
  #room: readonly GPUBuffer[] = [];
  #next: readonly GPUBuffer[] = [];
  readonly #context: Context;
  readonly #executor: Guest;

  constructor(context: Context, executor: Guest) {
    this.#context = context;
    this.#executor = executor;
    this.rule = ruleFacts(executor.rule);
    this.form = formOf(executor.rule);
  }

  /** State arrays, zeroed, for weights that are on the GPU; they count once they are `added`. @throws RangeError */
  make(parts: readonly Part[]): Block[] {
    this.#next = this.#roomFor(parts);
    const layout = {
      slots: this.rule.slots,
      dtypeOf: ({ row }: Target, k: number) => storedAs(this.#executor.native, row, k),
      averages: this.#executor.averages,
      accumulates: this.#executor.accumulates,
      apart: this.form !== undefined,
    };
    return blocksFor(this.#context, parts, layout);
  }

  /** The room that there is, if it is large enough; or another one. @throws RangeError */
  #roomFor(parts: readonly Part[]): readonly GPUBuffer[] {
    const { form } = this;
    if (!form || parts.length === 0) return this.#room;
    if (this.#next !== this.#room) for (const buffer of this.#next) buffer.destroy(); // of a move that failed
    const wanted = parts.map(({ target }) => form.room(target));
    const sizes = wanted[0].map((_, k) =>
      Math.max(this.#room[k]?.size ?? 0, ...wanted.map((floats) => 4 * floats[k])),
    );
    if (sizes.every((bytes, k) => this.#room[k]?.size >= bytes)) return this.#room;
    return sizes.map((bytes, k) => this.#context.buffer(`the room ${k} of a step`, bytes, usage.storage));
  }

  add(blocks: readonly Block[]): void {
    if (this.#next !== this.#room) for (const buffer of this.#room) buffer.destroy();
    this.#room = this.#next;
    for (const { members } of blocks)
      for (const member of members) this.members.set(member.target.row, member);
    this.#executor.forget();
  }

  get room(): readonly GPUBuffer[] {
    return this.#room;
  }

  /** @throws Error, RangeError for a variable that cannot live on the GPU */
  check({ constraint, path, shape, size }: Target): void {
    if (constraint && !projectionOf(constraint, shape))
      throw new Error(
        `'${path}' has a constraint of your own, which runs on the CPU: it cannot live on the GPU.`,
      );
    const { maxBindingSize } = this.#context;
    const why = constraint ? 'a constraint' : this.form && `the rule '${this.#executor.rule}'`;
    if (why && size * 4 > maxBindingSize)
      throw new RangeError(
        `'${path}' has ${why} and ${size * 4} bytes; with one that sees whole variables, this GPU allows ${maxBindingSize} (gpu.limits.maxBindingSize).`,
      );
  }

  /** A state array of a row: `of` picks it among those of its block. */
  remote(row: number, of: (block: Block) => GPUBuffer | null): Remote | null {
    const member = this.members.get(row) as Member;
    const range = rangeIn(of(member.block), member);
    return range && this.#remote(range);
  }

  #remote(range: Range): Remote {
    return {
      read: () => this.#context.read('readState', range),
      write: (values) => this.#context.write('setting state', range, values),
    };
  }

  slot(row: number, k: number): Remote {
    return this.#remote(this.#slotRange(this.members.get(row) as Member, k));
  }

  /** Slot k, as it is stored. */
  #slotRange({ block, at, target }: Member, k: number): Range {
    const size = block.slotBytes(k, slotSize(this.rule.slots[k], target));
    return { buffer: block.slots[k], offset: block.slotBytes(k, at), size };
  }

  /** On the GPU: a slot becomes a copy of the weights. */
  copyToSlot(row: number, k: number): void {
    const { weights, block, at } = this.members.get(row) as Member;
    const { device } = this.#context;
    this.#context.watched(() => {
      const encoder = device.createCommandEncoder();
      encoder.copyBufferToBuffer(weights.buffer, weights.offset, block.slots[k], at * 4, weights.size);
      device.queue.submit([encoder.finish()]);
    });
  }

  /** Weights and state of engine-resident rows to arrays that `make` has made, which are added; cannot fail. */
  enter(blocks: readonly Block[], homes: ReadonlyMap<Target, Residence>): void {
    for (const { members } of blocks)
      for (const member of members) {
        const { target } = member;
        const arrays = this.#arraysOf(target);
        this.#rangesOf(member).forEach((range, k) => {
          const values = arrays[k];
          if (range && values) this.#context.write('offload', range, values);
        });
        this.#executor.native.evict(target.row);
        homeAt(target).relocate(homes.get(target) as Residence);
      }
    this.add(blocks);
  }

  /**
   * All rows back into the engine. @throws RangeError if there is no memory, Error if reading fails: nothing has
   * moved; Error if the device is lost: all has moved, with zeros, and the message says so
   */
  async leave(): Promise<void> {
    const members = [...this.members.values()];
    for (const { target } of members) checkUnshared('onload', target);
    const all: (Float32Array | null)[][] = [];
    const lost = this.#context.isLost;
    if (!lost)
      for (const member of members) {
        const reads = this.#rangesOf(member).map((range) => range && this.#context.read('onload', range));
        all.push(await Promise.all(reads));
      }
    const homes = this.#moveIn(members);
    all.forEach((found, k) => {
      const arrays = this.#arraysOf(members[k].target);
      found.forEach((values, i) => {
        if (values) arrays[i]?.set(values);
      });
    });
    for (const home of homes) home.free();
    this.destroy();
    if (!lost) return;
    const paths = members.map(({ target }) => `'${target.path}'`).join(', ');
    throw new Error(
      `onload: the GPU device was lost. The values and the optimizer state of ${paths} were on it and are gone: they ` +
        'are zero now. Everything else is as it was, the counters included. Restore them with assign() and loadState().',
    );
  }

  /** Zeroed arrays in the engine for all rows; returns where the variables lived. @throws RangeError: nothing has moved */
  #moveIn(members: readonly Member[]): Residence[] {
    const { native, accumulates } = this.#executor;
    const homes = members.map(({ target }) => homeAt(target).residence as Residence);
    let moved = 0;
    try {
      for (const { target } of members) {
        const home = homeAt(target);
        home.relocate(null);
        moved++;
        if (!native.place(target.row, home.address, accumulates))
          throw this.core.outOfMemory(target.size * 8, `the optimizer state of '${target.path}'`);
      }
    } catch (error) {
      members.slice(0, moved).forEach(({ target }, k) => {
        native.evict(target.row);
        homeAt(target).relocate(homes[k]);
      });
      throw error;
    }
    return homes;
  }

  /** Weights, slots, accumulator, average: in the engine, and on the GPU. */
  #arraysOf(target: Target): (Float32Array | null)[] {
    const executor = this.#executor;
    const slots = this.rule.slots.map((_, k) => executor.slotOf(target, k));
    return [executor.values(target), ...slots, executor.accumulatorOf(target), executor.averageOf(target)];
  }
  #rangesOf(member: Member): (Range | null)[] {
    const { weights, block } = member;
    const slots = block.slots.map((_, k) => this.#slotRange(member, k));
    return [weights, ...slots, rangeIn(block.accumulator, member), rangeIn(block.average, member)];
  }

  /** Forgets a row; the arrays of its block are freed with the last one. */
  retire(row: number): void {
    const block = this.members.get(row)?.block;
    this.members.delete(row);
    if (block && ![...this.members.values()].some((member) => member.block === block)) block.destroy();
  }

  destroy(): void {
    for (const block of new Set([...this.members.values()].map(({ block }) => block))) block.destroy();
    this.members.clear();
    for (const buffer of this.#room) buffer.destroy();
    this.#room = [];
    this.#executor.forget();
  }
}

/** A member's part of an array of its block. */
const rangeIn = (buffer: GPUBuffer | null, { at, target }: Member): Range | null =>
  buffer && { buffer, offset: at * 4, size: target.size * 4 };

/** Rows that live on the GPU, or can, are Variables'. */
const homeAt = ({ variable }: Target): Home => homeOf(variable as Variable);

/** A variable that another optimizer knows cannot move: that one's rows would point to where it was. */
export function checkUnshared(what: string, { variable, path }: Target): void {
  const claims = variable ? homeOf(variable).claims.size : 0;
  if (claims > 1)
    throw new Error(
      `${what}: '${path}' is built into ${claims} optimizers, and cannot move; dispose the others first.`,
    );
}
