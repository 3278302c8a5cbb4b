// Words for error messages, and warnings that are said once. No policy: what is an error is decided elsewhere.

/** What came, in a few words: `a Float64Array of length 3`, `"abc"`, `null`. */
export function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value === 'string') return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
  if (typeof value === 'function') return `the function ${value.name || '(anonymous)'}`;
  if (typeof value !== 'object') return `${typeof value} ${String(value)}`;
  const { constructor: type, length } = value as { constructor?: unknown; length?: unknown };
  const name = (typeof type === 'function' && type.name) || 'Object';
  const article = /^[AEIOU]/.test(name) ? 'an' : 'a';
  const text = `${article} ${name}`;
  return `${text}${typeof length === 'number' ? ` of length ${length}` : ''}${originOf(value, name)}`;
}

/** Where something comes from that has the right name and is another thing nevertheless. */
function originOf(value: object, name: string): string {
  const copy = (value as { [mark]?: unknown })[mark];
  if (copy !== undefined) return copy === thisCopy ? '' : ' of another copy of simdescent';
  const own = (globalThis as Record<string, unknown>)[name];
  const isOther = typeof own === 'function' && /\[native code]/.test(String(own)) && !(value instanceof own);
  return isOther ? ' of another realm, such as an iframe' : '';
}

// On the prototypes of our classes, so that those of a second copy of the package can be told.
const mark = Symbol.for('simdescent');
const thisCopy = {};

export function markOurs(...classes: readonly { readonly prototype: object }[]): void {
  for (const { prototype } of classes) Object.defineProperty(prototype, mark, { value: thisCopy });
}

/** Of an array, by its name: that its buffer is not its own any more. */
export const detached = (what: string): Error =>
  new Error(`${what} has been detached: its buffer was transferred, has shrunk or has grown away.`);

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

/** A hint where something was given that must be waited for first; nothing for anything else. */
export const awaited = (value: unknown): string =>
  typeof (value as { then?: unknown } | null)?.then === 'function'
    ? ' It is not awaited: give what it resolves to.'
    : '';

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

/**
 * An object of options and nothing else, so that no mistake is silent: own keys, each of them known.
 * @throws TypeError that begins with `what`
 */
export function refuseUnknown(what: string, options: unknown, names: readonly string[]): void {
  if (!isRecord(options))
    throw new TypeError(
      `${what}: options must be a plain object with ${oneOf(names)}, got ${describe(options)}.`,
    );
  for (const key of Object.keys(options)) if (!names.includes(key)) throw unknownOption(what, key, names);
}

/** An option that there is not, and those that there are. */
export function unknownOption(what: string, key: string, names: readonly string[]): TypeError {
  const known = names.length ? `Known: ${names.join(', ')}.` : 'There are none.';
  return new TypeError(`${what}: unknown option '${key}'.${suggestion(key, names)} ${known}`);
}

const serialized = ['module', 'class_name', 'config', 'registered_name', 'build_config', 'compile_config'];

/**
 * Of Keras' `{ module, class_name, config, … }`, which comes from files: keys of its own are none of our business, but
 * for those that are nearly one of these. @throws TypeError that begins with `what`
 */
export function refuseMisspelt(what: string, given: object): void {
  for (const key of Object.keys(given)) {
    const meant = serialized.includes(key) ? '' : suggestion(key, serialized);
    if (meant) throw new TypeError(`${what}: unknown key '${key}'.${meant}`);
  }
}

/** `{ … }`, of whichever realm: no array, no Map, no instance of a class, whose properties may be out of sight. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

const said = new Set<string>();
const most = 100; // different texts: a warning at every step would be as good as none, and is kept for ever

/** console.warn, once per text, and for a bounded number of texts. */
export function warnOnce(text: string): void {
  if (said.has(text) || said.size > most) return;
  console.warn(
    said.size < most ? text : `simdescent: ${most} different warnings were given; no more follow.`,
  );
  said.add(text);
}
