// OptimizerMap: which optimizer a variable belongs to, by its path. What is done with the answer is multi.ts.

import { describe, markOurs } from '../basics/errors.js';
import { pattern } from '../basics/pattern.js';
import type { Parameter } from '../step/parameters.js';
import { Optimizer } from './optimizer.js';
import { partsOf } from './parts.js';
import { nameOf, type SerializedOptimizer, serializedForm, serializeOptimizer } from './serialized.js';

/** @throws TypeError for what is no optimizer, or one that wraps others */
function checkInner(label: string, value: unknown): asserts value is Optimizer {
  if (!(value instanceof Optimizer))
    throw new TypeError(`${label} must be an optimizer, such as new Adam(), got ${describe(value)}.`);
  if (!partsOf(value).wraps) return;
  const { className } = value.constructor as typeof Optimizer;
  const instead =
    className === 'MultiOptimizer' ? 'give its optimizers to this one' : 'put it round the MultiOptimizer';
  throw new TypeError(`${label} cannot be a ${className}; ${instead}.`);
}

/** A pattern that must match all of a path, as Python's re.fullmatch. @throws RangeError */
function fullPattern(source: string): RegExp {
  const label = 'OptimizerMap: a pattern';
  pattern(label, source); // what surrounds it below must not make it right
  const pythonOnly = /(?<!\\)(?:\\\\)*\\[AZ]/; // JavaScript takes \A and \Z for letters
  if (pythonOnly.test(source))
    throw new RangeError(
      `${label} is matched with the whole path; leave \\A and \\Z out of ${describe(source)}.`,
    );
  return new RegExp(`^(?:${source})$`);
}

/** All of the public class but `fromConfig`, which knows the classes of the others: registry.ts. */
export class OptimizerMap {
  /** The class' name, also where its code was minified. */
  static readonly name: string = 'OptimizerMap';
  /** The `class_name` of Keras' configs. */
  static readonly className: string = 'OptimizerMap';
  readonly #default: Optimizer;
  readonly #entries = new Map<string, { readonly pattern: RegExp; readonly optimizer: Optimizer }>();

  /**
   * @param optimizerMap optimizers by path or pattern. Default none.
   * @throws TypeError for what are no optimizers, or ones that wrap others; RangeError for no regular expression
   */
  constructor(defaultOptimizer: Optimizer, optimizerMap: Readonly<Record<string, Optimizer>> | null = null) {
    markOurs(OptimizerMap); // not in a static block: bundlers leave out no class that has one
    checkInner('OptimizerMap: defaultOptimizer', defaultOptimizer);
    const isList = Array.isArray(optimizerMap) || optimizerMap instanceof Map;
    if (typeof optimizerMap !== 'object' || isList || optimizerMap instanceof Optimizer)
      throw new TypeError(
        `OptimizerMap: optimizerMap must be an object such as { 'encoder/.*': new SGD() }, got ${describe(optimizerMap)}.`,
      );
    this.#default = defaultOptimizer;
    for (const [key, optimizer] of Object.entries(optimizerMap ?? {})) this.set(key, optimizer);
  }

  /** The optimizer of variables that no key matches. */
  get defaultOptimizer(): Optimizer {
    return this.#default;
  }
  /** How many keys there are. */
  get size(): number {
    return this.#entries.size;
  }

  /** The optimizer for a path. @throws TypeError for no string; RangeError if more than one pattern matches */
  get(path: string): Optimizer {
    if (typeof path !== 'string')
      throw new TypeError(`OptimizerMap: a path is a string, got ${describe(path)}.`);
    const exact = this.#entries.get(path);
    if (exact) return exact.optimizer;
    const matching = [...this.#entries].filter(([, { pattern }]) => pattern.test(path));
    if (matching.length > 1)
      throw new RangeError(
        `OptimizerMap: more than one pattern matches the variable '${path}': ${matching.map(([key]) => `'${key}'`).join(', ')}.`,
      );
    return matching[0]?.[1].optimizer ?? this.#default;
  }

  /**
   * Adds a key; build a MultiOptimizer afterwards.
   * @throws TypeError; RangeError for a key that is there, or no regular expression
   */
  set(key: string, optimizer: Optimizer): this {
    if (typeof key !== 'string')
      throw new TypeError(`OptimizerMap: a key is a string, got ${describe(key)}.`);
    if (this.#entries.has(key))
      throw new RangeError(`OptimizerMap: '${key}' is there already; delete it first.`);
    const found = fullPattern(key);
    checkInner(`OptimizerMap: the optimizer of '${key}'`, optimizer);
    this.#entries.set(key, { pattern: found, optimizer });
    return this;
  }

  /** Whether there is this key, character by character. */
  has(key: string): boolean {
    return this.#entries.has(key);
  }
  /** Returns whether there was this key. */
  delete(key: string): boolean {
    return this.#entries.delete(key);
  }
  /** The keys, in the order in which they were set. */
  keys(): string[] {
    return [...this.#entries.keys()];
  }
  /** Their optimizers, in the same order; the default one is not among them. */
  values(): Optimizer[] {
    return [...this.#entries.values()].map(({ optimizer }) => optimizer);
  }
  /** Keys and their optimizers, in the order in which they were set. */
  entries(): [string, Optimizer][] {
    return this.keys().map((key) => [key, this.get(key)]);
  }
  /** As `entries`. */
  [Symbol.iterator](): Iterator<[string, Optimizer]> {
    return this.entries()[Symbol.iterator]();
  }

  /** Keras' config, as JSON. @throws Error if one of the optimizers has a function as learning rate */
  getConfig(): Record<string, unknown> {
    return {
      default_optimizer: serializeOptimizer(this.#default),
      optimizer_map: Object.fromEntries(
        this.entries().map(([key, optimizer]) => [key, serializeOptimizer(optimizer)]),
      ),
    };
  }
}

/** A map, or a function of your own: the optimizer for a variable. */
export type OptimizerChoice = OptimizerMap | ((variable: Parameter) => Optimizer);

/** What it says. `path` is the variable's; a plain array has none of its own. */
export function chosen(choice: OptimizerChoice, variable: Parameter, path: string): Optimizer {
  if (choice instanceof OptimizerMap) return choice.get(path);
  const optimizer = choice(variable);
  checkInner(`MultiOptimizer: the optimizer for the variable '${path}'`, optimizer);
  return optimizer;
}

/** As it stands in the config of a MultiOptimizer. @throws Error as `getConfig`, and for a class without a name */
export function serializeMap(map: OptimizerMap): SerializedOptimizer {
  const type = map.constructor as typeof OptimizerMap;
  return serializedForm(type, nameOf(type) === OptimizerMap.className, map.getConfig());
}
