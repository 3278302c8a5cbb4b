// Which variables weight decay leaves alone, as in Keras' exclude_from_weight_decay: those that are listed, and those
// in whose name a pattern is found. What decay does is the engine's.
import { describe, isRecord } from '../basics/errors.js';
import { pattern } from '../basics/pattern.js';
import { readSpelled, type Spelled } from '../basics/spelling.js';
import { homeOf } from '../step/home.js';
import { isParameter, type Parameter, pathOf } from '../step/parameters.js';
import type { Target } from '../step/target.js';
import { Variable } from '../step/variable.js';

/** What weight decay leaves alone. Either may be left out, or spelled as Keras does. */
export type Excluded = Spelled<{
  /** Each must be among the variables built. */
  varList?: readonly Parameter[];
  /** Regular expressions. They run as they are, and some take for ever, such as `(a+)+$`: take them from whom you trust. */
  varNames?: readonly string[];
}>;

/** As it is saved: by paths and patterns. */
export interface SavedExclusion {
  var_paths?: readonly string[];
  var_names?: readonly string[];
}

const what = 'excludeFromWeightDecay';
const names = ['varList', 'varNames'] as const;

/** In either spelling. */
function read(given: unknown): Excluded {
  if (!isRecord(given))
    throw new TypeError(
      `${what} takes { varList: [variables], varNames: [patterns] }, got ${describe(given)}.`,
    );
  return readSpelled(what, given, names);
}

export class Exclusion {
  readonly #list: ReadonlySet<Parameter>;
  readonly #sources: readonly string[];
  readonly #patterns: readonly RegExp[];
  readonly #paths: readonly string[];

  /** @throws TypeError for what are no variables or no strings; RangeError for what is no regular expression */
  constructor(which: Excluded = {}, { var_paths: paths = [] }: SavedExclusion = {}) {
    const { varList = [], varNames = [] } = read(which);
    if (!Array.isArray(varList) || ![...varList].every(isParameter))
      throw new TypeError(`${what}: varList must be an array of variables, got ${describe(varList)}.`);
    if (!Array.isArray(varNames) || ![...varNames].every((name) => typeof name === 'string'))
      throw new TypeError(
        `${what}: varNames must be an array of regular expressions as strings, got ${describe(varNames)}.`,
      );
    this.#list = new Set(varList);
    this.#sources = [...varNames];
    this.#patterns = varNames.map((source) => pattern(`${what}: varNames`, source));
    this.#paths = [...paths];
  }

  /** @throws RangeError for one that is not among the variables built: it would be excluded from nothing */
  checkBuilt(built: readonly Parameter[]): void {
    if (this.#list.size === 0) return;
    const known = new Set(built);
    for (const parameter of this.#list)
      if (!known.has(parameter))
        throw new RangeError(
          `build: ${pathOf(parameter)} of ${what}'s varList is not among the ${built.length} variables built.`,
        );
  }

  has({ name, path }: Target, parameter?: Parameter): boolean {
    return (
      (parameter !== undefined && this.#list.has(parameter)) ||
      this.#paths.includes(path) ||
      this.#patterns.some((pattern) => pattern.test(name))
    );
  }

  /**
   * For a file; null if nothing is excluded. @param builtPath of a parameter, once built
   * @throws Error for a parameter that has no path yet
   */
  save(builtPath: (parameter: Parameter) => string | undefined): SavedExclusion | null {
    const paths = [...this.#list].map((parameter) => {
      const path =
        builtPath(parameter) ??
        (parameter instanceof Variable && !homeOf(parameter).isUnnamed && parameter.path);
      if (path) return path;
      throw new Error(
        `${what}: a variable without a name, ${pathOf(parameter)}, has no path before build, and its exclusion cannot be saved; build first, or name it.`,
      );
    });
    paths.push(...this.#paths);
    if (paths.length === 0 && this.#sources.length === 0) return null;
    return {
      ...(paths.length && { var_paths: paths }),
      ...(this.#sources.length && { var_names: [...this.#sources] }),
    };
  }

  /** What is asked for before anything is built. @throws Error if something is; TypeError, RangeError as the constructor */
  static before(built: object | null, which: Excluded): Exclusion {
    if (built) throw new Error(`${what} must be called before build, and before the first apply.`);
    return new Exclusion(which);
  }

  /** What `save` gave. @throws TypeError, RangeError that name what is wrong with it */
  static from(saved: SavedExclusion): Exclusion {
    const { var_names: varNames = [], var_paths } = saved;
    return new Exclusion({ varNames }, { var_paths });
  }
}
