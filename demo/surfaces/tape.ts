// Evaluates a formula and its gradient: at one point, or at many at once through a compiled kernel. It also
// writes them as JavaScript for people to copy; that text is never run here (a strict
// Content-Security-Policy forbids it).
import { assemble, BLOCK, type Kernel } from './assemble.ts';
import { binaryFunctions, Graph, type Term, unaryFunctions } from './expression.ts';
import { parse } from './parse.ts';
import { type Source, sourceOf } from './source.ts';

export class Formula {
  readonly #terms: readonly Term[];
  readonly #loss: Tape;
  readonly #gradient: Tape;
  readonly #roots: readonly [loss: number, dx: number, dy: number];

  /** @throws FormulaError for what cannot be read. */
  constructor(text: string) {
    const graph = new Graph();
    const loss = parse(text, graph);
    const [dx, dy] = [graph.derivative(loss, 'x'), graph.derivative(loss, 'y')];
    this.#terms = graph.terms;
    this.#roots = [loss, dx, dy];
    this.#loss = new Tape(graph.terms, [loss]);
    this.#gradient = new Tape(graph.terms, [dx, dy]);
  }

  /** How many terms the formula and its derivatives have. */
  get size(): number {
    return this.#terms.length;
  }

  loss(x: number, y: number): number {
    return this.#loss.at(x, y)[0];
  }

  gradient(x: number, y: number): [number, number] {
    const [dx, dy] = this.#gradient.at(x, y);
    return [dx, dy];
  }

  /** Points and gradients are pairs one after the other: x0, y0, x1, y1, … */
  gradients(points: Float32Array, gradients: Float32Array): void {
    this.#gradient.over(points, (results, first) => gradients.set(results, first));
  }

  /** One loss per point; rounded to float32, as a picture needs it. */
  losses(points: Float32Array, losses: Float32Array): void {
    this.#loss.over(points, (results, first) => {
      for (let index = 0; index < results.length; index += 2) losses[(first + index) / 2] = results[index];
    });
  }

  /** The formula and its derivatives as JavaScript: what they share, and an expression of x and y for each. */
  get source(): Source {
    return sourceOf(this.#terms, this.#roots);
  }
}

/** The terms that some roots need, in an order in which each can be computed. */
class Tape {
  readonly #terms: readonly Term[];
  readonly #order: readonly number[];
  readonly #roots: readonly number[];
  readonly #values: Float64Array;
  #kernel: Kernel | undefined;

  constructor(terms: readonly Term[], roots: readonly number[]) {
    const needed = new Set<number>();
    const need = (place: number): void => {
      if (needed.has(place)) return;
      needed.add(place);
      const term = terms[place];
      if ('a' in term) need(term.a);
      if ('b' in term) need(term.b);
    };
    roots.forEach(need);
    this.#terms = terms;
    this.#order = [...needed].sort((a, b) => a - b);
    this.#roots = roots;
    this.#values = new Float64Array(terms.length);
  }

  /** Runs the compiled kernel over the points, block by block; `use` gets pairs of the first and the last root. */
  over(points: Float32Array, use: (results: Float32Array, first: number) => void): void {
    this.#kernel ??= assemble(this.#terms, this.#order, [
      this.#roots[0],
      this.#roots[this.#roots.length - 1],
    ]);
    const { points: input, results, run } = this.#kernel;
    for (let first = 0; first < points.length; first += 2 * BLOCK) {
      const part = points.subarray(first, first + 2 * BLOCK);
      input.set(part);
      run(part.length / 2);
      use(part.length === results.length ? results : results.subarray(0, part.length), first);
    }
  }

  at(x: number, y: number): number[] {
    const values = this.#values;
    for (const place of this.#order) {
      const term = this.#terms[place];
      if (term.op === 'constant') values[place] = term.value;
      else if (term.op === 'x') values[place] = x;
      else if (term.op === 'y') values[place] = y;
      else if ('b' in term) values[place] = binaryFunctions[term.op](values[term.a], values[term.b]);
      else values[place] = unaryFunctions[term.op](values[term.a]);
    }
    return this.#roots.map((root) => values[root]);
  }
}
