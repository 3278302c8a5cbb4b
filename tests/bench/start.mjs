// What loading costs: import and init() in fresh processes, the size of what is loaded, and the memory that the
// engine takes before any variable.
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { brotliCompressSync } from 'node:zlib';

const dist = new URL('../../dist/', import.meta.url);
const program = `
  const start = performance.now();
  const { init } = await import(${JSON.stringify(new URL('index.js', dist).href)});
  const imported = performance.now();
  const { memoryBytes } = await init();
  console.log(JSON.stringify({ import: imported - start, init: performance.now() - imported, memoryBytes }));
`;

/** index.js and every chunk that it imports at once, not what it loads on demand. */
function coreFiles(name = 'index.js', seen = new Set()) {
  seen.add(name);
  const text = readFileSync(new URL(name, dist), 'utf8');
  for (const [, other] of text.matchAll(/(?:from|import)\s*"\.\/([^"]+)"/g))
    if (!seen.has(other)) coreFiles(other, seen);
  return [...seen];
}

const brotli = (name) => brotliCompressSync(readFileSync(new URL(name, dist))).length;

/** Rows of { group: 'start', variant, value, unit }. */
export async function start({ rounds }) {
  const found = [];
  for (let k = 0; k < rounds; k++) {
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program]);
    found.push(JSON.parse(stdout));
  }
  const median = (key) => found.map((x) => x[key]).sort((a, b) => a - b)[found.length >> 1];
  const row = (variant, value, unit) => ({ group: 'start', variant, value, unit });
  return [
    row('import, median', median('import'), 'ms'),
    row('init(), median', median('init'), 'ms'),
    row(
      'core entry with wasm, brotli',
      coreFiles().reduce((sum, name) => sum + brotli(name), 0) / 1000,
      'kB',
    ),
    row('simdescent.wasm, brotli', brotli('simdescent.wasm') / 1000, 'kB'),
    row('kernels.wasm, brotli', brotli('kernels.wasm') / 1000, 'kB'),
    row('memory before any variable', found[0].memoryBytes / 2 ** 20, 'MiB'),
  ];
}
