// An optimizer's state as tfjs saves it with a model: `iter`, then tensors named after their variables, in the
// order of tf.train.adam (`x/m` of all variables, then `x/v`), so that its states load here and the reverse.
import { ruleFacts } from '../engine/facts.js';
import type { Optimizer } from '../optimizers/optimizer.js';
import { partsOf } from '../optimizers/parts.js';
import type { StateEntry } from '../state/entries.js';
import type { Stepping } from '../step/stepping.js';
import type { Target } from '../step/target.js';
import { innermost } from './roster.js';

export interface NamedValues {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: 'float32' | 'int32';
  readonly values: ArrayLike<number>;
}

const slotNames = ['m', 'v', 'vhat'];

interface ArrayKind {
  readonly suffix: string;
  of(target: Target): StateEntry;
}

/** The state arrays that each variable has, in the order of the file. */
function arrayKinds(optimizer: Optimizer): ArrayKind[] {
  const { rule, targets } = partsOf(optimizer).lifetime.require() as Stepping;
  const entries = new Map(
    partsOf(innermost(optimizer))
      .state.entries()
      .map((entry) => [entry.key, entry]),
  );
  const all = ruleFacts(rule).slots.map(({ name }, k) => [slotNames[k], name]);
  all.push(['accumulator', 'gradient_accumulator'], ['average', 'average']);
  return all
    .filter(([, ours]) => entries.has(`${targets[0].path}/${ours}`))
    .map(([suffix, ours]) => ({ suffix, of: ({ path }) => entries.get(`${path}/${ours}`) as StateEntry }));
}

/** The count of calls. The learning rate is config. */
const iterationOf = (optimizer: Optimizer): StateEntry => partsOf(innermost(optimizer)).state.entries()[0];

/** What LossScaleOptimizer adds. */
const scalingOf = (optimizer: Optimizer): StateEntry[] =>
  partsOf(optimizer)
    .state.entries()
    .filter(({ key }) => key === 'step_counter' || key === 'dynamic_scale');

/** Copies, from wherever the state lives. */
export async function readWeights(optimizer: Optimizer): Promise<NamedValues[]> {
  const read = async (name: string, { shape, dtype, remote, read }: StateEntry): Promise<NamedValues> => {
    const values = remote ? await remote.read() : read();
    return { name, shape, dtype, values: typeof values === 'number' ? [values] : values.slice() };
  };
  const list = [read('iter', iterationOf(optimizer))];
  if (optimizer.built)
    for (const { suffix, of } of arrayKinds(optimizer))
      for (const target of partsOf(optimizer).lifetime.require().targets)
        list.push(read(`${target.path}/${suffix}`, of(target)));
  for (const entry of scalingOf(optimizer)) list.push(read(entry.key, entry));
  return Promise.all(list);
}

/** tfjs appends `_1`, `_2`, … to a name that is taken, as when a model is loaded beside its original. */
const plainName = (name: string) => name.replace(/_\d+$/, '');

/** A state that was loaded, until the variables that it belongs to are seen. */
export class SavedWeights {
  readonly #numbers = new Map<string, number>();
  readonly #arrays = new Map<string, Map<string, NamedValues>>();
  #scaled = false;
  #counted = false;

  /** @throws RangeError for what is no optimizer state */
  constructor(list: readonly NamedValues[]) {
    for (const each of list) {
      const cut = each.name.lastIndexOf('/');
      if (cut < 0) this.#numbers.set(each.name, each.values[0]);
      else {
        const path = each.name.slice(0, cut);
        if (!this.#arrays.has(path)) this.#arrays.set(path, new Map());
        this.#arrays.get(path)?.set(each.name.slice(cut + 1), each);
      }
    }
    if (!this.#numbers.has('iter'))
      throw new RangeError("setWeights: this is no optimizer state: there is no 'iter' among the weights.");
    if (this.iterations > 0 && !this.pending)
      throw new RangeError(
        `setWeights: a count of ${this.iterations} calls and no arrays: this is no state of ours.`,
      );
  }

  get iterations(): number {
    return this.#numbers.get('iter') as number;
  }

  /** Whether there are arrays whose variables have not been seen yet. */
  get pending(): boolean {
    return this.#arrays.size > 0;
  }

  /**
   * Puts in what belongs to these variables, and forgets it; with the first ones the count of calls, and before any
   * what scales the loss. @throws RangeError; then nothing was changed
   */
  restore(optimizer: Optimizer, targets: readonly Target[]): void {
    const scaling = this.#scaled ? [] : scalingOf(optimizer);
    const missing = scaling.find(({ key }) => !this.#numbers.has(key));
    if (missing) throw new RangeError(`setWeights: the state has no '${missing.key}'.`);
    const wanted = targets.length ? arrayKinds(optimizer) : [];
    const paths = this.#pathsOf(targets);
    const found = targets.map((target, k) => this.#checked(paths[k], target, wanted));
    for (const entry of scaling) entry.write(this.#numbers.get(entry.key) as number);
    this.#scaled = true;
    if (targets.length && !this.#counted) {
      iterationOf(optimizer).write(this.iterations);
      this.#counted = true;
    }
    targets.forEach((target, k) => {
      for (const { suffix, of } of wanted) of(target).write((found[k].get(suffix) as NamedValues).values);
      this.#arrays.delete(paths[k]);
    });
  }

  #checked(
    path: string,
    { path: name, shape }: Target,
    wanted: readonly ArrayKind[],
  ): Map<string, NamedValues> {
    const arrays = this.#arrays.get(path) as Map<string, NamedValues>;
    const names = wanted.map(({ suffix }) => suffix);
    if (String([...arrays.keys()].sort()) !== String([...names].sort()))
      throw new RangeError(
        `setWeights: the state of '${path}' holds ${[...arrays.keys()].join(', ')}; this optimizer has ${names.join(', ')}.`,
      );
    for (const each of arrays.values())
      if (String(each.shape) !== String(shape))
        throw new RangeError(
          `setWeights: '${each.name}' has shape [${each.shape}]; the variable '${name}' has [${shape}].`,
        );
    return arrays;
  }

  /** By name; else by name without tfjs' suffixes; else by position, where number and shapes agree. */
  #pathsOf(targets: readonly Target[]): string[] {
    const saved = [...this.#arrays.keys()];
    if (targets.every(({ path }) => this.#arrays.has(path))) return targets.map(({ path }) => path);
    const plain = targets.map(({ path }) => saved.filter((name) => plainName(name) === plainName(path)));
    if (plain.every(({ length }) => length === 1) && new Set(plain.flat()).size === targets.length)
      return plain.flat();
    const shapeOf = (path: string) => String([...(this.#arrays.get(path)?.values() ?? [])][0]?.shape);
    if (
      saved.length === targets.length &&
      targets.every(({ shape }, k) => shapeOf(saved[k]) === String(shape))
    )
      return saved;
    const missing = targets.find(({ path }) => !this.#arrays.has(path))?.path;
    throw new RangeError(
      `The optimizer state that was loaded has nothing for the variable '${missing}'; it is of ${saved.slice(0, 4).join(', ')}` +
        `${saved.length > 4 ? ', …' : ''}.`,
    );
  }
}
