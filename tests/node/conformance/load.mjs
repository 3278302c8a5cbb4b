// Reads a folder of conformance vectors: which kind each JSON file is, and its numbers as float32.
// It knows the file format, not the library under test.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

const KINDS = ['cases', 'schedules', 'runs', 'errors'];

/** Every vector file of the folder as { file, kind, body }. A JSON file that nothing would run is an error. */
export async function loadFolder(dir) {
  const names = (await readdir(dir)).filter((name) => name.endsWith('.json')).sort();
  const files = [];
  for (const file of names) {
    const body = parsed(await readFile(join(dir, file), 'utf8'), file);
    if (isIndex(body, file, names)) continue;
    const lists = KINDS.filter((key) => body[key]?.length > 0);
    if (lists.length !== 1) {
      const found = lists.join(' and ') || 'none';
      throw new Error(`${file}: a vector file holds one list of ${KINDS.join(', ')}; here is ${found}`);
    }
    // What was recorded on the NumPy backend alone is held to that in every respect.
    for (const testCase of body.cases ?? []) testCase.expect ??= testCase.expect_generic;
    // A case of one backend alone is held to that in every respect.
    for (const testCase of body.cases ?? []) testCase.expect ??= testCase.expect_generic;
    files.push({ file, kind: lists[0], body });
  }
  if (files.length === 0) throw new Error(`no conformance vectors (*.json) in ${dir}`);
  return files;
}

function parsed(text, file) {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`${file}: ${error.message}`, { cause: error });
  }
}

/** An index.json has no numbers, but the names of the files beside it, which have to be there. */
function isIndex({ files }, file, names) {
  if (file !== 'index.json' || !files) return false;
  const lost = Object.keys(files).filter((name) => !names.includes(name));
  if (lost.length > 0) throw new Error(`${file} names files that are not there: ${lost.join(', ')}`);
  return true;
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
