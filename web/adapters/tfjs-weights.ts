// An optimizer's state as tfjs saves it with a model: `iter`, then tensors named after their variables, in the names
// and order of tf.train (for Adam `x/m` of all variables, then `x/v`), so that its states load here and the reverse.
import { ruleFacts } from '../engine/facts.js';
import type { Optimizer } from '../optimizers/optimizer.js';
import { partsOf } from '../optimizers/parts.js';
import { checkValue, type StateEntry } from '../state/entries.js';
import type { Target } from '../step/target.js';
import { executorOf, innermost } from './roster.js';

export interface NamedValues {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: 'float32' | 'int32';
  readonly values: ArrayLike<number>;
}

/** tf.train's names for the slots of a rule, in its order. A slot that it does not have keeps its own name. */
const slotNames: Readonly<Record<string, readonly string[]>> = {
  adam: ['m', 'v'],
  amsgrad: ['m', 'v', 'vhat'],
  adamax: ['m', 'v'],
  torch_adamax: ['m', 'v'],
  // Keras' momentum has the learning rate in it, and tf.train's has not: one must not load as the other.
  sgd_momentum: ['velocity'],
  sgd_nesterov: ['velocity'],
  rmsprop: ['rms'],
  rmsprop_momentum: ['rms', 'momentum'],
  rmsprop_centered: ['rms', 'mg'],
  rmsprop_centered_momentum: ['rms', 'momentum', 'mg'],
  adadelta: ['accum_grad', 'accum_var'],
  tfjs_adadelta: ['accum_grad', 'accum_var'],
};

interface ArrayKind {
  readonly suffix: string;
  /** Undefined for a variable that has none: Muon's matrices have one slot, what is no matrix two. */
  of(target: Target): StateEntry | undefined;
}

/** The state arrays that variables have, in the order of the file. */
function arrayKinds(optimizer: Optimizer): ArrayKind[] {
  const { rule, targets } = executorOf(optimizer);
  const entries = new Map(
    partsOf(innermost(optimizer))
      .state.entries()
      .map((entry) => [entry.key, entry]),
  );
  const all = ruleFacts(rule).slots.map(({ name }, k) => [slotNames[rule]?.[k] ?? name, name]);
  all.push(['gradient_accumulator', 'gradient_accumulator'], ['average', 'average']);
  return all
    .filter(([, ours]) => targets.some(({ path }) => entries.has(`${path}/${ours}`)))
    .map(([suffix, ours]) => ({ suffix, of: ({ path }) => entries.get(`${path}/${ours}`) }));
}

/** The count of calls. The learning rate is config. */
const iterationOf = (optimizer: Optimizer): StateEntry => partsOf(innermost(optimizer)).state.entries()[0];

/** Numbers that the rule has as state, such as Nadam's running product. */
const ruleScalarsOf = (optimizer: Optimizer): StateEntry[] => {
  const { scalars } = ruleFacts(executorOf(optimizer).rule);
  return partsOf(innermost(optimizer))
    .state.entries()
    .filter(({ key }) => scalars.includes(key));
};

/** What LossScaleOptimizer adds. */
const scalingOf = (optimizer: Optimizer): StateEntry[] =>
  partsOf(optimizer)
    .state.entries()
    .filter(({ key }) => key === 'step_counter' || key === 'dynamic_scale');

/** Copies, from wherever the state lives. @param saved what was loaded and is still waiting for its variables */
export async function readWeights(optimizer: Optimizer, saved: SavedWeights | null): Promise<NamedValues[]> {
  const read = async (name: string, { shape, dtype, remote, read }: StateEntry): Promise<NamedValues> => {
    const values = remote ? await remote.read() : read();
    return { name, shape, dtype, values: typeof values === 'number' ? [values] : values.slice() };
  };
  const list: (NamedValues | Promise<NamedValues>)[] = [read('iter', iterationOf(optimizer))];
  const waiting = saved?.waiting() ?? new Map<string, NamedValues[]>();
  const { targets } = partsOf(optimizer).lifetime.executor ?? { targets: [] };
  const kinds = targets.length ? arrayKinds(optimizer) : [];
  if (targets.length && executorOf(optimizer).native.apart())
    throw new Error(
      "getWeights: with compat: 'torch' the variables have made different numbers of updates, for which TensorFlow.js' weights have no place.",
    );
  for (const suffix of new Set([...kinds.map((kind) => kind.suffix), ...waiting.keys()])) {
    const kind = kinds.find((kind) => kind.suffix === suffix);
    if (kind)
      for (const target of targets) {
        const entry = saved?.isCold(target) ? undefined : kind.of(target);
        if (entry) list.push(read(`${target.path}/${suffix}`, entry));
      }
    for (const values of waiting.get(suffix) ?? []) list.push(values);
  }
  if (saved?.hasRuleScalars) list.push(...saved.ruleScalars());
  else if (targets.length) for (const entry of ruleScalarsOf(optimizer)) list.push(read(entry.key, entry));
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
  #stated = false;

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
  }

  get iterations(): number {
    return this.#numbers.get('iter') as number;
  }

  /** The arrays whose variables have not been seen yet, by their last names, in the order of the file. */
  waiting(): Map<string, NamedValues[]> {
    const found = new Map<string, NamedValues[]>();
    for (const arrays of this.#arrays.values())
      for (const [suffix, values] of arrays) {
        const list = found.get(suffix);
        if (list) list.push(values);
        else found.set(suffix, [values]);
      }
    return found;
  }

  /** Whether a variable has been seen, and its part of the state not been put in. */
  isCold({ path }: Target): boolean {
    return this.#arrays.has(path);
  }

  /** Whether numbers of the rule wait for the first variables. */
  get hasRuleScalars(): boolean {
    return !this.#stated && this.ruleScalars().length > 0;
  }

  /** Numbers that belong to the rule. */
  ruleScalars(): NamedValues[] {
    return [...this.#numbers]
      .filter(([name]) => !['iter', 'step_counter', 'dynamic_scale'].includes(name))
      .map(([name, value]) => ({ name, shape: [], dtype: 'float32', values: [value] }));
  }

  /** Whether there is something whose variables have not been seen yet. */
  get pending(): boolean {
    return this.#arrays.size > 0 || (!this.#stated && this.iterations > 0);
  }

  /**
   * Puts in what belongs to these variables, and forgets it; before any the count of calls and what scales the loss.
   * @throws RangeError; then nothing was changed
   */
  restore(optimizer: Optimizer, targets: readonly Target[]): void {
    const scalars = this.#scaled ? [] : scalingOf(optimizer);
    if (targets.length && !this.#stated) scalars.push(...ruleScalarsOf(optimizer));
    const missing = scalars.find(({ key }) => !this.#numbers.has(key));
    if (missing) throw new RangeError(`setWeights: the state has no '${missing.key}'.`);
    const wanted = targets.length ? arrayKinds(optimizer) : [];
    const paths = this.#pathsOf(targets, wanted.length === 0);
    const found = paths.map((path, k) => this.#checked(path, targets[k], wanted));
    const count = iterationOf(optimizer);
    const numbers = scalars.map((entry) => checkValue('setWeights', entry, this.#numbers.get(entry.key)));
    const iterations = checkValue('setWeights', count, this.iterations);
    scalars.forEach((entry, k) => {
      entry.write(numbers[k]);
    });
    this.#scaled = true;
    if (!this.#counted) count.write(iterations);
    this.#counted = true;
    if (targets.length) this.#stated = true;
    paths.forEach((path, k) => {
      for (const { suffix, of } of wanted)
        of(targets[k])?.write((found[k].get(suffix) as NamedValues).values);
      this.#arrays.delete(path);
    });
  }

  #checked(path: string, target: Target, wanted: readonly ArrayKind[]): Map<string, NamedValues> {
    const arrays = this.#arrays.get(path) as Map<string, NamedValues>;
    const kinds = wanted.filter(({ of }) => of(target));
    const names = kinds.map(({ suffix }) => suffix);
    if (String([...arrays.keys()].sort()) !== String([...names].sort()))
      throw new RangeError(
        `setWeights: the state of '${path}' holds ${[...arrays.keys()].join(', ')}; this optimizer has ${names.join(', ') || 'none'}.`,
      );
    for (const { suffix, of } of kinds) {
      const { name, shape } = arrays.get(suffix) as NamedValues;
      const expected = of(target)?.shape;
      if (String(shape) !== String(expected))
        throw new RangeError(
          `setWeights: '${name}' has shape [${shape}]; the variable '${target.path}' has [${expected}].`,
        );
    }
    return arrays;
  }

  /** By name; else by name without tfjs' suffixes; else by position, where number and shapes agree. */
  #pathsOf(targets: readonly Target[], stateless: boolean): string[] {
    const saved = [...this.#arrays.keys()];
    if (stateless && saved.length === 0) return [];
    if (targets.every(({ path }) => this.#arrays.has(path))) return targets.map(({ path }) => path);
    const plain = targets.map(({ path }) => saved.filter((name) => plainName(name) === plainName(path)));
    if (plain.every(({ length }) => length === 1) && new Set(plain.flat()).size === targets.length)
      return plain.flat();
    const isOf = (path: string, shape: readonly number[]) =>
      [...(this.#arrays.get(path)?.values() ?? [])].some((array) => String(array.shape) === String(shape));
    if (saved.length === targets.length && targets.every(({ shape }, k) => isOf(saved[k], shape)))
      return saved;
    const missing = targets.find(({ path }) => !this.#arrays.has(path))?.path;
    throw new RangeError(
      `The optimizer state that was loaded has nothing for the variable '${missing}'; it is of ${saved.slice(0, 4).join(', ') || 'none'}` +
        `${saved.length > 4 ? ', …' : ''}.`,
    );
  }
}
