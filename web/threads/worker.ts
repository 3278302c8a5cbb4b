// What a worker thread runs, as source text made from this one function: it must not refer to anything outside.
// It claims parts by counting down, so that nobody waits for a worker that wakes up late.

export interface WorkerData {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  /** See `Control` in pool.ts. */
  readonly control: Int32Array;
  readonly scratch: number;
  readonly rowBytes: number;
}

export function work({ module, memory, control, scratch, rowBytes }: WorkerData): void {
  const [generation, next, done, rule, parts, stopped] = [0, 1, 2, 3, 4, 5];
  const { step } = new WebAssembly.Instance(module, { env: { memory } }).exports as {
    step: (rule: number, rows: number, count: number, scratch: number) => void;
  };
  Atomics.add(control, 6, 1); // one more is ready
  let seen = 0;
  for (;;) {
    // Awake for some microseconds, because steps may follow each other directly; then asleep.
    for (let spins = 3000; Atomics.load(control, generation) === seen; spins--)
      if (spins < 0) Atomics.wait(control, generation, seen);
    seen = Atomics.load(control, generation);
    if (Atomics.load(control, stopped)) return;
    for (;;) {
      const k = Atomics.sub(control, next, 1) - 1;
      if (k < 0) break;
      step(Atomics.load(control, rule), Atomics.load(control, parts) + k * rowBytes, 1, scratch);
      Atomics.add(control, done, 1);
    }
  }
}
