// How long a step takes, when a step is shorter than the browser's clock can tell: a page's clock ticks every
// 5 to 100 microseconds, so single durations are mostly zero, but their mean over a block of steps is right.
// The median of the recent blocks is then free of the odd pause.

const BLOCK = 48;
const RECENT = 15;

export class StepTimer {
  #sum = 0;
  #count = 0;
  readonly #means: number[] = [];

  add(milliseconds: number): void {
    this.#sum += milliseconds;
    this.#count += 1;
    if (this.#count < BLOCK) return;
    this.#means.push(this.#sum / BLOCK);
    if (this.#means.length > RECENT) this.#means.shift();
    this.#sum = 0;
    this.#count = 0;
  }

  /** Milliseconds per step, or null until the first block is complete. */
  get median(): number | null {
    if (this.#means.length === 0) return null;
    const sorted = [...this.#means].sort((a, b) => a - b);
    return sorted[sorted.length >> 1];
  }
}
