// Reads a folder of conformance vectors: which kind each JSON file is, and its numbers as float32.
// It knows the file format, not the library under test.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

const KINDS = ['cases', 'schedules', 'runs', 'errors'];

/** Every vector file of the folder as { file, kind, body }; files of no known kind (an index) are left out. */
export async function loadFolder(dir) {
  const names = (await readdir(dir)).filter((name) => name.endsWith('.json')).sort();
  const files = [];
  for (const file of names) {
    const body = JSON.parse(await readFile(join(dir, file), 'utf8'));
    const kind = KINDS.find((key) => Array.isArray(body[key]));
    if (kind) files.push({ file, kind, body });
  }
  if (files.length === 0) throw new Error(`no conformance vectors (*.json) in ${dir}`);
  return files;
}

/** Non-finite numbers are written as strings ("NaN", "Infinity", "-Infinity"), which Number() reads back. */
export function floats(list) {
  return Float32Array.from(list, Number);
}

/** The typed array behind { dtype, base64 }; the files are little-endian, as is every machine this runs on. */
export function decodeBase64({ dtype, base64 }) {
  const bytes = Uint8Array.from(Buffer.from(base64, 'base64'));
  const types = { float32: Float32Array, uint16: Uint16Array, uint8: Uint8Array };
  if (!types[dtype]) throw new Error(`unknown dtype ${dtype} in the vectors`);
  return new types[dtype](bytes.buffer);
}

/** Which family of formulas a case was recorded from; the file's own words, not its name, decide. */
export function dialectOf(testCase) {
  if (testCase.optimizer.startsWith('torch.optim.')) return 'torch';
  if (testCase.source.startsWith('tf_keras')) return 'tf-keras';
  if (testCase.source.startsWith('capreolus')) return 'capreolus';
  return 'keras';
}
