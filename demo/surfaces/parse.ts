// Reads a formula such as "(1 - x)^2 + 100 (y - x^2)^2" into a graph, and writes it for people. Multiplication
// signs may be left out; the functions are those that can be differentiated. What cannot be read is a
// FormulaError that says where.
import type { Graph, Unary } from './expression.ts';

export class FormulaError extends Error {}

const functions: Record<string, Unary> = {
  sin: 'sin',
  cos: 'cos',
  tanh: 'tanh',
  exp: 'exp',
  log: 'log',
  ln: 'log',
  sqrt: 'sqrt',
  abs: 'abs',
};
const constants: Record<string, number> = { pi: Math.PI, e: Math.E };
const LONGEST = 400;

const TOKEN = /\s*(?:(\d+\.?\d*(?:e[+-]?\d+)?|\.\d+(?:e[+-]?\d+)?)|([a-z]+)|(\*\*|[-+*/^()]))/iy;

interface Token {
  kind: 'number' | 'name' | 'sign' | 'end';
  text: string;
}

function tokensOf(text: string): Token[] {
  if (text.length > LONGEST) throw new FormulaError(`Longer than ${LONGEST} characters`);
  const plain = text
    .replaceAll('−', '-')
    .replaceAll(/[·×]/g, '*')
    .replaceAll('π', ' pi ')
    .replaceAll('²', '^2')
    .replaceAll('³', '^3')
    .trimEnd();
  const tokens: Token[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < plain.length) {
    const from = TOKEN.lastIndex;
    const match = TOKEN.exec(plain);
    if (!match) throw new FormulaError(`Cannot read “${plain.slice(from).trim().slice(0, 12)}”`);
    const [, number, name, sign] = match;
    if (number !== undefined) tokens.push({ kind: 'number', text: number });
    else if (name !== undefined) tokens.push(...namesIn(name.toLowerCase()));
    else tokens.push({ kind: 'sign', text: sign === '**' ? '^' : sign });
  }
  tokens.push({ kind: 'end', text: 'the end' });
  return tokens;
}

/** One name, or several variables and constants written together: xy is x times y. */
function namesIn(word: string): Token[] {
  // What every object has is no name of a formula: constructor.
  if (Object.hasOwn(functions, word) || Object.hasOwn(constants, word)) return [{ kind: 'name', text: word }];
  if (/^[xy]+$/.test(word)) return [...word].map((text) => ({ kind: 'name', text }));
  throw new FormulaError(
    `“${word}” is unknown; x, y, pi, e and ${Object.keys(functions).join(', ')} are known`,
  );
}

/** Adds the formula to the graph and returns its place there. */
export function parse(text: string, graph: Graph): number {
  const tokens = tokensOf(text);
  let next = 0;
  const at = (...texts: string[]) => tokens[next].kind === 'sign' && texts.includes(tokens[next].text);
  const expect = (text: string) => {
    if (!at(text)) throw new FormulaError(`“${text}” is missing before ${quoted(tokens[next])}`);
    next += 1;
  };

  const sum = (): number => {
    let left = product();
    while (at('+', '-')) {
      const op = tokens[next++].text === '+' ? 'add' : 'sub';
      left = graph.combine(op, left, product());
    }
    return left;
  };
  const product = (): number => {
    let left = signed();
    for (;;) {
      if (at('*', '/')) {
        const op = tokens[next++].text === '*' ? 'mul' : 'div';
        left = graph.combine(op, left, signed());
      } else if (at('(') || tokens[next].kind === 'name') {
        left = graph.combine('mul', left, power());
      } else return left;
    }
  };
  const signed = (): number => {
    if (!at('-', '+')) return power();
    return tokens[next++].text === '-' ? graph.apply('neg', signed()) : signed();
  };
  // Binds to the right, and tighter than a sign before it: -x^2 is -(x^2).
  const power = (): number => {
    const base = atom();
    if (!at('^')) return base;
    next += 1;
    return graph.combine('pow', base, signed());
  };
  const atom = (): number => {
    const token = tokens[next++];
    if (token.kind === 'number') return graph.constant(Number(token.text));
    if (token.kind === 'name') {
      if (token.text === 'x' || token.text === 'y') return graph.variable(token.text);
      if (Object.hasOwn(constants, token.text)) return graph.constant(constants[token.text]);
      expect('(');
      const argument = sum();
      expect(')');
      return graph.apply(functions[token.text], argument);
    }
    if (token.text !== '(' || token.kind === 'end')
      throw new FormulaError(`Something is missing before ${quoted(token)}`);
    const inner = sum();
    expect(')');
    return inner;
  };

  const root = sum();
  if (tokens[next].kind !== 'end') throw new FormulaError(`${quoted(tokens[next])} stands alone`);
  return root;
}

const quoted = ({ kind, text }: Token) => (kind === 'end' ? text : `“${text}”`);
