// The memory-less kernel module: it is meant to run inside somebody else's memory, so it must bring nothing of
// its own: no memory, no data, no table, no start function, no stack.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { before, test } from 'node:test';
import { row, rules } from '../../build/wasm/facts.mjs';
import { assertSameBits, randomFloats, root } from './helpers.mjs';
import { adamaxCoefficients, adamCoefficients, referenceAdam, referenceAdamax } from './reference.mjs';

const SECTIONS = {
  import: 2,
  table: 4,
  memory: 5,
  global: 6,
  export: 7,
  start: 8,
  element: 9,
  data: 11,
  dataCount: 12,
};

let bytes;
let module;
before(async () => {
  bytes = await readFile(`${root}dist/kernels.wasm`);
  module = new WebAssembly.Module(bytes);
});

/** The ids of the sections of a wasm file, custom ones left out. */
function sectionIds(file) {
  const ids = [];
  for (let at = 8; at < file.length; ) {
    const id = file[at++];
    let size = 0;
    for (let shift = 0, more = true; more; shift += 7) {
      size += (file[at] & 0x7f) * 2 ** shift;
      more = (file[at++] & 0x80) !== 0;
    }
    if (id !== 0) ids.push(id);
    at += size;
  }
  return ids;
}

test('it imports a memory and nothing else', () => {
  assert.deepEqual(WebAssembly.Module.imports(module), [{ module: 'env', name: 'memory', kind: 'memory' }]);
});

test('it has no data, no elements, no table, no memory of its own and no start function', () => {
  const ids = sectionIds(bytes);
  assert.ok(ids.includes(SECTIONS.import) && ids.includes(SECTIONS.export));
  for (const name of ['data', 'dataCount', 'element', 'table', 'memory', 'start']) {
    assert.ok(!ids.includes(SECTIONS[name]), `it has a section "${name}"`);
  }
});

test('it has no globals, so no stack pointer', () => {
  assert.ok(!sectionIds(bytes).includes(SECTIONS.global));
  const kinds = WebAssembly.Module.exports(module).map(({ kind }) => kind);
  assert.ok(kinds.length > 0 && kinds.every((kind) => kind === 'function'), kinds.join());
});

test('an instance leaves a foreign memory as it was, at every byte', async () => {
  const memory = new WebAssembly.Memory({ initial: 4, maximum: 65536 });
  const all = new Uint8Array(memory.buffer);
  all.forEach((_, i) => {
    all[i] = (i * 7) % 251;
  });
  const before = all.slice();
  await WebAssembly.instantiate(module, { env: { memory } });
  assert.deepEqual(all, before);
});

/** The file with the import's limits made shared: their flag is 1 (a maximum follows), and 3 with the shared bit. */
function shared(file) {
  const entry = Buffer.from([3, ...Buffer.from('env'), 6, ...Buffer.from('memory'), 2]);
  const at = Buffer.from(file).indexOf(entry) + entry.length;
  assert.equal(file[at], 1, 'the limits of the imported memory have a maximum and are not shared');
  return Uint8Array.from(file, (byte, i) => (i === at ? 3 : byte));
}

test('with the shared bit set in its import it runs in a shared memory', async () => {
  const memory = new WebAssembly.Memory({ initial: 4, maximum: 65536, shared: true });
  const { instance } = await WebAssembly.instantiate(shared(bytes), { env: { memory } });
  assert.ok(Object.keys(instance.exports).length > 0);
});

const PIPE = [1, 1, 1, 1, -Infinity, Infinity, 0, 0, 0, 1, 1, 1, 0]; // identities: cpp/kernels/stage.h
const RULES = { adam: rules.adam.index, adamax: rules.adamax.index };

/** Somebody else's memory, full of their bytes, with arrays of ours put at addresses that only 4 divides. */
async function host() {
  const memory = new WebAssembly.Memory({ initial: 16, maximum: 65536 });
  const words = new Uint32Array(memory.buffer).fill(0xabadcafe);
  const owned = new Uint8Array(words.length);
  const { exports } = await WebAssembly.instantiate(module, { env: { memory } });
  let next = 1021;
  const put = (values, Type) => {
    const at = next;
    next += values.length + 3;
    owned.fill(1, at, at + values.length);
    new Type(memory.buffer, at * 4, values.length).set(values);
    return at * 4;
  };
  return {
    exports,
    putFloats: (values) => put(values, Float32Array),
    putWords: (values) => put(values, Uint32Array),
    floats: (address, length) => new Float32Array(memory.buffer, address, length),
    strangersAreUntouched: () => words.every((word, i) => owned[i] === 1 || word === 0xabadcafe),
  };
}

for (const [name, update, coefficients] of [
  ['adam', referenceAdam, adamCoefficients],
  ['adamax', referenceAdamax, adamaxCoefficients],
]) {
  test(`${name}: rows in a foreign memory are stepped with the bits of the formulas, and nothing else is touched`, async () => {
    const h = await host();
    const pipe = h.putFloats(PIPE);
    const sizes = [1, 4, 7, 0, 64, 1000, 16387];
    const variables = sizes.map((n, i) => {
      const [w, m, v] = [randomFloats(n, i), new Float32Array(n), new Float32Array(n)];
      return { n, w, m, v, at: [w, new Float32Array(n), m, v].map(h.putFloats) };
    });
    const coef = h.putFloats(coefficients(1));
    // One row: w, g, slot 0..2, acc, avg, pipe, coef, n, stages, and what these rules do not read (cpp/kernels/sweep.h).
    const rest = new Array(row.words - 10).fill(0);
    const rows = h.putWords(
      variables.flatMap(({ n, at: [w, g, m, v] }) => [w, g, m, v, 0, 0, 0, pipe, coef, n, ...rest]),
    );
    for (let t = 1; t <= 3; t++) {
      h.floats(coef, coefficients(t).length).set(coefficients(t));
      variables.forEach(({ n, w, m, v, at }, i) => {
        const g = randomFloats(n, 100 * t + i);
        h.floats(at[1], n).set(g);
        update({ w, g, m, v }, t);
      });
      h.exports.step(RULES[name], rows, sizes.length, 0);
    }
    for (const { n, w, m, v, at } of variables) {
      assertSameBits(h.floats(at[0], n), w, `w of size ${n}`);
      assertSameBits(h.floats(at[2], n), m, `momentum of size ${n}`);
      assertSameBits(h.floats(at[3], n), v, `second slot of size ${n}`);
    }
    assert.ok(h.strangersAreUntouched());
  });
}

test('all_finite finds one element that is not, at every place', async () => {
  const h = await host();
  for (const n of [1, 3, 4, 5, 9]) {
    const at = h.putFloats(randomFloats(n, n));
    const x = h.floats(at, n);
    assert.equal(h.exports.all_finite(at, n), 1);
    for (let i = 0; i < n; i++) {
      const kept = x[i];
      for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
        x[i] = bad;
        assert.equal(h.exports.all_finite(at, n), 0, `${bad} at ${i} of ${n}`);
      }
      x[i] = kept;
    }
  }
});
