// The host: one memory for the kernels and the engine, and then one call.
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

const memory = new WebAssembly.Memory({ initial: 4, maximum: 65536 });
const load = async (path, imports) => {
  const { instance } = await WebAssembly.instantiate(await readFile(path), { env: { memory }, ...imports });
  return instance.exports;
};
const kernels = await load(fileURLToPath(import.meta.resolve('simdescent/kernels.wasm')), {});
const { train } = await load('engine.wasm', { kernels });

const [slope, intercept] = new Float32Array(memory.buffer, train(2000, 0.05), 2);
console.log(slope, intercept); // about 3 -1
