// simdescent/keras: the optimizer of a .keras file with its state, and back into the file. It reads and writes the
// trainable weights and the optimizer, never the model: what the layers compute is the caller's.
// Needs the packages h5wasm and fflate.
import './index.js'; // as every entry point does: scripts/build.mjs
import { describe } from './basics/errors.js';
import { engine } from './engine/engine.js';
import { openArchive } from './files/archive.js';
import { optimizerEdits } from './files/config.js';
import { withHdf5 } from './files/hdf5.js';
import { edited } from './files/json-text.js';
import { layoutOf } from './files/layout.js';
import { checkOrder, checkState, checkVariables, writeState } from './files/state.js';
import { trainableWeights } from './files/weights.js';
import { zip } from './files/zip.js';
import { LossScaleOptimizer } from './optimizers/loss-scale.js';
import { Optimizer } from './optimizers/optimizer.js';
import { partsOf } from './optimizers/parts.js';
import { get, serialize } from './optimizers/registry.js';
import type { Parameter } from './step/parameters.js';
import { Variable } from './step/variable.js';

export interface KerasOptions {
  /** Classes that are not built in, optimizers or schedules, by name. */
  customObjects?: Record<string, unknown>;
}

/** A trainable weight of the model. */
export interface KerasVariable {
  /** As Keras writes it, for Keras' own layers: `sequential/hidden/kernel`. */
  readonly path: string;
  readonly shape: readonly number[];
  /** A copy, row-major. */
  readonly value: Float32Array;
}

export interface KerasFile {
  /** Of the class and config in the file; not built before `build`. */
  readonly optimizer: Optimizer;
  /** The trainable weights, in the order of Keras' `model.trainable_variables`. */
  readonly variables: readonly KerasVariable[];
  /**
   * Builds the optimizer with your variables, in the order of `variables`, and loads its state. The values of your
   * variables are left alone. A file saved before the first step has no state, and the optimizer starts anew.
   * @throws TypeError, RangeError for another count or shape (a flat one of equal size will do); Error if built
   *   already. Then nothing has changed.
   */
  build(variables: readonly Parameter[]): void;
}

const group = 'optimizer/vars';

/**
 * The optimizer of a `.keras` file (Keras 3, and the same format from 2.12 on), deserialized, and the trainable
 * weights. Weight-decay exclusions are not in such a file: call `excludeFromWeightDecay` before `build`.
 *
 * The order of the weights is that of the layers in config.json; nested models and the composite layers of Keras
 * (RNNs, Bidirectional, attention, wrappers) are followed, frozen layers and BatchNormalization's moving statistics
 * left out. In `path`, Sequential models stand before their layers and functional ones do not.
 * @throws TypeError for anything but bytes; RangeError for bytes that are no such file, no or an unknown optimizer, a
 *   state that does not fit the weights, and models whose order of weights the file does not tell (parts of layers
 *   or models of your own); Error before `init()`, or without h5wasm and fflate.
 */
export async function openKeras(
  bytes: Uint8Array | ArrayBuffer,
  options: KerasOptions = {},
): Promise<KerasFile> {
  const what = 'openKeras';
  engine(`${what}()`);
  const archive = await openArchive(what, bytes, options.customObjects);
  const optimizer = archive.makeOptimizer();
  const { variables, state } = await withHdf5(what, archive.weights, (file) => {
    const weights = trainableWeights(what, file, archive.model);
    const layout = layoutOf(archive.makeOptimizer, weights.length);
    const isBuilt = checkState(what, file, group, optimizer.variables.length, layout, weights);
    return {
      variables: weights.map(({ path, shape, dataset }) => ({
        path,
        shape,
        value: file.read(dataset) as Float32Array,
      })),
      state: isBuilt ? file.numbered(group).map((path) => file.read(path)) : null,
    };
  });
  return {
    optimizer,
    variables,
    build(given) {
      if (optimizer.built)
        throw new Error('build: the optimizer is built already; open the file again for another one.');
      checkVariables('build', variables, given);
      optimizer.build(given);
      if (state) optimizer.loadOwnVariables(state as unknown as Record<string, Float32Array>);
    },
  };
}

/**
 * The same file with the weights, the optimizer's state and, where they changed, its options: a new file that Keras
 * opens as before. Everything else in it, and `bytes`, stay as they are.
 * @param optimizer of the file's class, built with the variables of this model in their order
 * @param variables the values to save, in the order of `openKeras(…).variables`
 * @throws TypeError, RangeError as openKeras, and for an optimizer or variables that do not fit the file; Error for
 *   an optimizer that is not built, or whose learning rate is a function.
 */
export async function saveKeras(
  bytes: Uint8Array | ArrayBuffer,
  optimizer: Optimizer,
  variables: readonly Parameter[],
  options: KerasOptions = {},
): Promise<Uint8Array> {
  const what = 'saveKeras';
  if (!(optimizer instanceof Optimizer))
    throw new TypeError(`${what} takes an optimizer, got ${describe(optimizer)}.`);
  partsOf(optimizer).lifetime.require(); // an error if it is not built
  const { customObjects } = options;
  const archive = await openArchive(what, bytes, customObjects);
  const base = archive.makeOptimizer();
  const now = serialize(optimizer);
  const text = edited(archive.text, optimizerEdits(what, archive.node, serialize(base), now));
  const weightsFile = await withHdf5(what, archive.weights, (file) => {
    const weights = trainableWeights(what, file, archive.model);
    checkVariables(what, weights, variables);
    checkOrder(what, optimizer, variables);
    const layout = layoutOf(() => get(now, customObjects) as Optimizer, weights.length);
    weights.forEach(({ dataset }, k) => {
      file.write(dataset, variables[k] instanceof Variable ? variables[k].value : variables[k]);
    });
    writeState(what, file, group, base, optimizer, layout, weights);
    if (optimizer instanceof LossScaleOptimizer) {
      const [inner, innerBase] = [optimizer.innerOptimizer, (base as LossScaleOptimizer).innerOptimizer];
      const own = optimizer.variables.length - inner.variables.length;
      // Keras stores the inner optimizer's state a second time.
      writeState(what, file, 'optimizer/inner_optimizer/vars', innerBase, inner, layout.slice(own), weights);
    }
    return file.bytes();
  });
  const config = new TextEncoder().encode(text);
  return zip({ ...archive.files, 'config.json': config, 'model.weights.h5': weightsFile });
}
