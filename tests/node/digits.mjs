// The handwritten digits of the demo as plain arrays (demo/data/README.md).
import { readFileSync } from 'node:fs';
import { root } from './helpers.mjs';

const bytes = readFileSync(`${root}demo/data/digits.bin`);
const count = bytes.length / 65;

/** `size` images from `from` on, cyclic: images [size, 64] from 0 to 1, classes [size, 10] one-hot. */
export function digits(from, size) {
  const images = new Float32Array(size * 64);
  const classes = new Float32Array(size * 10);
  for (let k = 0; k < size; k++) {
    const row = (from + k) % count;
    for (let pixel = 0; pixel < 64; pixel++) images[k * 64 + pixel] = bytes[row * 64 + pixel] / 16;
    classes[k * 10 + bytes[count * 64 + row]] = 1;
  }
  return { images, classes };
}
