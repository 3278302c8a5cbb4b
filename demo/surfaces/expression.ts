// Formulas of x and y as a graph in which every sub-expression exists once: building it, simplifying on the
// way, and its symbolic derivatives. It does not read text (parse.ts) and does not evaluate (tape.ts).

export type Unary = 'neg' | 'sin' | 'cos' | 'tanh' | 'exp' | 'log' | 'sqrt' | 'abs' | 'sign';
export type Binary = 'add' | 'sub' | 'mul' | 'div' | 'pow';
export type Term =
  | { readonly op: 'constant'; readonly value: number }
  | { readonly op: 'x' }
  | { readonly op: 'y' }
  | { readonly op: Unary; readonly a: number }
  | { readonly op: Binary; readonly a: number; readonly b: number };

export const unaryFunctions: Record<Unary, (a: number) => number> = {
  neg: (a) => -a,
  sin: Math.sin,
  cos: Math.cos,
  tanh: Math.tanh,
  exp: Math.exp,
  log: Math.log,
  sqrt: Math.sqrt,
  abs: Math.abs,
  sign: Math.sign,
};

export const binaryFunctions: Record<Binary, (a: number, b: number) => number> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  pow: (a, b) => a ** b,
};

/** Whole powers up to this one are multiplications. */
const LARGEST_PRODUCT = 8;

/** Terms are numbers: places in `terms`. Operands stand before what uses them. */
export class Graph {
  readonly terms: Term[] = [];
  readonly #places = new Map<string, number>();

  constant(value: number): number {
    return this.#place({ op: 'constant', value }, `constant ${value}`);
  }

  variable(name: 'x' | 'y'): number {
    return this.#place(name === 'x' ? { op: 'x' } : { op: 'y' }, name);
  }

  apply(op: Unary, a: number): number {
    const value = this.#value(a);
    if (value !== undefined) return this.constant(unaryFunctions[op](value));
    const term = this.terms[a];
    if (op === 'neg' && term.op === 'neg') return term.a;
    return this.#place({ op, a }, `${op} ${a}`);
  }

  combine(op: Binary, a: number, b: number): number {
    const [left, right] = [this.#value(a), this.#value(b)];
    if (left !== undefined && right !== undefined) return this.constant(binaryFunctions[op](left, right));
    if (op === 'add') {
      if (left === 0) return b;
      if (right === 0) return a;
    } else if (op === 'sub') {
      if (right === 0) return a;
      if (left === 0) return this.apply('neg', b);
    } else if (op === 'mul') {
      if (left === 0 || right === 0) return this.constant(0);
      if (left === 1) return b;
      if (right === 1) return a;
    } else if (op === 'div') {
      if (left === 0) return this.constant(0);
      if (right === 1) return a;
    } else if (right !== undefined && Number.isInteger(right) && right >= 0 && right <= LARGEST_PRODUCT) {
      return this.#power(a, right);
    }
    return this.#place({ op, a, b }, `${op} ${a} ${b}`);
  }

  /** The derivative of a term by a variable, as another term. */
  derivative(of: number, by: 'x' | 'y', known = new Map<number, number>()): number {
    const found = known.get(of);
    if (found !== undefined) return found;
    const slope = this.#differentiate(this.terms[of], of, (part) => this.derivative(part, by, known), by);
    known.set(of, slope);
    return slope;
  }

  #differentiate(term: Term, self: number, d: (part: number) => number, by: 'x' | 'y'): number {
    const times = (a: number, b: number) => this.combine('mul', a, b);
    const over = (a: number, b: number) => this.combine('div', a, b);
    const one = this.constant(1);
    switch (term.op) {
      case 'constant':
        return this.constant(0);
      case 'x':
      case 'y':
        return this.constant(term.op === by ? 1 : 0);
      case 'add':
      case 'sub':
        return this.combine(term.op, d(term.a), d(term.b));
      case 'mul':
        if (term.a === term.b) return times(times(this.constant(2), term.a), d(term.a));
        return this.combine('add', times(d(term.a), term.b), times(term.a, d(term.b)));
      case 'div':
        return over(this.combine('sub', d(term.a), times(self, d(term.b))), term.b);
      case 'pow': {
        const exponent = this.#value(term.b);
        if (exponent !== undefined) {
          const lower = this.combine('pow', term.a, this.constant(exponent - 1));
          return times(times(term.b, lower), d(term.a));
        }
        const grown = times(d(term.b), this.apply('log', term.a));
        return times(self, this.combine('add', grown, over(times(term.b, d(term.a)), term.a)));
      }
      case 'neg':
        return this.apply('neg', d(term.a));
      case 'sin':
        return times(this.apply('cos', term.a), d(term.a));
      case 'cos':
        return this.apply('neg', times(this.apply('sin', term.a), d(term.a)));
      case 'tanh':
        return times(this.combine('sub', one, times(self, self)), d(term.a));
      case 'exp':
        return times(self, d(term.a));
      case 'log':
        return over(d(term.a), term.a);
      case 'sqrt':
        return over(d(term.a), times(this.constant(2), self));
      case 'abs':
        return times(this.apply('sign', term.a), d(term.a));
      case 'sign':
        return this.constant(0);
    }
  }

  #power(base: number, exponent: number): number {
    if (exponent === 0) return this.constant(1);
    const half = this.#power(base, exponent >> 1);
    const square = exponent < 2 ? half : this.combine('mul', half, half);
    if (exponent === 1) return base;
    return exponent % 2 === 0 ? square : this.combine('mul', square, base);
  }

  #value(place: number): number | undefined {
    const term = this.terms[place];
    return term.op === 'constant' ? term.value : undefined;
  }

  #place(term: Term, key: string): number {
    const found = this.#places.get(key);
    if (found !== undefined) return found;
    this.#places.set(key, this.terms.length);
    return this.terms.push(term) - 1;
  }
}
