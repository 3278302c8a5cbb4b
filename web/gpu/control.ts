// The control buffer of a step: what the shaders know beside the arrays. Records: two of parameters for the sums,
// then for each dispatch a head (how many rows, how many workgroups) and its rows; last the table of entries, which
// are the rows that have sums. The scalars of a row are the engine's words, uploaded as they are.
import type { Core } from '../engine/core.js';
import { coefWords, pipeWords, record, row as rowAt } from '../engine/facts.js';

const recordWords = record.words;
export const recordBytes = 4 * recordWords;
export const none = 0xffffffff;

/** Which elements of which row a dispatch steps, in units of the block. */
export interface Span {
  readonly count: number;
  readonly w: number;
  readonly g: number;
  readonly state: number;
  /** Elements, without padding. */
  readonly size: number;
  /** Where its partial sums go, the entry that they belong to, `none` where there is none; whether its norm clips. */
  readonly sums: number;
  readonly entry: number;
  readonly clips: boolean;
  /** Of a matrix, for a rule that knows them; else 0. */
  readonly rows: number;
  readonly columns: number;
  /** Address of the engine's row, or of one whose scalars serve as well. */
  readonly words: number;
}

export class Control {
  #words = new Uint32Array(64 * recordWords);
  #records = 0;
  readonly #core: Core;

  constructor(core: Core) {
    this.#core = core;
  }

  get words(): Uint32Array {
    return this.#words.subarray(0, this.#records * recordWords);
  }
  get records(): number {
    return this.#records;
  }

  clear(): void {
    this.#records = 2;
    this.#words.fill(none, 0, 2 * recordWords);
  }

  /** One dispatch: returns the byte where its head is and how many workgroups it has. */
  region(spans: readonly Span[], chunk: number): { offset: number; groups: number } {
    const head = this.#grow(2 * Math.ceil((1 + spans.length) / 2)); // starts at multiples of 256 bytes
    const words = this.#words;
    const memory = new Uint32Array(this.#core.memory.buffer);
    let first = 0;
    spans.forEach((span, k) => {
      const to = (head + 1 + k) * recordWords;
      const { count, w, g, state, size, sums, rows, columns, entry, clips } = span;
      const fields = [first, count, w, g, state, size, sums, rows, columns, entry, Number(clips)];
      words.set(fields, to); // cpp/engine/facts.h: RecordHead
      const row = span.words / 4;
      const pipe = memory[row + rowAt.pipe] / 4;
      const coef = memory[row + rowAt.coef] / 4;
      for (let i = 0; i < pipeWords; i++) words[to + record.pipe + i] = memory[pipe + i];
      if (coef) for (let i = 0; i < coefWords; i++) words[to + record.coef + i] = memory[coef + i];
      first += Math.ceil(count / chunk);
    });
    words[head * recordWords] = spans.length;
    words[head * recordWords + 1] = first;
    return { offset: head * recordBytes, groups: first };
  }

  /** Coefficient `k` of the first row of a region. */
  coef({ offset }: { offset: number }, k: number): number {
    const floats = new Float32Array(this.#words.buffer, offset + recordBytes);
    return floats[record.coef + k];
  }

  /**
   * The table of entries: for each the place and the count of its partial sums, of which there are `width` side by
   * side. And what to make of norms.
   */
  entries(
    table: readonly (readonly [number, number])[],
    width: number,
    mode: 'own' | 'global' | null,
    limit: number,
  ): void {
    const records = this.#records;
    const place = this.#grow(Math.ceil((2 * table.length) / recordWords)) * recordWords;
    const words = this.#words;
    table.forEach((pair, k) => {
      words.set(pair, place + 2 * k);
    });
    words.set([records, table.length, place, mode === 'own' ? 1 : 2, 0, 0, 0x7fc00000, width]);
    new Float32Array(words.buffer).set([limit, 1 / limit], 4);
  }

  /** Room for more records, none of them a row. */
  #grow(records: number): number {
    const start = this.#records;
    this.#records += records;
    if (this.#records * recordWords > this.#words.length) {
      const larger = new Uint32Array(2 * this.#records * recordWords);
      larger.set(this.#words);
      this.#words = larger;
    }
    this.#words.fill(none, start * recordWords, this.#records * recordWords);
    return start;
  }
}
