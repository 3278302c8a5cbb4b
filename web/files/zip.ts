// A .keras file as what it is outside: a zip archive of a few named files. fflate does the work.
import { bytesOf } from '../basics/bytes.js';
import { peer } from './peers.js';

const fflate = () => peer('fflate', () => import('fflate'));

/** @throws TypeError for anything but bytes; RangeError for bytes that are no zip archive. */
export async function unzip(what: string, bytes: unknown): Promise<Record<string, Uint8Array>> {
  const given = bytesOf(what, bytes);
  const { unzipSync } = await fflate();
  try {
    return unzipSync(given);
  } catch (cause) {
    throw new RangeError(
      `${what}: these ${given.length} bytes are no .keras file, which is a whole zip archive (${(cause as Error).message}).`,
      { cause },
    );
  }
}

/** Files are stored, not compressed, with the date and the permissions that Python's zipfile.writestr gives. */
export async function zip(files: Record<string, Uint8Array>): Promise<Uint8Array> {
  const { zipSync } = await fflate();
  return zipSync(files, { level: 0, mtime: new Date(1980, 0, 1), os: 3, attrs: 0o600 << 16 });
}
