// init(): compiles and instantiates the wasm once per realm. The bytes are inlined in the package, so that it
// loads in Node, bare pages and bundlers alike; `wasm` overrides them.

import createModule from '../build/wasm/simdescent.mjs';
import inlined from '../build/wasm/simdescent.wasm';
import { Engine, type EngineModule, setEngine } from './engine.js';
import { describe, oneOf } from './errors.js';

export interface InitOptions {
  /** Worker threads for large tensors. Accepted; this version always runs one thread. */
  threads?: number | 'auto';
  /** Accepted; never used: relaxed SIMD gains nothing and would cost the same bits everywhere. */
  relaxedSimd?: boolean;
  /** Where the engine comes from, instead of the inlined copy: `simdescent/simdescent.wasm`. */
  wasm?: URL | string | Response | BufferSource | WebAssembly.Module;
}

export interface RuntimeInfo {
  variant: 'simd128' | 'relaxed' | 'scalar';
  threads: number;
  /** Size of the engine's memory, in bytes. */
  memoryBytes: number;
}

async function compile(source: InitOptions['wasm']): Promise<WebAssembly.Module> {
  if (source instanceof WebAssembly.Module) return source;
  if (source === undefined) return WebAssembly.compile(inlined as BufferSource);
  if (typeof source === 'string' || source instanceof URL) source = await fetch(source);
  if (typeof Response !== 'undefined' && source instanceof Response) {
    if (!source.ok) throw new Error(`init: fetching ${source.url} failed with status ${source.status}.`);
    source = await source.arrayBuffer(); // not compileStreaming: a wrong MIME type would refuse a good file
  }
  if (source instanceof ArrayBuffer || ArrayBuffer.isView(source))
    return WebAssembly.compile(source as BufferSource);
  throw new TypeError(
    `init: option 'wasm' must be a URL, string, Response, BufferSource or WebAssembly.Module, got ${describe(source)}.`,
  );
}

async function load(options: InitOptions): Promise<Engine> {
  const module = await compile(options.wasm);
  let memory: WebAssembly.Memory | undefined;
  const exports = await new Promise<EngineModule>((resolve, reject) => {
    createModule({
      instantiateWasm(imports: WebAssembly.Imports, done: (instance: WebAssembly.Instance) => void) {
        // The one memory among the imports, whatever name the linker gave it.
        for (const space of Object.values(imports))
          for (const value of Object.values(space)) if (value instanceof WebAssembly.Memory) memory = value;
        WebAssembly.instantiate(module, imports).then(done, reject);
        return {};
      },
    }).then(resolve as (value: unknown) => void, reject);
  });
  if (!memory)
    throw new Error('init: the wasm module given does not import a memory; is it simdescent.wasm?');
  return new Engine(exports, memory);
}

let loading: Promise<Engine> | undefined;

/**
 * Loads the engine. Idempotent and safe to call concurrently: the first call's options count.
 * @throws TypeError for an unknown option or a `wasm` of the wrong kind; whatever fetching or compiling throws.
 */
export async function init(options: InitOptions = {}): Promise<RuntimeInfo> {
  for (const key of Object.keys(options)) {
    if (!['threads', 'relaxedSimd', 'wasm'].includes(key))
      throw new TypeError(
        `init: unknown option '${key}'; ${oneOf(['threads', 'relaxedSimd', 'wasm'])} is accepted.`,
      );
  }
  loading ??= load(options).then((engine) => {
    setEngine(engine);
    return engine;
  });
  try {
    const { memory } = await loading;
    return { variant: 'simd128', threads: 1, memoryBytes: memory.buffer.byteLength };
  } catch (error) {
    loading = undefined; // so that another call may try again
    throw error;
  }
}
