// The wasm modules by themselves, in one memory of the bench's own: the scalar and the SIMD kernels driven
// without the engine and the TypeScript round them, and the yardsticks. All work on the same four arrays.
import { readFileSync } from 'node:fs';
import * as facts from '../../../build/wasm/facts.mjs';
import { gradientOf, hyper, numbers, weightsOf } from './data.mjs';

const files = {
  scalar: 'build/wasm/kernels-scalar.wasm',
  simd: 'dist/kernels.wasm',
  yardsticks: 'build/wasm/yardsticks.wasm',
};
const rules = { adam: facts.rules.adam.index, adamax: facts.rules.adamax.index };
const pipe = [1, 1, 1, 1, -Infinity, Infinity, 0, 0, 0, 1, 1, 1, 0]; // no stage: cpp/kernels/stage.h
const page = 4096;
const { words: rowWords } = facts.row;
const [rowAt, pipeAt, coefAt] = [0, 64, 128]; // on the first page
const dividerAt = [page, 2 * page]; // the dividers' output and input: 1,024 floats each
// Where in a page w, g, m and v start, as in cpp/engine/memory.h.
const offsets = [3072, 1024, 0, 2048];

let shared;

/** The memory, and the exports of the modules in it. */
function host() {
  if (!shared) {
    const memory = new WebAssembly.Memory({ initial: 16, maximum: 65536 });
    const load = (file) => {
      const module = new WebAssembly.Module(readFileSync(new URL(`../../../${file}`, import.meta.url)));
      return new WebAssembly.Instance(module, { env: { memory } }).exports;
    };
    const exports = Object.fromEntries(Object.entries(files).map(([name, file]) => [name, load(file)]));
    shared = { memory, exports };
  }
  return shared;
}

/** Puts w, g, m and v of length n into the memory, over whatever was there, from byte `end` on. */
function place(n, end = 3 * page) {
  const { memory } = host();
  const addresses = offsets.map((offset) => {
    const at = Math.ceil(end / page) * page + offset;
    end = at + n * 4;
    return at;
  });
  const missing = Math.ceil((end - memory.buffer.byteLength) / 65536);
  if (missing > 0) memory.grow(missing);
  const [w, g, m, v] = addresses.map((at) => new Float32Array(memory.buffer, at, n));
  w.set(weightsOf(n));
  g.set(gradientOf(n));
  m.fill(0);
  v.fill(0);
  return { addresses, w, m, v };
}

/** The coefficients of update t (cpp/kernels/adam.h, adamax.h). */
function coefficients(rule, t) {
  const { learningRate, beta1, beta2, epsilon } = hyper;
  const bias1 = 1 - Math.fround(beta1) ** t;
  if (rule === 'adamax') return [1 - beta1, beta2, learningRate, bias1, epsilon];
  const root2 = Math.sqrt(1 - Math.fround(beta2) ** t);
  return [1 - beta1, 1 - beta2, (learningRate * root2) / bias1, epsilon];
}

/** Writes rows of cpp/kernels/sweep.h: w, g, slots, acc, avg, pipe, coef, n, stages, sums. */
function writeRows(at, addresses, count, size) {
  const { memory } = host();
  new Float32Array(memory.buffer, pipeAt, pipe.length).set(pipe);
  const rows = new Uint32Array(memory.buffer, at, count * rowWords).fill(0);
  for (let k = 0; k < count; k++) {
    const [w, g, m, v] = addresses.map((address) => address + k * size * 4);
    rows.set([w, g, m, v, 0, 0, 0, pipeAt, coefAt, size], k * rowWords);
  }
}

/** The SIMD kernel over many rows in one call: what a step of many tensors costs without what is round it. */
export function kernelRows(rule, { count, size }) {
  const { memory, exports } = host();
  const rowsAt = 3 * page;
  const { addresses } = place(count * size, rowsAt + count * rowWords * 4);
  writeRows(rowsAt, addresses, count, size);
  new Float32Array(memory.buffer, coefAt, 8).set(coefficients(rule, 1));
  return { name: 'SIMD kernel, one call', run: () => exports.simd.step(rules[rule], rowsAt, count, 0) };
}

/** The kernels and the yardsticks for one size. A second call takes the arrays of the first one's variants away. */
export function moduleVariants(rule, n) {
  const { memory, exports } = host();
  const { addresses, w, m, v } = place(n);
  const coef = new Float32Array(memory.buffer, coefAt, 8);
  const [wAt, gAt, mAt, vAt] = addresses;
  writeRows(rowAt, addresses, 1, n);
  const kernel = (name, { step }) => {
    let t = 0;
    const run = () => {
      coef.set(coefficients(rule, ++t));
      step(rules[rule], rowAt, 1, 0);
    };
    const restart = () => {
      t = 0;
      w.set(weightsOf(n));
      m.fill(0);
      v.fill(0);
    };
    return { name, run, restart, values: () => w };
  };
  const { stream, divide, divide_root: divideRoot } = exports.yardsticks;
  const divider = rule === 'adam' ? divideRoot : divide;
  const [out, x] = dividerAt;
  new Float32Array(memory.buffer, x, page / 4).set(numbers(page / 4, 3).map(Math.abs));
  const whole = n - (n % 4);
  return [
    kernel('SIMD kernel', exports.simd),
    kernel('scalar kernel', exports.scalar),
    // + 0: the additions are made, and the state stays what the kernels can go on with.
    { name: 'stream', run: () => stream(wAt, gAt, mAt, vAt, whole, 0) },
    { name: 'divider', run: () => divider(out, x, whole, 1) },
  ];
}
