// Words for error messages, and warnings that are said once. No policy: what is an error is decided elsewhere.

/** What came, in a few words: `a Float64Array of length 3`, `"abc"`, `null`. */
export function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value === 'string') return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
  if (typeof value === 'function') return `the function ${value.name || '(anonymous)'}`;
  if (typeof value !== 'object') return `${typeof value} ${String(value)}`;
  const name = value.constructor?.name ?? 'Object';
  const article = /^[AEIOU]/.test(name) ? 'an' : 'a';
  const length = (value as { length?: unknown }).length;
  return typeof length === 'number' ? `${article} ${name} of length ${length}` : `${article} ${name}`;
}

export function oneOf(names: readonly string[]): string {
  const quoted = names.map((name) => `'${name}'`);
  return quoted.length > 1
    ? `${quoted.slice(0, -1).join(', ')} or ${quoted[quoted.length - 1]}`
    : quoted.join();
}

/** Edits from one word to the other (Levenshtein), ignoring case and underscores. */
function distance(a: string, b: string): number {
  a = a.toLowerCase().replaceAll('_', '');
  b = b.toLowerCase().replaceAll('_', '');
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      next[j] = Math.min(change, row[j] + 1, next[j - 1] + 1);
    }
    row = next;
  }
  return row[b.length];
}

/** @throws TypeError for what is no object, and for a name that is not known: a misspelt option would do nothing */
export function checkOptions(what: string, options: unknown, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options))
    throw new TypeError(`${what}: the options are an object, got ${describe(options)}.`);
  const unknown = Object.keys(options).find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw new TypeError(
      `${what}: unknown option '${unknown}'.${suggestion(unknown, known)} Known options: ${known.join(', ')}.`,
    );
}

/** ` Did you mean 'x'?`, or nothing if no name is near. */
export function suggestion(name: string, known: readonly string[]): string {
  const short: Record<string, string> = { lr: 'learningRate', eps: 'epsilon', wd: 'weightDecay' };
  const alias = short[name.toLowerCase()];
  if (alias && known.includes(alias)) return ` Did you mean '${alias}'?`;
  let best: string | undefined;
  let least = Math.max(2, Math.floor(name.length / 3)) + 1;
  for (const candidate of known) {
    const d = distance(name, candidate);
    if (d < least) [best, least] = [candidate, d];
  }
  return best === undefined ? '' : ` Did you mean '${best}'?`;
}

const said = new Set<string>();

/** console.warn, once per text. */
export function warnOnce(text: string): void {
  if (said.has(text)) return;
  said.add(text);
  console.warn(text);
}
