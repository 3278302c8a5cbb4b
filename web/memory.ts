// simdescent/memory: our optimizers for libraries with a WebAssembly memory of their own. Only public names; the
// work is in adapters/.
export type { MemoryHost } from './adapters/kernels.js';
export { type MemoryOptimizer, memoryOptimizer, type Place } from './adapters/memory.js';
