// simdescent/memory: our optimizers for libraries with a WebAssembly memory of their own. Only public names; the
// work is in adapters/.
import './index.js'; // as every entry point does: scripts/build.mjs

export type { MemoryHost } from './adapters/kernels.js';
export { type MemoryOptimizer, memoryOptimizer, type Place } from './adapters/memory.js';
