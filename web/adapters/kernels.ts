// The memory-less kernel module inside a memory that another library owns.
import kernels from '../../build/wasm/kernels.wasm';
import { decode } from '../basics/bytes.js';
import { checkFingerprint } from '../engine/facts.js';
import { importedMemory, withSharedMemory } from '../threads/shared.js';

/** A library's own WebAssembly memory, and its allocator. */
export interface MemoryHost {
  /** Of 32-bit addresses; shared or not. */
  readonly memory: WebAssembly.Memory;
  /** As C's malloc: an address in bytes, 0 if there is no room. */
  allocate(bytes: number): number;
  /** Of what `allocate` gave. */
  free(address: number): void;
}

/** What kernels.wasm exports: cpp/bindings/kernels_exports.cc. */
interface Kernels {
  step(rule: number, rows: number, count: number, scratch: number): void;
  average(row: number): void;
  sum_of_squares(row: number): number;
  all_finite(address: number, size: number): number;
  fingerprint(): number;
}

/** A copy of the module that takes any unshared memory: no maximum, and a long spelling of a minimum of 0. */
function withoutLimits(module: Uint8Array): Uint8Array {
  const copy = new Uint8Array(module);
  const { at } = importedMemory(module);
  let end = at + 1;
  for (let numbers = 0; numbers < 2; end++) if (module[end] < 0x80) numbers++;
  copy[at] = 0;
  copy.fill(0x80, at + 1, end - 1);
  copy[end - 1] = 0;
  return copy;
}

let plain: WebAssembly.Module | undefined;
let shared: WebAssembly.Module | undefined;

/** @throws WebAssembly.LinkError for what is no memory of 32-bit addresses */
export function kernelsIn(memory: WebAssembly.Memory): Kernels {
  const isShared = !(memory.buffer instanceof ArrayBuffer);
  const compile = (change: (module: Uint8Array) => Uint8Array) =>
    new WebAssembly.Module(change(decode(kernels)) as BufferSource);
  if (isShared) shared ??= compile(withSharedMemory);
  else plain ??= compile(withoutLimits);
  const module = (isShared ? shared : plain) as WebAssembly.Module;
  const exports = new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as Kernels;
  checkFingerprint('kernels.wasm', exports.fingerprint() >>> 0);
  return exports;
}
