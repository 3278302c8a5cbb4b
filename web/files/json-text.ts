// JSON as Python writes it (with NaN and Infinity), read with the place of every value in the text, so that a
// few values can be replaced and every other byte stays. Python tells 1 from 1.0 and Keras insists on it, which
// JSON.parse and JSON.stringify would lose.

/** A value with its place in the text; of an object, its members too. */
export interface JsonNode {
  readonly value: unknown;
  readonly start: number;
  readonly end: number;
  readonly members?: ReadonlyMap<string, JsonNode>;
}

export interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

const words: Record<string, unknown> = {
  true: true,
  false: false,
  null: null,
  NaN: Number.NaN,
  Infinity: Number.POSITIVE_INFINITY,
  '-Infinity': Number.NEGATIVE_INFINITY,
};
const token = /\s*("(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|-?Infinity|NaN|true|false|null|[[\]{}:,])/y;

/** @throws SyntaxError */
export function parseJson(text: string): JsonNode {
  let at = 0;
  const next = (): string => {
    token.lastIndex = at;
    const found = token.exec(text);
    if (!found) throw new SyntaxError(`no JSON at character ${at}`);
    at = token.lastIndex;
    return found[1];
  };
  const peek = (): string => {
    const before = at;
    const found = next();
    at = before;
    return found;
  };
  const expect = (wanted: string) => {
    if (next() !== wanted) throw new SyntaxError(`no '${wanted}' before character ${at}`);
  };
  /** The items up to the closing bracket, each read by `item`. */
  const list = (close: string, item: () => void) => {
    if (peek() !== close) {
      item();
      while (peek() === ',') {
        next();
        item();
      }
    }
    expect(close);
  };
  const read = (): JsonNode => {
    const first = next();
    const start = at - first.length;
    if (first === '{') {
      const members = new Map<string, JsonNode>();
      list('}', () => {
        const key = JSON.parse(next());
        expect(':');
        members.set(key, read());
      });
      const value = Object.fromEntries([...members].map(([key, node]) => [key, node.value]));
      return { value, start, end: at, members };
    }
    if (first === '[') {
      const value: unknown[] = [];
      list(']', () => value.push(read().value));
      return { value, start, end: at };
    }
    return { value: first in words ? words[first] : JSON.parse(first), start, end: at };
  };
  const node = read();
  if (text.slice(at).trim() !== '') throw new SyntaxError(`something after the end, at character ${at}`);
  return node;
}

export function edited(text: string, edits: readonly Edit[]): string {
  let out = text;
  for (const { start, end, text: replacement } of [...edits].sort((a, b) => b.start - a.start))
    out = out.slice(0, start) + replacement + out.slice(end);
  return out;
}

/** What Keras wants as int; all other numbers are floats to it. */
const counts = new Set([
  'ema_overwrite_frequency',
  'gradient_accumulation_steps',
  'dynamic_growth_steps',
  'ns_steps',
  'decay_steps',
  'first_decay_steps',
  'warmup_steps',
  'boundaries',
]);

/** `value` of the member `key`, as Python's json.dumps writes it. */
export function pythonJson(value: unknown, key = ''): string {
  if (typeof value === 'number')
    return Number.isInteger(value) && Math.abs(value) < 1e21 && !counts.has(key)
      ? `${Object.is(value, -0) ? '-0' : value}.0`
      : String(value);
  if (Array.isArray(value)) return `[${value.map((item) => pythonJson(item, key)).join(', ')}]`;
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value).map(([name, item]) => `${quoted(name)}: ${pythonJson(item, name)}`);
    return `{${members.join(', ')}}`;
  }
  return typeof value === 'string' ? quoted(value) : String(value);
}

const quoted = (text: string) =>
  JSON.stringify(text).replace(
    /[\u007f-\uffff]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
