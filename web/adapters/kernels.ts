// The memory-less kernel module inside a memory that another library owns, and the numbers that the two
// memories exchange: scalars that the engine has computed, copied into a block beside the library's arrays.
import kernels from '../../build/wasm/kernels.wasm';
import { decode } from '../basics/bytes.js';
import { importedMemory, withSharedMemory } from '../threads/shared.js';

/** A library's own WebAssembly memory, and its allocator. */
export interface MemoryHost {
  readonly memory: WebAssembly.Memory;
  /** As C's malloc: an address in bytes, 0 if there is no room. */
  allocate(bytes: number): number;
  free(address: number): void;
}

/** What kernels.wasm exports: cpp/bindings/kernels_exports.cc. */
interface Kernels {
  step(rule: number, rows: number, count: number, scratch: number): void;
  average(row: number): void;
  sum_of_squares(row: number): number;
  all_finite(address: number, size: number): number;
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
  return new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as Kernels;
}

/** A memory as words and as floats; the views are made anew when it has grown. */
export class Words {
  readonly #memory: WebAssembly.Memory;
  #words = new Uint32Array(0);
  #floats = new Float32Array(0);

  constructor(memory: WebAssembly.Memory) {
    this.#memory = memory;
  }

  get words(): Uint32Array {
    this.#renew();
    return this.#words;
  }

  get floats(): Float32Array {
    this.#renew();
    return this.#floats;
  }

  #renew(): void {
    const { buffer } = this.#memory;
    if (this.#words.buffer === buffer) return;
    this.#words = new Uint32Array(buffer);
    this.#floats = new Float32Array(buffer);
  }
}
