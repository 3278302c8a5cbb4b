// init(): compiles and instantiates the wasm once per realm. The bytes are inlined in the package, so that it
// loads in Node, bare pages and bundlers alike; `wasm` overrides them.

import createModule from '../../build/wasm/simdescent.mjs';
import inlined from '../../build/wasm/simdescent.wasm';
import { decode } from '../basics/bytes.js';
import { describe, refuseUnknown } from '../basics/errors.js';
import { Core, type EngineModule, setCore } from './core.js';
import { checkFingerprint } from './facts.js';

/** What `init` takes. */
export interface InitOptions {
  /**
   * Threads for large tensors, the caller's own included; `'auto'` is as many as there are cores, 4 at most.
   * Default 1. Needs shared memory: Node, or a cross-origin isolated page; elsewhere there is one thread, and
   * the runtime info says why. Bits do not depend on it.
   */
  threads?: number | 'auto' | undefined;
  /** Where the engine comes from, instead of the inlined copy: `simdescent/simdescent.wasm`. */
  wasm?: URL | string | Response | BufferSource | WebAssembly.Module | undefined;
}

/** What `init` resolves to. */
export interface RuntimeInfo {
  /** Which of the engine's builds runs: 'simd128', always. */
  variant: 'simd128';
  /** How many threads step large tensors, the caller's own included. */
  threads: number;
  /** Why there is one thread although more were asked for. */
  threadsNote?: string;
  /** Size of the engine's memory, in bytes. */
  memoryBytes: number;
}

interface Loaded {
  readonly core: Core;
  readonly threads: number;
  readonly threadsNote?: string;
}

/** `relaxedSimd` was to be one, and is passed over: such instructions have other bits on other machines. */
const optionNames = ['threads', 'wasm', 'relaxedSimd'];

function checkOptions(options: InitOptions): void {
  refuseUnknown('init', options, optionNames);
  const { threads } = options;
  if (threads === undefined || threads === 'auto') return;
  const text = `init: threads must be an integer from 1 to 64, or 'auto', got ${describe(threads)}.`;
  if (typeof threads !== 'number') throw new TypeError(text);
  if (!Number.isInteger(threads) || threads < 1 || threads > 64) throw new RangeError(text);
}

/** The bytes of the engine, or a module that somebody compiled. */
async function fetchEngine(source: InitOptions['wasm']): Promise<Uint8Array | WebAssembly.Module> {
  if (source === undefined) return decode(inlined);
  if (source instanceof WebAssembly.Module) return source;
  if (typeof source === 'string' || source instanceof URL) source = await fetch(source);
  if (typeof Response !== 'undefined' && source instanceof Response) {
    if (!source.ok) throw new Error(`init: fetching ${source.url} failed with status ${source.status}.`);
    source = await source.arrayBuffer(); // not compileStreaming: a wrong MIME type would refuse a good file
  }
  if (source instanceof ArrayBuffer) return new Uint8Array(source);
  if (ArrayBuffer.isView(source)) return new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
  throw new TypeError(
    `init: option 'wasm' must be a URL, string, Response, BufferSource or WebAssembly.Module, got ${describe(source)}.`,
  );
}

/** `module` may still be compiling: Emscripten's glue gets ready meanwhile. */
async function instantiate(
  module: WebAssembly.Module | Promise<WebAssembly.Module>,
  wasmMemory?: WebAssembly.Memory,
): Promise<Core> {
  let memory: WebAssembly.Memory | undefined;
  const exports = await new Promise<EngineModule>((resolve, reject) => {
    createModule({
      ...(wasmMemory && { wasmMemory }),
      instantiateWasm(imports: WebAssembly.Imports, done: (instance: WebAssembly.Instance) => void) {
        // The one memory among the imports, whatever name the linker gave it.
        for (const space of Object.values(imports))
          for (const value of Object.values(space)) if (value instanceof WebAssembly.Memory) memory = value;
        Promise.resolve(module)
          .then((compiled) => WebAssembly.instantiate(compiled, imports))
          .then(done)
          .catch(reject); // also what `done` throws: of a module that is not ours
        return {};
      },
    }).then(resolve as (value: unknown) => void, reject);
  });
  if (!memory) throw new Error('it imports no memory');
  checkFingerprint('the module', exports.fingerprint);
  return new Core(exports, memory);
}

/** What kept the engine from starting, with what can be done about it. */
function startFailure(given: boolean, cause: unknown): Error {
  const text = cause instanceof Error ? cause.message : String(cause);
  let hint = 'a browser or Node without SIMD in WebAssembly (older than 2021, or switched off) cannot run it';
  if (/Content[ -]Security|unsafe-eval|\bCSP\b|disallowed by embedder/i.test(text))
    hint = "the page's Content-Security-Policy forbids WebAssembly: add 'wasm-unsafe-eval' to its script-src";
  else if (given)
    hint = "option 'wasm' must be simdescent/simdescent.wasm of this version of the package, or a copy of it";
  return new Error(`init: the engine could not be started (${text}); ${hint}.`, { cause });
}

/** Why this place cannot have threads; undefined if it can. */
function obstacle(source: Uint8Array | WebAssembly.Module): string | undefined {
  if (source instanceof WebAssembly.Module)
    return 'a compiled WebAssembly.Module cannot be made shared; pass its bytes';
  if (typeof SharedArrayBuffer === 'undefined' || globalThis.crossOriginIsolated === false)
    return 'the page is not cross-origin isolated (it needs the headers COOP same-origin and COEP require-corp)';
  return undefined;
}

async function load(options: InitOptions): Promise<Loaded> {
  if (typeof WebAssembly === 'undefined')
    throw new Error(
      "init: there is no WebAssembly here: it is switched off, as by node --jitless or a browser's lockdown mode.",
    );
  const source = await fetchEngine(options.wasm);
  const single = async (threadsNote?: string): Promise<Loaded> => {
    try {
      const module =
        source instanceof WebAssembly.Module ? source : WebAssembly.compile(source as BufferSource);
      return { core: await instantiate(module), threads: 1, threadsNote };
    } catch (error) {
      throw startFailure(options.wasm !== undefined, error);
    }
  };
  if ((options.threads ?? 1) === 1) return single();
  const why = obstacle(source);
  if (why !== undefined) return single(why);
  const { startThreads } = await import('../threads/start.js');
  const threads = options.threads as number | 'auto';
  return startThreads(source as Uint8Array, threads, { instantiate, single, decode });
}

let loading: Promise<Loaded> | undefined;
/** How many threads the call asked for that loads, or has loaded, the engine. */
let asked: number | 'auto' = 1;

/**
 * Loads the engine. Idempotent and safe to call concurrently: the first call's options count.
 * @throws TypeError, RangeError for unknown or wrong options; Error if the engine runs already with another number of
 *   threads than this call asks for; whatever fetching or compiling throws.
 */
export async function init(options: InitOptions = {}): Promise<RuntimeInfo> {
  checkOptions(options);
  const { threads: wanted = asked } = options;
  if (!loading) asked = options.threads ?? 1;
  else if (wanted !== asked)
    throw new Error(
      `init: threads: ${describe(wanted)} comes too late: the first call of init() decides, and asked for ${describe(asked)}.`,
    );
  loading ??= load(options).then((loaded) => {
    setCore(loaded.core);
    return loaded;
  });
  const mine = loading;
  try {
    const { core, threads, threadsNote } = await mine;
    return {
      variant: 'simd128',
      threads: core.pool || threads === 1 ? threads : 1,
      ...(threadsNote !== undefined && { threadsNote }),
      memoryBytes: core.memory.buffer.byteLength,
    };
  } catch (error) {
    if (loading === mine) loading = undefined; // so that another call may try again
    throw error;
  }
}

/**
 * Ends the worker threads, if `init({ threads })` started any; the caller's thread does all the work from then on.
 * Optimizers and variables stay as they are. Idempotent.
 */
export async function endThreads(): Promise<void> {
  (await loading)?.core.pool?.dispose();
}
