// Which variables weight decay leaves alone, as in Keras' exclude_from_weight_decay: those that are listed, and those
// in whose name a pattern is found. What decay does is the engine's, and when it may be asked for is optimizer.ts.
import { describe } from '../basics/errors.js';
import { isParameter, type Parameter } from '../step/parameters.js';
import { pattern } from './options.js';

export interface Excluded {
  varList?: readonly Parameter[];
  /** Regular expressions. They run as they are, and some take for ever, such as `(a+)+$`: take them from whom you trust. */
  varNames?: readonly string[];
}

export class Exclusion {
  readonly #parameters: ReadonlySet<unknown>;
  readonly #patterns: readonly RegExp[];

  /** @throws TypeError for what are no variables or no strings; RangeError for what is no regular expression */
  constructor(which: Excluded = {}) {
    const varList = which?.varList ?? [];
    const varNames = which?.varNames ?? [];
    if (!Array.isArray(varList) || !varList.every(isParameter))
      throw new TypeError(
        `excludeFromWeightDecay: varList must be an array of variables, got ${describe(varList)}.`,
      );
    if (!Array.isArray(varNames) || !varNames.every((name) => typeof name === 'string'))
      throw new TypeError(
        `excludeFromWeightDecay: varNames must be an array of regular expressions as strings, got ${describe(varNames)}.`,
      );
    this.#parameters = new Set(varList);
    this.#patterns = varNames.map((source) => pattern('excludeFromWeightDecay: varNames', source));
  }

  lists(parameter: Parameter): boolean {
    return this.#parameters.has(parameter);
  }

  matches(name: string): boolean {
    return this.#patterns.some((pattern) => pattern.test(name));
  }
}
