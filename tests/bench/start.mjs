// What loading costs: import and init() in fresh processes, the size of what is loaded, and the memory that the
// engine takes before any variable.
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { brotli, coreSize } from '../../scripts/core-size.mjs';

const dist = new URL('../../dist/', import.meta.url);
const program = `
  const start = performance.now();
  const { init } = await import(${JSON.stringify(new URL('index.js', dist).href)});
  const imported = performance.now();
  const { memoryBytes } = await init();
  console.log(JSON.stringify({ import: imported - start, init: performance.now() - imported, memoryBytes }));
`;

const wasmSize = (name) => brotli(readFileSync(new URL(name, dist))) / 1000;

/** Rows of { group: 'start', variant, value, unit }. */
export async function start({ rounds }) {
  const found = [];
  for (let k = 0; k < rounds; k++) {
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program]);
    found.push(JSON.parse(stdout));
  }
  for (const x of found) x.both = x.import + x.init;
  const core = coreSize();
  const median = (key) => found.map((x) => x[key]).sort((a, b) => a - b)[found.length >> 1];
  const row = (variant, value, unit) => ({ group: 'start', variant, value, unit });
  return [
    row('import, median', median('import'), 'ms'),
    row('init(), median', median('init'), 'ms'),
    row('import and init(), median', median('both'), 'ms'),
    row('core entry with wasm, brotli', core.all / 1000, 'kB'),
    row('core entry without wasm, brotli', core.script / 1000, 'kB'),
    row('simdescent.wasm, brotli', wasmSize('simdescent.wasm'), 'kB'),
    row('kernels.wasm, brotli', wasmSize('kernels.wasm'), 'kB'),
    row('memory before any variable', found[0].memoryBytes / 2 ** 20, 'MiB'),
  ];
}
