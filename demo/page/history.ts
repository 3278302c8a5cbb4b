// A record of several curves over one counter that never outgrows its limit: when it is full, every second
// point is dropped and from then on only every second one is kept. Long runs stay cheap to draw.

export class History {
  /** Counter values first, then one column per curve: the shape uPlot takes. */
  readonly columns: (number | null)[][];
  readonly #limit: number;
  #stride = 1;

  constructor(curves: number, limit = 1500) {
    this.columns = Array.from({ length: curves + 1 }, () => []);
    this.#limit = limit;
  }

  /** Whether a counter's values would be kept: what is costly to find need not be found for others. */
  keeps(counter: number): boolean {
    return counter % this.#stride === 0;
  }

  /** One value per curve; null where a curve has a gap. */
  push(counter: number, values: readonly (number | null)[]): void {
    if (!this.keeps(counter)) return;
    this.columns[0].push(counter);
    values.forEach((value, curve) => {
      this.columns[curve + 1].push(value);
    });
    if (this.columns[0].length > this.#limit) this.#thin();
  }

  clear(): void {
    this.#stride = 1;
    for (const column of this.columns) column.length = 0;
  }

  #thin(): void {
    this.#stride *= 2;
    const kept = this.columns[0].map((counter) => Number(counter) % this.#stride === 0);
    for (const column of this.columns) {
      const thinned = column.filter((_, index) => kept[index]);
      column.length = 0;
      column.push(...thinned);
    }
  }
}
