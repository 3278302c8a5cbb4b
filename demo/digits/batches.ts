// Training batches without end: every epoch is a new shuffle of all images, cut into whole batches. What does
// not fill a batch waits for the next epoch.

import { shuffledIndices, uniformNumbers } from '../page/random.ts';
import { type Digits, PIXELS } from './digits.ts';

export class BatchStream {
  /** Full passes over the images so far. */
  epoch = 0;
  readonly #source: Digits;
  readonly #random: () => number;
  readonly #batch: { count: number; images: Float32Array; labels: Uint8Array };
  #order: number[] = [];
  #next = 0;

  constructor(source: Digits, size: number, seed: number) {
    this.#source = source;
    this.#random = uniformNumbers(seed);
    this.#batch = { count: size, images: new Float32Array(size * PIXELS), labels: new Uint8Array(size) };
    this.#order = shuffledIndices(source.count, this.#random);
  }

  /** The next batch. Its arrays are used again for the one after it. */
  next(): Digits {
    const { count, images, labels } = this.#batch;
    if (this.#next + count > this.#order.length) {
      this.epoch += 1;
      this.#order = shuffledIndices(this.#source.count, this.#random);
      this.#next = 0;
    }
    for (let row = 0; row < count; row++) {
      const index = this.#order[this.#next + row];
      images.set(this.#source.images.subarray(index * PIXELS, (index + 1) * PIXELS), row * PIXELS);
      labels[row] = this.#source.labels[index];
    }
    this.#next += count;
    return this.#batch;
  }
}
