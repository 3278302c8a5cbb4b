// simdescent/keras: the optimizer of a model saved by Keras with its state, and back into the file. It reads and writes
// the trainable weights and the optimizer, never the model: what the layers compute is the caller's. What kinds of file
// there are is files/source.ts. Needs the packages h5wasm and, for .keras files, fflate.
import { describe, refuseUnknown, warnOnce } from '../basics/errors.js';
import { sizeOf } from '../basics/floats.js';
import type { Constraint } from '../constraints/constraints.js';
import { core } from '../engine/core.js';
import { Optimizer } from '../optimizers/optimizer.js';
import { partsOf } from '../optimizers/parts.js';
import { get, type SerializedOptimizer, serialize } from '../optimizers/registry.js';
import { type Parameter, targetsFor } from '../step/parameters.js';
import type { Target } from '../step/target.js';
import { Variable } from '../step/variable.js';
import { optimizerEdits } from './config.js';
import { constraintFromConfig } from './constraint.js';
import { type Hdf5File, withHdf5 } from './hdf5.js';
import { edited, pythonJson } from './json-text.js';
import { layoutFor, orderOf, severalIn } from './layout.js';
import { legacyWeights } from './legacy.js';
import { withProduct } from './lora.js';
import { inOrder } from './matching.js';
import { isTrainable } from './numbers.js';
import { checkShares } from './several.js';
import { type Description, type Files, openSource } from './source.js';
import {
  checkOrder,
  checkVariables,
  type Found,
  findState,
  readState,
  stateDatasets,
  stateGroup,
  stateGroups,
  type Writing,
  writeState,
  writings,
} from './state.js';
import { savedWeights, type Weight } from './weights.js';

/** How a file of Keras is read, and written. */
export interface KerasOptions {
  /** Classes that are not built in, optimizers, schedules or constraints, by name. */
  customObjects?: Record<string, unknown> | undefined;
  /**
   * The trained weights in the order of `model.trainable_variables`, for models whose order the file does not tell
   * (subclassed ones, layers of your own with several parts): paths, with or without the model's name before them, or
   * datasets of the HDF5 file. What is not in it is not trained.
   */
  order?: readonly string[] | undefined;
  /** Called while the file is read, or written, with the bytes done and all of them; the page stays awake meanwhile. */
  onProgress?: ((done: number, total: number) => void) | undefined;
  /**
   * The most that the file may unpack to, in bytes. Default: 256 MiB, or eight times its own length if that is more.
   * What is not compressed, as Keras leaves it, does not count.
   */
  maxBytes?: number | undefined;
}

/** A trainable weight of the model. */
export interface KerasVariable {
  /** As Keras writes it, for Keras' own layers: `sequential/hidden/kernel`. */
  readonly path: string;
  /** As in the model. */
  readonly shape: readonly number[];
  /** A copy, row-major; of a weight that is not float32, converted. */
  readonly value: Float32Array;
  /** The constraint in the layer's config, if it has one: `new Variable(value, { path, shape, constraint })`. */
  readonly constraint?: Constraint;
}

/** A file of Keras, opened. */
export interface KerasFile {
  /**
   * Of the class and config in the file; not built before `build`. Null if the file has none: weights alone, or a
   * whole-model `.h5` that was not compiled.
   */
  readonly optimizer: Optimizer | null;
  /** The trainable weights, in the order of Keras' `model.trainable_variables`. */
  readonly variables: readonly KerasVariable[];
  /**
   * Builds the optimizer with your variables, in the order of `variables`, and loads its state. The values of your
   * variables are left alone. A file saved before the first step has no state, and the optimizer starts anew.
   * @throws TypeError, RangeError for another count or shape (a flat one of equal size will do); Error if built
   *   already, or if there is no optimizer. Then nothing has changed.
   */
  build(variables: readonly Parameter[]): void;
}

const optionNames = ['customObjects', 'order', 'onProgress', 'maxBytes'];

/** @throws TypeError, RangeError */
function limitOf(what: string, given: unknown, options: KerasOptions): number {
  refuseUnknown(what, options, optionNames);
  const length = (bytes: unknown) => (bytes as Uint8Array | undefined)?.byteLength ?? 0;
  const total =
    length(given) || Object.values((given ?? {}) as Files).reduce((sum, file) => sum + length(file), 0);
  const { maxBytes = Math.max(2 ** 28, 8 * total), onProgress } = options;
  if (!(typeof maxBytes === 'number' && maxBytes > 0))
    throw new RangeError(`${what}: maxBytes must be a number > 0, got ${describe(maxBytes)}.`);
  if (onProgress !== undefined && typeof onProgress !== 'function')
    throw new TypeError(`${what}: onProgress must be a function, got ${describe(onProgress)}.`);
  return maxBytes;
}

/** Variables under the names of the file, by which they go to their optimizers. */
const named = (parameters: readonly Parameter[], weights: readonly Weight[]): Target[] =>
  targetsFor(parameters, core('build')).map((target, k) => ({ ...target, path: weights[k].path }));

/** Why a state is not that of these parameters: some optimizers keep another one for a matrix than for a flat array. */
function otherRank(variables: readonly KerasVariable[], parameters: readonly Parameter[], cause: unknown) {
  const rankOf = (parameter: Parameter) => (parameter instanceof Variable ? parameter.shape.length : 1);
  const k = variables.findIndex(({ shape }, at) => rankOf(parameters[at]) !== shape.length);
  if (k < 0) return cause;
  const { path, shape } = variables[k];
  return new RangeError(
    `build: the state in the file is that of '${path}' with the shape [${shape.join(', ')}]; give Variables with the ` +
      'shapes of the file.',
    { cause },
  );
}

interface Contents {
  readonly description: Description;
  readonly make: (() => Optimizer) | null;
  readonly found: Found;
}

/** What an opened file holds. @throws RangeError */
function contentsOf(what: string, file: Hdf5File, description: Description, options: KerasOptions): Contents {
  const { customObjects, order } = options;
  const { model, isLegacy, optimizer } = description;
  const make = optimizer
    ? () => get(optimizer.node.value as SerializedOptimizer, customObjects) as Optimizer
    : makeByName(file, description);
  const all = isLegacy
    ? legacyWeights(what, file, model)
    : savedWeights(what, file, model, order !== undefined || make === null);
  const candidates =
    order === undefined ? all : inOrder(what, all, order).map(({ doubt: _, ...weight }) => weight);
  const other = candidates.find(({ type }) => !isTrainable(type));
  if (other)
    throw new RangeError(
      `${what}: '${other.path}' is ${other.type}; only floating-point weights can be trained here. If it is not ` +
        'trained, give the paths of model.trainable_variables as the option order.',
    );
  if (!make) return { description, make, found: { weights: candidates, order: 'keras3', isBuilt: false } };
  return {
    description,
    make,
    found: findState(what, file, description, make, candidates, order !== undefined),
  };
}

/** A `.weights.h5` file has the state of an optimizer, and of its config only the name. */
function makeByName(file: Hdf5File, { isLegacy }: Description): (() => Optimizer) | null {
  if (isLegacy || file.numbered(stateGroup).length === 0) return null;
  const name = file.nameOf(stateGroup)?.replaceAll('_', '');
  try {
    const make = () => get(name) as Optimizer;
    make().dispose();
    warnOnce(
      `openKeras: a file of weights alone has the state of its optimizer '${name}' and none of its options; these are the defaults.`,
    );
    return make;
  } catch {
    warnOnce(
      `openKeras: the state of an optimizer called '${name}' in the file is not read: its class is not known.`,
    );
    return null;
  }
}

/** Tells how far it is, and lets the page go on now and then. */
function progressOf(file: Hdf5File, onProgress: KerasOptions['onProgress'], datasets: readonly string[]) {
  const bytes = (path: string) => 4 * sizeOf(file.info(path).shape);
  const total = onProgress ? datasets.reduce((sum, path) => sum + bytes(path), 0) : 0;
  let done = 0;
  let last = Date.now();
  return async (path: string): Promise<void> => {
    if (!onProgress) return;
    done += bytes(path);
    onProgress(done, total);
    if (Date.now() - last < 50) return;
    await new Promise((resolve) => setTimeout(resolve));
    last = Date.now();
  };
}

/** The datasets of weights that are in the file. */
const stored = (weights: readonly Weight[]): string[] =>
  weights.flatMap(({ dataset, lora }) => (lora ? [] : [dataset]));

function readWeight(what: string, file: Hdf5File, weight: Weight): Float32Array {
  const { path, dataset, type, shape, lora } = weight;
  if (lora) return new Float32Array(sizeOf(shape));
  const values = file.read(dataset);
  if (type !== 'float32')
    warnOnce(`${what}: '${path}' is ${type} in the file, float32 here, and saved as ${type} again.`);
  return values instanceof Float32Array ? values : Float32Array.from(values);
}

/**
 * The optimizer of a model saved by Keras, deserialized, and the trainable weights. The bytes tell what it is: a
 * `.keras` file (of Keras 3, or 2.12 on), a whole-model `.h5` (Keras 2.2 on), a `.weights.h5`; or give the files of a
 * folder saved with `zipped=False`, by name. Keras does not save what it excludes from weight decay, and a `.weights.h5`
 * has no place for it: call `excludeFromWeightDecay` before `build`. What `saveKeras` saved with a config comes back.
 *
 * The order of the weights is that of the layers in the config; nested models and the composite layers of Keras
 * (RNNs, Bidirectional, attention, wrappers) are followed, frozen layers and BatchNormalization's moving statistics
 * left out. What the config does not tell, such as which weights of a layer of your own are trained, is told by the
 * shapes of the optimizer's state, if they leave no choice; otherwise give `order`. In `path`, Sequential models stand
 * before their layers and functional ones do not.
 *
 * With LoRA the kernel is frozen, and two matrices are trained, which Keras does not save: it adds their product to the
 * kernel, and when it loads a file they are zeros. So they are here, and `saveKeras` adds the product.
 * @throws TypeError for anything but bytes, and unknown options; RangeError for bytes that are no such file, or damaged,
 *   no or an unknown optimizer, a state that does not fit the weights, and models whose order of weights the file does
 *   not tell; Error before `init()`, or without h5wasm and fflate.
 */
export async function openKeras(
  given: Uint8Array | ArrayBuffer | Files,
  options: KerasOptions = {},
): Promise<KerasFile> {
  const what = 'openKeras';
  core(`${what}()`);
  const limit = limitOf(what, given, options);
  const { customObjects, onProgress } = options;
  const source = await openSource(what, given, limit);
  return withHdf5(what, source.hdf5, { name: source.name, limit, writes: false }, async (file) => {
    const { make, found, description } = contentsOf(what, file, source.describe(file), options);
    const { weights, isBuilt } = found;
    const datasets = isBuilt ? stateDatasets(file, description) : [];
    const progress = progressOf(file, onProgress, [...stored(weights), ...datasets]);
    const optimizer = make?.() ?? null;
    const variables: KerasVariable[] = [];
    for (const weight of weights) {
      const { path, shape } = weight;
      const constraint = constraintFromConfig(`${what}: '${path}'`, weight.constraint, shape, customObjects);
      variables.push({
        path,
        shape,
        value: readWeight(what, file, weight),
        ...(constraint && { constraint }),
      });
      if (!weight.lora) await progress(weight.dataset);
    }
    let state: (number | ArrayLike<number>)[] | null = null;
    if (make && optimizer && isBuilt) {
      const layout = layoutFor(make, weights);
      const unbuilt = optimizer.variables.map(({ value }) => value as number);
      state = await readState(what, file, datasets, layout, orderOf(found.order, layout), unbuilt, progress);
    }
    return {
      optimizer,
      variables,
      build(parameters) {
        if (!optimizer)
          throw new Error('build: the file has no optimizer, only weights; make one and build it.');
        if (optimizer.built)
          throw new Error('build: the optimizer is built already; open the file again for another one.');
        checkVariables('build', variables, parameters);
        if (severalIn(optimizer)) optimizer.build(parameters, named(parameters, weights));
        else optimizer.build(parameters);
        try {
          if (state) optimizer.loadOwnVariables(state as unknown as Record<string, Float32Array>);
        } catch (cause) {
          partsOf(optimizer).build.undo();
          throw otherRank(variables, parameters, cause);
        }
        state = null;
      },
    };
  });
}

/**
 * The same file with the weights, the optimizer's state and, where they changed, its options: a new file of the same
 * kind, which Keras opens as before. Everything else in it, and what was given, stay as they are.
 * @param optimizer of the file's class, built with the variables of this model in their order; null for weights alone
 * @param variables the values to save, in the order of `openKeras(…).variables`
 * @returns bytes, or for the files of a folder its files
 * @throws TypeError, RangeError as openKeras, and for an optimizer or variables that do not fit the file; Error for
 *   an optimizer that is not built, or whose learning rate is a function.
 */
export function saveKeras(
  given: Files,
  optimizer: Optimizer | null,
  variables: readonly Parameter[],
  options?: KerasOptions,
): Promise<Record<string, Uint8Array>>;
export function saveKeras(
  given: Uint8Array | ArrayBuffer,
  optimizer: Optimizer | null,
  variables: readonly Parameter[],
  options?: KerasOptions,
): Promise<Uint8Array>;
export async function saveKeras(
  given: Uint8Array | ArrayBuffer | Files,
  optimizer: Optimizer | null,
  variables: readonly Parameter[],
  options: KerasOptions = {},
): Promise<Uint8Array | Record<string, Uint8Array>> {
  const what = 'saveKeras';
  if (optimizer !== null && !(optimizer instanceof Optimizer))
    throw new TypeError(`${what} takes an optimizer, got ${describe(optimizer)}.`);
  if (optimizer) partsOf(optimizer).lifetime.require(); // an error if it is not built
  const limit = limitOf(what, given, options);
  const { customObjects, onProgress } = options;
  const source = await openSource(what, given, limit);
  const hdf5 = { name: source.name, limit, writes: true };
  const now = optimizer && serialize(optimizer);
  const plan = await withHdf5(what, source.hdf5, { ...hdf5, writes: false }, (file) => {
    const description = source.describe(file);
    const { make, found } = contentsOf(what, file, description, options);
    checkVariables(what, found.weights, variables);
    const weightsOnly: Plan = { description, weights: found.weights, writing: [], text: null, rest: null };
    if (!optimizer || !now) return weightsOnly;
    if (!make)
      throw new RangeError(
        `${what}: the file has no optimizer, only weights; save these with null instead of one.`,
      );
    checkOrder(what, optimizer, variables);
    checkShares(what, optimizer, found.weights);
    const { optimizer: saved } = description;
    const text = saved && edited(saved.text, optimizerEdits(what, saved.node, serialize(make()), now));
    const makeNow = () => get(now, customObjects) as Optimizer;
    const { writing, isInPlace } = writings(what, file, description, found, makeNow, optimizer);
    const rest = isInPlace ? null : file.without(stateGroups(file, description));
    return { ...weightsOnly, writing, text, rest };
  });
  const { text, description } = plan;
  const filled = await withHdf5(what, plan.rest ?? source.hdf5, hdf5, (file) =>
    fill(file, plan, variables, onProgress),
  );
  return source.pack(filled, description.attribute ? null : text);
}

/** All that is to be saved, checked. */
interface Plan {
  readonly description: Description;
  readonly weights: readonly Weight[];
  readonly writing: readonly Writing[];
  /** The optimizer's config in its text. */
  readonly text: string | null;
  /** The HDF5 file without the old state, where the new one has another number of variables. */
  readonly rest: Uint8Array | null;
}

async function fill(
  file: Hdf5File,
  { description, weights, writing, text }: Plan,
  variables: readonly Parameter[],
  onProgress: KerasOptions['onProgress'],
): Promise<Uint8Array> {
  const progress = progressOf(file, onProgress, stored(weights));
  const values = variables.map((variable) => (variable instanceof Variable ? variable.value : variable));
  for (const [k, { dataset, copies = [], lora }] of weights.entries()) {
    if (lora?.side === 'b') {
      const a = weights.findIndex((other) => other.lora?.side === 'a' && other.lora.kernel === lora.kernel);
      if (a < 0) continue; // it stays at zero
      const kernel = file.read(lora.kernel);
      file.write(lora.kernel, withProduct(kernel, values[a], values[k], lora.scale));
    }
    if (lora) continue;
    for (const path of [dataset, ...copies]) file.write(path, values[k]);
    await progress(dataset);
  }
  writeState(file, description, writing);
  if (description.attribute && text !== null && text !== description.optimizer?.text)
    file.setText('', description.attribute, text);
  return file.bytes();
}

/**
 * A config, or anything that goes into JSON, as Python writes it: `JSON.stringify` writes a rate of 1 as `1`, which
 * Keras takes for an integer and refuses; here it is `1.0`, and counts stay `1`.
 */
export function kerasJson(value: unknown): string {
  return pythonJson(value instanceof Optimizer ? serialize(value) : value);
}
