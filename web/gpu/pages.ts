// Weights on the GPU: small variables share pages, so that one dispatch can step many of them; large ones have a
// buffer each. A region starts at a multiple of the binding alignment, so that the caller's shaders can bind it.
import { type Context, type Range, usage } from './context.js';

const MiB = 2 ** 20;
/** From here on a variable has a buffer of its own. */
const large = MiB;
const largestPage = 64 * MiB;
const flags = usage.storage | usage.copySrc | usage.copyDst;

/** Weights: whether others are in the same buffer, and whether what follows up to 16 bytes is theirs. */
export interface Region extends Range {
  readonly shared: boolean;
  readonly padded: boolean;
}

interface Page {
  readonly buffer: GPUBuffer;
  readonly size: number;
  /** Gaps, in order. */
  gaps: { start: number; end: number }[];
}

export class Pages {
  readonly #context: Context;
  readonly #pages: Page[] = [];
  #expected = 0;

  constructor(context: Context) {
    this.#context = context;
  }

  /** The next page shall hold so many bytes of small variables, if it may be that large. */
  expect(sizes: readonly number[]): void {
    const small = sizes.filter((bytes) => bytes < large).map((bytes) => this.#aligned(bytes));
    const total = small.reduce((sum, bytes) => sum + bytes, 0);
    if (total > this.#expected) this.#expected = total;
  }

  /** @throws RangeError for more than one buffer may hold */
  take(what: string, bytes: number): Region {
    const size = this.#aligned(bytes);
    if (bytes >= large || bytes > this.#context.maxBufferSize)
      return {
        buffer: this.#context.buffer(what, bytes, flags),
        offset: 0,
        size: bytes,
        shared: false,
        padded: true,
      };
    for (const page of this.#pages) {
      const gap = page.gaps.find(({ start, end }) => end - start >= size);
      if (!gap) continue;
      const offset = gap.start;
      gap.start += size;
      page.gaps = page.gaps.filter(({ start, end }) => start < end);
      return { buffer: page.buffer, offset, size: bytes, shared: true, padded: true };
    }
    this.#addPage(size);
    return this.take(what, bytes);
  }

  give(region: Region): void {
    const page = this.#pages.find(({ buffer }) => buffer === region.buffer);
    if (!page) {
      region.buffer.destroy();
      return;
    }
    const gaps = [...page.gaps, { start: region.offset, end: region.offset + this.#aligned(region.size) }];
    gaps.sort((a, b) => a.start - b.start);
    page.gaps = [];
    for (const gap of gaps) {
      const last = page.gaps.at(-1);
      if (last?.end === gap.start) last.end = gap.end;
      else page.gaps.push(gap);
    }
    if (page.gaps[0].end - page.gaps[0].start < page.size) return;
    page.buffer.destroy();
    this.#pages.splice(this.#pages.indexOf(page), 1);
  }

  #addPage(atLeast: number): void {
    const { maxBindingSize, maxBufferSize } = this.#context;
    const most = Math.min(largestPage, maxBindingSize, maxBufferSize);
    // Of those that are there now: models that come and go leave nothing behind for the next one to be as large as.
    const largest = this.#pages.reduce((size, page) => Math.max(size, page.size), MiB / 2);
    const wanted = Math.max(2 * largest, this.#expected);
    const size = this.#aligned(Math.max(atLeast, Math.min(wanted, most)));
    const buffer = this.#context.buffer('a page of variables', size, flags);
    this.#pages.push({ buffer, size, gaps: [{ start: 0, end: size }] });
    this.#expected = 0;
  }

  #aligned(bytes: number): number {
    const { alignment } = this.#context;
    return Math.max(1, Math.ceil(bytes / alignment)) * alignment;
  }
}
