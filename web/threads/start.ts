// init({ threads }): the engine on a shared memory, and the pool over it. Whatever keeps the workers from starting
// leads to one thread and a note, not to an error.
import '../index.js'; // as every entry point does: scripts/build.mjs
import type { Engine } from '../engine/engine.js';
import { availableThreads, ThreadPool } from './pool.js';
import { importedMemory, withSharedMemory } from './shared.js';

export interface Started {
  readonly engine: Engine;
  readonly threads: number;
  readonly threadsNote?: string;
}

export async function startThreads(
  bytes: Uint8Array,
  asked: number | 'auto',
  instantiate: (module: WebAssembly.Module, memory?: WebAssembly.Memory) => Promise<Engine>,
  single: (note: string) => Promise<Started>,
): Promise<Started> {
  const threads = asked === 'auto' ? availableThreads() : asked;
  if (threads < 2) return single('there is one core');
  try {
    const { initial, maximum } = importedMemory(bytes);
    const memory = new WebAssembly.Memory({ initial, maximum, shared: true });
    const engine = await instantiate(
      await WebAssembly.compile(withSharedMemory(bytes) as BufferSource),
      memory,
    );
    const pool = new ThreadPool(engine, threads);
    await pool.started();
    engine.pool = pool;
    return { engine, threads };
  } catch (error) {
    return single(
      `the worker threads could not be started: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}
