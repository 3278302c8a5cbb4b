// The facts of the C++ side (cpp/engine/facts.h), told by the module that the build makes for this, as constants with
// their types for TypeScript: build/wasm/facts.mjs and facts.d.mts.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** @param folder of facts.wasm, where the two files are written if they say something else */
export async function writeFacts(folder) {
  const { instance } = await WebAssembly.instantiate(readFileSync(join(folder, 'facts.wasm')), {
    wasi_snapshot_preview1: new Proxy({}, { get: () => () => 0 }),
    env: new Proxy({}, { get: () => () => 0 }),
  });
  const { memory, facts, _initialize } = instance.exports;
  _initialize?.();
  const bytes = new Uint8Array(memory.buffer, facts());
  const all = JSON.parse(new TextDecoder().decode(bytes.subarray(0, bytes.indexOf(0))));
  const head = '// Written by scripts/facts.mjs from cpp/engine/facts.h.\n';
  const values = Object.entries(all).map(
    ([name, value]) => `export const ${name} = ${JSON.stringify(value, null, 2)};\n`,
  );
  const types = Object.entries(all).map(
    ([name, value]) => `export declare const ${name}: ${typeOf(value)};\n`,
  );
  for (const [name, text] of [
    ['facts.mjs', head + values.join('')],
    ['facts.d.mts', head + types.join('')],
  ]) {
    const path = join(folder, name);
    if (!existsSync(path) || readFileSync(path, 'utf8') !== text) writeFileSync(path, text);
  }
}

/** As wide as what the sources say of it: web/engine/facts.ts. */
function typeOf(value) {
  if (Array.isArray(value)) return `readonly ${value.length ? typeOf(value[0]) : 'never'}[]`;
  if (typeof value !== 'object') return typeof value;
  const members = Object.entries(value).map(([key, x]) => `readonly ${key}: ${typeOf(x)}`);
  return `{ ${members.join('; ')} }`;
}
