// The plain exports of the wasm module that a step calls: cpp/bindings. calls.ts says why they are not Embind's.

/** Each takes the address of the C++ object first. */
export interface StepExports {
  _optimizer_step(optimizer: number, count: number, changed: number): void;
  _optimizer_begin(optimizer: number, count: number, changed: number): number;
  _optimizer_plan(optimizer: number): void;
  _optimizer_sweep(optimizer: number): void;
  _optimizer_chunk(optimizer: number, entry: number, from: number, count: number): void;
  _optimizer_chunks(optimizer: number, entry: number, count: number): void;
  _optimizer_next_pass(optimizer: number): number;
  _optimizer_end(optimizer: number): void;
}
