// The checksum of zip archives, which fflate does not check when it unpacks. No other use.

// Eight tables, so that eight bytes are taken at a time: table k holds the sums of a byte with k zeros after it.
const tables = new Uint32Array(8 * 256);
for (let byte = 0; byte < 256; byte++) {
  let sum = byte;
  for (let bit = 0; bit < 8; bit++) sum = (sum >>> 1) ^ (sum & 1 ? 0xedb88320 : 0);
  tables[byte] = sum;
}
for (let at = 256; at < tables.length; at++)
  tables[at] = tables[tables[at - 256] & 255] ^ (tables[at - 256] >>> 8);

/** CRC-32 (zip, gzip, PNG) of the bytes. */
export function crc32(bytes: Uint8Array): number {
  const t = tables;
  const words = (bytes.length >> 3) << 3;
  let sum = -1;
  for (let i = 0; i < words; i += 8) {
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
  for (let i = words; i < bytes.length; i++) sum = t[(sum ^ bytes[i]) & 255] ^ (sum >>> 8);
  return ~sum >>> 0;
}
