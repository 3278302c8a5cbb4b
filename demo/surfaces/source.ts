// Writes a formula and its derivatives as JavaScript for people: what is used more than once gets a name of its
// own (written out, shared parts could double at every level), brackets stand only where they are needed, and the
// order of operations is that of the graph, so that the numbers are the same.
import type { Binary, Term } from './expression.ts';

export interface Source {
  /** Lines of the form `const t1 = …;`, each using only those before it. */
  readonly shared: string[];
  readonly loss: string;
  readonly dx: string;
  readonly dy: string;
}

const signs: Record<Binary, string> = { add: '+', sub: '-', mul: '*', div: '/', pow: '**' };
const ranks: Record<Binary, number> = { add: 1, sub: 1, mul: 2, div: 2, pow: 4 };
const NEGATIVE = 3;
const WHOLE = 5;

/** A piece of text, and how tightly it holds together. */
type Piece = readonly [text: string, rank: number];

export function sourceOf(
  terms: readonly Term[],
  roots: readonly [loss: number, dx: number, dy: number],
): Source {
  const uses = countUses(terms, roots);
  const names = new Map<number, string>();
  const shared: string[] = [];
  const inside = ([text, rank]: Piece, least: number) => (rank < least ? `(${text})` : text);

  const piece = (place: number): Piece => {
    const term = terms[place];
    if (term.op === 'constant') return [String(term.value), term.value < 0 ? NEGATIVE : WHOLE];
    if (term.op === 'x' || term.op === 'y') return [term.op, WHOLE];
    const known = names.get(place);
    if (known) return [known, WHOLE];
    const written = compound(term);
    if ((uses.get(place) ?? 0) < 2) return written;
    const name = `t${names.size + 1}`;
    names.set(place, name);
    shared.push(`const ${name} = ${written[0]};`);
    return [name, WHOLE];
  };
  const compound = (term: Extract<Term, { a: number }>): Piece => {
    if (term.op === 'neg') return [`-${inside(piece(term.a), NEGATIVE + 1)}`, NEGATIVE];
    if (!('b' in term)) return [`Math.${term.op}(${piece(term.a)[0]})`, WHOLE];
    const rank = ranks[term.op];
    // Powers bind to the right, and JavaScript refuses a sign before their base; all others bind to the left.
    const left = inside(piece(term.a), term.op === 'pow' ? WHOLE : rank);
    const right = inside(piece(term.b), term.op === 'pow' ? rank : rank + 1);
    return [`${left} ${signs[term.op]} ${right}`, rank];
  };

  const [loss, dx, dy] = roots.map((root) => piece(root)[0]);
  return { shared, loss, dx, dy };
}

function countUses(terms: readonly Term[], roots: readonly number[]): Map<number, number> {
  const uses = new Map<number, number>();
  const count = (place: number): void => {
    const before = uses.get(place) ?? 0;
    uses.set(place, before + 1);
    if (before > 0) return;
    const term = terms[place];
    if ('a' in term) count(term.a);
    if ('b' in term) count(term.b);
  };
  roots.forEach(count);
  return uses;
}
