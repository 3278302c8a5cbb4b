// init({ threads }): the engine on a shared memory, and the pool over it. Whatever keeps the workers from starting
// leads to one thread and a note, not to an error. Loaded on demand by the file that it is given the rest from: of that
// and of what that has it imports types alone, or they would be files of their own in dist/.
import kernels from '../../build/wasm/kernels.wasm';
import type { Core } from '../engine/core.js';
import { availableThreads, ThreadPool } from './pool.js';
import { importedMemory, withSharedMemory } from './shared.js';

export interface Started {
  readonly core: Core;
  readonly threads: number;
  readonly threadsNote?: string;
}

/** What load.ts has. */
export interface Loading {
  instantiate(module: WebAssembly.Module, memory?: WebAssembly.Memory): Promise<Core>;
  single(note: string): Promise<Started>;
  /** Of hexadecimal text: web/basics/bytes.ts. */
  decode(text: string): Uint8Array;
}

export async function startThreads(
  bytes: Uint8Array,
  asked: number | 'auto',
  { instantiate, single, decode }: Loading,
): Promise<Started> {
  const threads = asked === 'auto' ? availableThreads() : asked;
  if (threads < 2) return single('there is one core');
  try {
    const { initial, maximum } = importedMemory(bytes);
    const memory = new WebAssembly.Memory({ initial, maximum, shared: true });
    const core = await instantiate(
      await WebAssembly.compile(withSharedMemory(bytes) as BufferSource),
      memory,
    );
    const pool = new ThreadPool(core, threads, decode(kernels));
    await pool.started();
    core.pool = pool;
    return { core, threads };
  } catch (error) {
    return single(
      `the worker threads could not be started: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}
