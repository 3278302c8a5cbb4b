// A .keras file as what it is outside: a zip archive of a few named files. The directory is read here, because the
// sizes and checksums in it are what a damaged or malicious archive is known by, and fflate does not tell them; it
// unpacks and packs. What nobody asks for is never unpacked, and is packed again as it was.

import { crc32 } from './crc32.js';
import { peer } from './peers.js';

const fflate = () => peer('fflate', () => import('fflate'));

const signature = {
  entry: 0x04034b50,
  directory: 0x02014b50,
  end: 0x06054b50,
  end64: 0x06064b50,
  locator64: 0x07064b50,
};
const stored = 0;
const deflated = 8;

interface Entry {
  readonly name: string;
  readonly method: number;
  readonly crc: number;
  /** As it lies in the archive. */
  readonly packed: Uint8Array;
  /** Unpacked, as the directory says. */
  readonly size: number;
}

export interface ZipArchive {
  readonly names: readonly string[];
  /** @throws RangeError for a file whose checksum or size is not what the directory says, or beyond the limit */
  unpack(name: string): Uint8Array;
  /** A new archive with these files instead, and all others as they are. */
  packed(changes: Readonly<Record<string, Uint8Array>>): Uint8Array;
}

export const isZip = (bytes: Uint8Array): boolean =>
  bytes[0] === 0x50 && bytes[1] === 0x4b && (bytes[2] === 3 || bytes[2] === 5);

/**
 * @param limit of all that is unpacked, in bytes
 * @throws RangeError for bytes that are no zip archive
 */
export async function openZip(what: string, bytes: Uint8Array, limit: number): Promise<ZipArchive> {
  const library = await fflate();
  const broken = (why: string) =>
    new RangeError(
      `${what}: these ${bytes.length} bytes are no .keras file, which is a whole zip archive (${why}).`,
    );
  const entries = new Map<string, Entry>();
  try {
    for (const entry of directory(bytes)) {
      if (entries.has(entry.name)) throw broken(`two files are called '${entry.name}'`);
      entries.set(entry.name, entry);
    }
  } catch (cause) {
    if (cause instanceof RangeError && !(cause instanceof Damage)) throw broken('it points beyond its end');
    throw broken((cause as Error).message);
  }
  let room = limit;
  const damaged = (name: string, why: string) =>
    new RangeError(`${what}: '${name}' in the archive is damaged: ${why}. Take another copy of the file.`);
  return {
    names: [...entries.keys()],
    unpack(name) {
      const entry = entries.get(name) as Entry;
      const { method, packed, size, crc } = entry;
      if (method !== stored && method !== deflated)
        throw new RangeError(
          `${what}: '${name}' in the archive is packed by method ${method}; 0 and 8 are read.`,
        );
      if (method === deflated && size > room)
        throw new RangeError(
          `${what}: '${name}' in the archive of ${bytes.length} bytes unpacks to ${size}, more than the ${room} that ` +
            'are allowed; if you trust the file, give the option maxBytes.',
        );
      if (method === deflated) room -= size;
      const inflated = method === deflated ? inflate(library, packed, size) : packed;
      if (inflated?.length !== size) throw damaged(name, `its ${size} bytes cannot be unpacked`);
      if (crc32(inflated) !== crc) throw damaged(name, 'its checksum (CRC-32) does not match');
      return inflated;
    },
    packed(changes) {
      const chunks: Uint8Array[] = [];
      const zip = new library.Zip((error, chunk) => {
        if (error) throw error;
        chunks.push(chunk);
      });
      for (const { name, method, crc, packed, size } of entries.values()) {
        const changed = changes[name];
        const [compression, data] = changed ? [stored, changed] : [method, packed];
        // The date and the permissions that Python's zipfile.writestr gives.
        const file = { filename: name, compression, mtime: new Date(1980, 0, 1), os: 3, attrs: 0o600 << 16 };
        const input: InstanceType<typeof library.ZipPassThrough> = Object.assign(
          Object.create({ process() {}, push() {} }),
          { ...file, size: changed?.length ?? size, crc: changed ? crc32(changed) : crc },
        );
        zip.add(input);
        input.ondata(null, data as Uint8Array<ArrayBuffer>, true);
      }
      zip.end();
      return joined(chunks);
    },
  };
}

class Damage extends RangeError {}

/** @throws Damage, RangeError */
function* directory(bytes: Uint8Array): Generator<Entry> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const u16 = (at: number) => view.getUint16(at, true);
  const u32 = (at: number) => view.getUint32(at, true);
  const u64 = (at: number) => Number(view.getBigUint64(at, true));
  let end = bytes.length - 22;
  while (end >= 0 && end > bytes.length - 22 - 65536 && u32(end) !== signature.end) end--;
  if (end < 0 || u32(end) !== signature.end) throw new Damage('it has no directory at its end');
  let [count, at] = [u16(end + 10), u32(end + 16)];
  if (end >= 20 && u32(end - 20) === signature.locator64) {
    const end64 = u64(end - 12);
    if (u32(end64) !== signature.end64) throw new Damage('its directory is damaged');
    [count, at] = [u64(end64 + 32), u64(end64 + 48)];
  }
  for (let k = 0; k < count; k++) {
    if (u32(at) !== signature.directory) throw new Damage('its directory is damaged');
    const flags = u16(at + 8);
    const [nameLength, extraLength] = [u16(at + 28), u16(at + 30)];
    const name = new TextDecoder().decode(bytes.slice(at + 46, at + 46 + nameLength));
    let [size, packedSize, offset] = [u32(at + 24), u32(at + 20), u32(at + 42)];
    const extra = at + 46 + nameLength;
    for (let field = extra; field + 4 <= extra + extraLength; field += 4 + u16(field + 2)) {
      if (u16(field) !== 1) continue; // numbers of 64 bits for those that are all ones
      let next = field + 4;
      const wide = (value: number) => {
        if (value !== 0xffffffff) return value;
        next += 8;
        return u64(next - 8);
      };
      [size, packedSize, offset] = [wide(size), wide(packedSize), wide(offset)];
    }
    if (flags & 1) throw new Damage(`'${name}' in it is encrypted`);
    if (u32(offset) !== signature.entry) throw new Damage(`'${name}' is not where its directory says`);
    const start = offset + 30 + u16(offset + 26) + u16(offset + 28);
    if (start + packedSize > bytes.length) throw new Damage(`'${name}' in it is cut off`);
    const packed = bytes.subarray(start, start + packedSize);
    yield { name, method: u16(at + 10), crc: u32(at + 16), packed, size };
    at = extra + extraLength + u16(at + 32);
  }
}

type Library = Awaited<ReturnType<typeof fflate>>;

/** Piece by piece, so that what is longer than it says takes no memory; null for what is none. */
function inflate(library: Library, packed: Uint8Array, size: number): Uint8Array | null {
  const out = new Uint8Array(size);
  let filled = 0;
  const stream = new library.Inflate((chunk) => {
    if (filled + chunk.length > size) throw new Damage('too long');
    out.set(chunk, filled);
    filled += chunk.length;
  });
  const piece = 1 << 14; // at most 17 MB come of it
  try {
    for (let at = 0; at < packed.length; at += piece)
      stream.push(packed.subarray(at, at + piece), at + piece >= packed.length);
  } catch {
    return null;
  }
  return filled === size ? out : null;
}

function joined(chunks: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(chunks.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const chunk of chunks) {
    out.set(chunk, at);
    at += chunk.length;
  }
  return out;
}
