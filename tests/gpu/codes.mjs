// Files of state in fewer bits, compared as far as a GPU has the engine's numbers: code by code.
import assert from 'node:assert/strict';
import { TOLERANCE } from './case.mjs';

const arrays = { F32: Float32Array, I32: Int32Array, BF16: Uint16Array, U8: Uint8Array };

/** What a state file has: { dtype, values } by name. */
export function tensorsOf(bytes) {
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  const { __metadata__: _, ...header } = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
  return new Map(
    Object.entries(header).map(
      ([
        name,
        {
          dtype,
          data_offsets: [from, to],
        },
      ]) => [
        name,
        { dtype, values: new arrays[dtype](bytes.slice(8 + length + from, 8 + length + to).buffer) },
      ],
    ),
  );
}

/** Halves as integers in the order of the numbers that they are; 0 and -0 are one. */
const ordered = (half) => (half & 0x8000 ? -(half & 0x7fff) : half);
const widened = (half) => new Float32Array(Uint32Array.of(half << 16).buffer)[0];

/**
 * The same codes or their neighbours, or what they stand for is near: close to zero they are dense.
 * @param got and @param expected tensors by name. @param widen makes those two of float32, where they are of int8
 * @returns the share of equal codes
 */
export function compareCodes(got, expected, message, widen = () => [got, expected]) {
  let [codes, same] = [0, 0];
  let wide = null;
  for (const [name, { dtype, values }] of expected) {
    const { dtype: given, values: found } = got.get(name);
    assert.equal(given, dtype, name);
    if (dtype !== 'BF16' && dtype !== 'U8') continue;
    const number = dtype === 'BF16' ? ordered : (code) => code;
    for (const [i, x] of values.entries()) {
      codes++;
      const apart = Math.abs(number(found[i]) - number(x));
      if (apart === 0) same++;
      if (apart <= 1) continue;
      if (dtype === 'U8') wide ??= widen();
      const [a, b] =
        dtype === 'U8'
          ? wide.map((tensors) => tensors.get(name).values)
          : [found, values].map((halves) => Float32Array.from(halves, widened));
      const largest = b.reduce((most, y) => Math.max(most, Math.abs(y)), 0);
      if (!(Math.abs(a[i] - b[i]) <= TOLERANCE * largest))
        assert.fail(`${message}: ${name}[${i}] is ${found[i]} instead of ${x} (${a[i]}, ${b[i]})`);
    }
  }
  return same / codes;
}
