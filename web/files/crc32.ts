// The checksum of zip archives, which fflate does not check when it unpacks. No other use.

// Eight tables, so that eight bytes are taken at a time: table k holds the sums of a byte with k zeros after it.
const tables = new Int32Array(8 * 256);
for (let byte = 0; byte < 256; byte++) {
  let sum = byte;
  for (let bit = 0; bit < 8; bit++) sum = (sum >>> 1) ^ (sum & 1 ? 0xedb88320 : 0);
  tables[byte] = sum;
}
for (let at = 256; at < tables.length; at++)
  tables[at] = tables[tables[at - 256] & 255] ^ (tables[at - 256] >>> 8);

/** CRC-32 (zip, gzip, PNG) of the bytes. */
export function crc32(bytes: Uint8Array): number {
  const piece = 1 << 16; // a function that is called often is compiled sooner than a loop that runs long
  let sum = -1;
  for (let from = 0; from < bytes.length; from += piece)
    sum = extended(sum, bytes, from, Math.min(from + piece, bytes.length));
  return ~sum >>> 0;
}

function extended(before: number, bytes: Uint8Array, from: number, to: number): number {
  const t = tables;
  const words = from + (((to - from) >> 3) << 3);
  let sum = before;
  for (let i = from; i < words; i += 8) {
    const low = sum ^ (bytes[i] | (bytes[i + 1] << 8) | (bytes[i + 2] << 16) | (bytes[i + 3] << 24));
    sum =
      t[0x700 | (low & 255)] ^
      t[0x600 | ((low >>> 8) & 255)] ^
      t[0x500 | ((low >>> 16) & 255)] ^
      t[0x400 | (low >>> 24)] ^
      t[0x300 | bytes[i + 4]] ^
      t[0x200 | bytes[i + 5]] ^
      t[0x100 | bytes[i + 6]] ^
      t[bytes[i + 7]];
  }
  for (let i = words; i < to; i++) sum = t[(sum ^ bytes[i]) & 255] ^ (sum >>> 8);
  return sum;
}
