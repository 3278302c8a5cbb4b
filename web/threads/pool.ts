// The thread pool: workers with the memory-less kernel module on the engine's shared memory. The caller's thread
// posts the parts of a step, takes its share, and waits for the last part only; or takes all of them (pace.ts). Loaded
// only when asked for.
import type { Core, Pool } from '../engine/core.js';
import { checkFingerprint, roles, row, scratchBytes } from '../engine/facts.js';
import { Pace } from './pace.js';
import { withSharedMemory } from './shared.js';
import { type WorkerData, work } from './worker.js';

const rowBytes = 4 * row.words;

// Words that the threads share. `next` counts the unclaimed parts down, `done` the finished ones up.
const Control = { generation: 0, next: 1, done: 2, rule: 3, parts: 4, stopped: 5, ready: 6 } as const;

type Step = (rule: number, rows: number, count: number, scratch: number) => void;

interface Thread {
  terminate(): void;
}

/** Node's, as far as it is used here: the package needs no @types/node. */
interface NodeWorkers {
  Worker: new (
    source: string,
    options: { eval: true; workerData: WorkerData },
  ) => Thread & { on(event: 'error', listener: (reason: unknown) => void): void; unref(): void };
}

/** A worker of Node or of a page, from source text: no file to find, in whatever a bundler makes. */
function spawn(data: WorkerData, onError: (reason: unknown) => void): Thread {
  const node = nodeModule<NodeWorkers>('node:worker_threads');
  const body = `(${work})`;
  if (node) {
    const source = `${body}(process.getBuiltinModule('node:worker_threads').workerData);`;
    const worker = new node.Worker(source, { eval: true, workerData: data });
    worker.on('error', onError);
    worker.unref(); // an idle pool does not keep a program alive
    return worker;
  }
  const url = URL.createObjectURL(
    new Blob([`onmessage = ({ data }) => ${body}(data);`], { type: 'text/javascript' }),
  );
  const worker = new Worker(url);
  worker.onerror = (event) => onError(event.message || 'the worker could not be started');
  worker.postMessage(data);
  URL.revokeObjectURL(url);
  return worker;
}

/** A built-in module of Node, without an import that bundlers would follow; undefined elsewhere. */
function nodeModule<T>(name: string): T | undefined {
  const { process } = globalThis as { process?: { getBuiltinModule?: (name: string) => T } };
  return process?.getBuiltinModule?.(name);
}

/** How many threads `'auto'` is. */
export function availableThreads(): number {
  const os = nodeModule<{ availableParallelism(): number }>('node:os');
  return Math.min(os?.availableParallelism() ?? globalThis.navigator?.hardwareConcurrency ?? 1, 4);
}

export class ThreadPool implements Pool {
  readonly partSize = 32768;
  readonly threshold = 1 << 19;
  readonly #core: Core;
  readonly #control = new Int32Array(new SharedArrayBuffer(4 * Object.keys(Control).length));
  readonly #threads: Thread[] = [];
  readonly #scratch: number[] = [];
  readonly #step: Step;
  /** By the address of the parts: of each optimizer. */
  readonly #paces = new Map<number, Pace>();
  #failure: unknown;

  /** @param threads how many, the caller's own included: at least 2. @param kernels kernels.wasm */
  constructor(core: Core, threads: number, kernels: Uint8Array) {
    this.#core = core;
    const { memory } = core;
    const compiled = new WebAssembly.Module(withSharedMemory(kernels) as BufferSource);
    const own = new WebAssembly.Instance(compiled, { env: { memory } });
    checkFingerprint('kernels.wasm', (own.exports.fingerprint as () => number)() >>> 0);
    this.#step = own.exports.step as Step;
    for (let k = 0; k < threads; k++)
      this.#scratch.push(core.allocate(scratchBytes / 4, roles.gradient, 'the scratch of a thread'));
    try {
      for (let k = 1; k < threads; k++) {
        const data = {
          module: compiled,
          memory,
          control: this.#control,
          scratch: this.#scratch[k],
          rowBytes,
        };
        this.#threads.push(spawn(data, (reason) => this.#fail(reason)));
      }
    } catch (error) {
      this.dispose();
      throw error;
    }
  }

  /** Settles when every worker is waiting for work. @throws what kept one from starting; then the pool is disposed */
  async started(): Promise<void> {
    const limit = performance.now() + 10_000;
    while (Atomics.load(this.#control, Control.ready) < this.#threads.length) {
      await new Promise((resolve) => setTimeout(resolve, 1));
      if (this.#failure !== undefined) throw this.#failure;
      if (performance.now() > limit) {
        this.dispose();
        throw new Error('the workers did not start within 10 s');
      }
    }
  }

  /** All parts, by all threads or by the caller's own, whichever has been faster. */
  run(rule: number, parts: number, count: number): void {
    const pace = this.#paces.get(parts) ?? new Pace();
    this.#paces.set(parts, pace);
    const start = performance.now();
    if (pace.shares) this.#share(rule, parts, count);
    else this.#step(rule, parts, count, this.#scratch[0]);
    pace.took(performance.now() - start, count);
  }

  /** Parts are claimed one by one, so no thread waits for a slow one but the last. */
  #share(rule: number, parts: number, count: number): void {
    const control = this.#control;
    Atomics.store(control, Control.rule, rule);
    Atomics.store(control, Control.parts, parts);
    Atomics.store(control, Control.done, 0);
    Atomics.store(control, Control.next, count);
    Atomics.add(control, Control.generation, 1);
    Atomics.notify(control, Control.generation);
    for (;;) {
      const k = Atomics.sub(control, Control.next, 1) - 1;
      if (k < 0) break;
      this.#step(rule, parts + k * rowBytes, 1, this.#scratch[0]);
      Atomics.add(control, Control.done, 1);
    }
    this.#join(count);
  }

  /** Ends the workers; from then on the caller's thread does all the work. */
  dispose(): void {
    Atomics.store(this.#control, Control.stopped, 1);
    Atomics.add(this.#control, Control.generation, 1);
    Atomics.notify(this.#control, Control.generation);
    for (const thread of this.#threads) thread.terminate();
    if (this.#core.pool === this) this.#core.pool = null;
    for (const address of this.#scratch.splice(0)) this.#core.module.release(address, scratchBytes / 4);
  }

  /** Waits for the parts that others have claimed: they are being worked on, so it is short. */
  #join(count: number): void {
    const control = this.#control;
    let limit = 0;
    for (let spins = 0; Atomics.load(control, Control.done) < count; spins++) {
      if (spins % 100_000 !== 99_999) continue;
      limit ||= performance.now() + 10_000;
      if (performance.now() < limit) continue;
      this.dispose();
      throw new Error(
        'A worker thread died in the middle of a step: the variables of this step are partly updated. ' +
          'Restore them from the last serialized state; from now on one thread does all the work.',
      );
    }
  }

  #fail(reason: unknown): void {
    this.#failure = reason ?? new Error('a worker thread failed');
    this.dispose();
  }
}
