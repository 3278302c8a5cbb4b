// Compiles two terms of a formula's graph into a small WebAssembly module that evaluates them for two points
// at a time, in double precision and in the order of the graph: the same bits as evaluating point by point,
// but fast enough not to hide the optimizer's own speed. What wasm has no instruction for is imported.
import { type Binary, binaryFunctions, type Term, type Unary, unaryFunctions } from './expression.ts';

/** Points per call: 32 kB in and 32 kB out stay in the cache. */
export const BLOCK = 4096;
const OUTPUT = 8 * BLOCK;
const PAGES = 1;

export interface Kernel {
  /** BLOCK pairs x, y. */
  readonly points: Float32Array;
  /** BLOCK pairs of results. */
  readonly results: Float32Array;
  run(count: number): void;
}

const I32 = 0x7f;
const F64 = 0x7c;
const V128 = 0x7b;
const VOID = 0x40;
const simd = (code: number) => [0xfd, ...unsigned(code)];
const own: Partial<Record<Unary | Binary, number[]>> = {
  neg: simd(0xed),
  abs: simd(0xec),
  sqrt: simd(0xef),
  add: simd(0xf0),
  sub: simd(0xf1),
  mul: simd(0xf2),
  div: simd(0xf3),
};

/** `order`: the places of all needed terms, operands before users. */
export function assemble(
  terms: readonly Term[],
  order: readonly number[],
  roots: readonly [number, number],
): Kernel {
  const imported = [...new Set(order.map((place) => terms[place].op))].filter(
    (op): op is Unary | Binary => (op in unaryFunctions || op in binaryFunctions) && !(op in own),
  );
  const bytes = new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, ...sections(terms, order, roots, imported)]);
  const functions: Record<string, WebAssembly.ImportValue> = { ...unaryFunctions, ...binaryFunctions };
  const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), { f: functions });
  const { m, run } = instance.exports as { m: WebAssembly.Memory; run: (count: number) => void };
  return {
    points: new Float32Array(m.buffer, 0, 2 * BLOCK),
    results: new Float32Array(m.buffer, OUTPUT, 2 * BLOCK),
    run,
  };
}

function sections(
  terms: readonly Term[],
  order: readonly number[],
  roots: readonly [number, number],
  imported: readonly (Unary | Binary)[],
): number[] {
  const types = [
    [0x60, ...list([[F64]]), ...list([[F64]])],
    [0x60, ...list([[F64], [F64]]), ...list([[F64]])],
    [0x60, ...list([[I32]]), 0],
  ];
  const imports = imported.map((op) => [...name('f'), ...name(op), 0, op in binaryFunctions ? 1 : 0]);
  return [
    ...section(1, list(types)),
    ...section(2, list(imports)),
    ...section(3, list([[2]])),
    ...section(5, list([[1, PAGES, PAGES]])),
    ...section(
      7,
      list([
        [...name('m'), 2, 0],
        [...name('run'), 0, ...unsigned(imported.length)],
      ]),
    ),
    ...section(10, list([sized(body(terms, order, roots, imported))])),
  ];
}

/** Local 0: points left; 1: the address of the next two; then one vector per term, and one more as a scratch. */
function body(
  terms: readonly Term[],
  order: readonly number[],
  roots: readonly [number, number],
  imported: readonly (Unary | Binary)[],
): number[] {
  const local = new Map(order.map((place, index) => [place, 2 + index]));
  const scratch = 2 + order.length;
  const get = (index: number) => [0x20, ...unsigned(index)];
  const set = (index: number) => [0x21, ...unsigned(index)];
  const at = (place: number) => get(local.get(place) as number);
  const lane = (place: number, index: number) => [...at(place), ...simd(0x21), index];

  const value = (term: Term): number[] => {
    if (term.op === 'constant') return constant(term.value);
    // Lanes x0 y0 x1 y1 of the four floats: take two, widen them to doubles.
    if (term.op === 'x') return [...get(scratch), ...get(scratch), ...shuffle(0, 2, 0, 2), ...simd(0x5f)];
    if (term.op === 'y') return [...get(scratch), ...get(scratch), ...shuffle(1, 3, 1, 3), ...simd(0x5f)];
    const code = own[term.op];
    const operands = 'b' in term ? [term.a, term.b] : [term.a];
    if (code) return [...operands.flatMap(at), ...code];
    const call = [0x10, ...unsigned(imported.indexOf(term.op))];
    const each = (index: number) => [...operands.flatMap((place) => lane(place, index)), ...call];
    return [...each(0), ...simd(0x14), ...each(1), ...simd(0x22), 1];
  };

  const narrowed = (place: number) => [...at(place), ...simd(0x5e)];
  const loop = [
    ...[...get(1), ...simd(0x00), 2, 0, ...set(scratch)],
    ...order.flatMap((place) => [...value(terms[place]), ...set(local.get(place) as number)]),
    ...[...get(1), ...narrowed(roots[0]), ...narrowed(roots[1]), ...shuffle(0, 4, 1, 5)],
    ...[...simd(0x0b), 2, ...unsigned(OUTPUT)],
    ...[...get(1), 0x41, 16, 0x6a, ...set(1)],
    ...[...get(0), 0x41, 2, 0x6b, 0x22, 0, 0x41, 0, 0x4a, 0x0d, 0],
  ];
  return [
    ...list([
      [1, I32],
      [...unsigned(order.length + 1), V128],
    ]),
    ...[0x03, VOID, ...loop, 0x0b],
    0x0b,
  ];
}

function constant(value: number): number[] {
  const bytes = new Uint8Array(new Float64Array([value, value]).buffer);
  return [...simd(0x0c), ...bytes];
}

/** Four floats chosen out of the eight of two vectors. */
function shuffle(...lanes: number[]): number[] {
  return [...simd(0x0d), ...lanes.flatMap((lane) => [0, 1, 2, 3].map((byte) => 4 * lane + byte))];
}

function unsigned(value: number): number[] {
  const low = value & 0x7f;
  return value < 0x80 ? [low] : [low | 0x80, ...unsigned(value >>> 7)];
}

const sized = (content: readonly number[]) => [...unsigned(content.length), ...content];
const list = (items: readonly (readonly number[])[]) => [...unsigned(items.length), ...items.flat()];
const name = (text: string) => sized([...new TextEncoder().encode(text)]);
const section = (id: number, content: readonly number[]) => [id, ...sized(content)];
