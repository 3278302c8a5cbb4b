// A memory of somebody else's, as simdescent/memory takes it, for tests that step variables in one.
import assert from 'node:assert/strict';

/** A library's memory, with an allocator that counts what it gave and hands out addresses that only 4 divides. */
export function library(memory = new WebAssembly.Memory({ initial: 1 })) {
  let end = 2052;
  const given = new Set();
  return {
    given,
    memory,
    allocate(bytes) {
      const address = end;
      end += Math.ceil(bytes / 4) * 4 + 4;
      const missing = Math.ceil((end - memory.buffer.byteLength) / 65536);
      if (missing > 0) memory.grow(missing);
      given.add(address);
      return address;
    },
    free(address) {
      assert.ok(given.delete(address), `${address} was not allocated, or freed twice`);
    },
    floats: (address, size) => new Float32Array(memory.buffer, address, size),
  };
}
