// How much somebody loads who imports `simdescent`: index.js and every chunk that it imports at once, not what it loads
// on demand. For the bench and for the ceiling in `npm test`.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync } from 'node:zlib';
import { root } from './setup/run.mjs';

const read = (name) => readFileSync(join(root, 'dist', name), 'utf8');

function coreFiles(name = 'index.js', seen = new Set()) {
  seen.add(name);
  for (const [, other] of read(name).matchAll(/(?:from|import)\s*"\.\/([^"]+)"/g))
    if (!seen.has(other)) coreFiles(other, seen);
  return [...seen];
}

export const brotli = (bytes) => brotliCompressSync(bytes).length;

/** Bytes, each file compressed by brotli: all, and without the wasm that is inlined (web/basics/bytes.ts). */
export function coreSize() {
  const texts = coreFiles().map(read);
  const sum = (files) => files.reduce((bytes, text) => bytes + brotli(text), 0);
  return {
    all: sum(texts),
    script: sum(texts.map((text) => text.replace(/(["'`])(?:[\da-f]|\\\n){9999,}\1/g, '""'))),
  };
}
