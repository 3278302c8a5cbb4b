// The facts that the build has read off the C++ structs: a module of another build is refused before it can be
// misunderstood.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fingerprint } from '../../build/wasm/facts.mjs';
import * as library from '../../dist/index.js';
import { root } from './helpers.mjs';

/** A module whose fingerprint is another one: the constant, as an f64 in its code, is one more. */
function ofAnotherBuild(bytes) {
  const constant = Buffer.alloc(8);
  constant.writeDoubleLE(fingerprint);
  const at = bytes.indexOf(constant);
  assert.ok(at > 0, 'the module carries the fingerprint');
  const copy = Buffer.from(bytes);
  copy.writeDoubleLE(fingerprint + 1, at);
  return copy;
}

test('a module of another build is refused, by its fingerprint; the right one is taken after it', async () => {
  const bytes = readFileSync(`${root}dist/simdescent.wasm`);
  await assert.rejects(
    () => library.init({ wasm: ofAnotherBuild(bytes) }),
    (error) => /of another build/.test(error.message) && error.message.includes(String(fingerprint)),
  );
  await library.init({ wasm: bytes });
  const w = Float32Array.of(1);
  new library.SGD({ learningRate: 0.5 }).apply([Float32Array.of(1)], [w]);
  assert.equal(w[0], 0.5);
});
