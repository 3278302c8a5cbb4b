// The two spellings of an option, camelCase and Keras' snake_case, for names and for types. Which options there are is
// not known here.
import { unknownOption } from './errors.js';

/** `beta2Decay` is Keras' `beta_2_decay`, and back. */
export const snakeCase = (name: string) =>
  name.replace(/(?<=[a-z])[A-Z]|(?<=[a-z]{2})[0-9]|(?<=[0-9])[A-Z]/g, (c) => `_${c.toLowerCase()}`);
export const camelCase = (name: string) => name.replace(/_(.)/g, (_, c) => c.toUpperCase());

/**
 * Of options in either spelling, those of `names` that are given, and the key that each is given by; `undefined` counts as
 * not given. @throws TypeError that begins with `what`, for an option that is unknown or given in both
 */
export function keysOf(
  what: string,
  given: Readonly<Record<string, unknown>>,
  names: readonly string[],
): Map<string, string> {
  const keys = new Map<string, string>();
  for (const [key, value] of Object.entries(given)) {
    const name = names.find((n) => n === key || snakeCase(n) === key);
    if (!name) throw unknownOption(what, key, names);
    const other = keys.get(name);
    if (other !== undefined) throw givenTwice(what, other, key);
    if (value !== undefined) keys.set(name, key);
  }
  return keys;
}

/** An option given by two keys. */
export const givenTwice = (what: string, key: string, other: string): TypeError =>
  new TypeError(`${what}: '${key}' and '${other}' are two spellings of one option; use one.`);

/** The options that are given, under their names. @throws TypeError as `keysOf` */
export const readSpelled = (
  what: string,
  given: Readonly<Record<string, unknown>>,
  names: readonly string[],
): Record<string, unknown> =>
  Object.fromEntries(Array.from(keysOf(what, given, names), ([name, key]) => [name, given[key]]));

/** A name in Keras' snake_case: of `beta2Decay`, `beta_2_decay`. */
export type SnakeCase<
  Name extends string,
  Before extends string = '',
> = Name extends `${infer C}${infer Rest}`
  ? `${Joint<C, Before>}${Lowercase<C>}${SnakeCase<Rest, `${Before}${C}`>}`
  : '';
type Joint<C extends string, Before extends string> = C extends `${number}`
  ? Before extends `${infer _A}${infer _B}${infer _Rest}`
    ? '_'
    : ''
  : C extends Lowercase<C>
    ? ''
    : '_';

/** The options of `T` in Keras' snake_case. */
export type InSnakeCase<T> = { [Name in keyof T as SnakeCase<Name & string>]: T[Name] };

/** `T`, where `undefined` counts as not given: said for `exactOptionalPropertyTypes`, which tells the two apart. */
export type Given<T> = {
  [Name in keyof T]: Pick<T, Name> extends Required<Pick<T, Name>> ? T[Name] : T[Name] | undefined;
};

/** What a constructor takes: each option of `T`, none of which is required, in camelCase or in Keras' snake_case. */
export type Spelled<T> = Given<T> & InSnakeCase<Given<T>>;

/** One of the options of `T`; others are null, which is off. */
export type OneOf<T> = {
  [Name in keyof T]-?: Pick<T, Name> & { [Other in Exclude<keyof T, Name>]?: null };
}[keyof T];
