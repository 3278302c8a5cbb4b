// The trainable weights in model.weights.h5, in the order in which Keras hands them to the optimizer: layer by
// layer as the config lists them, in each layer its own weights and then those of its parts. The file stores weights
// by class and number, so the order, the names and what is trained come from the config and from layers.ts; where
// that is not enough (parts of a layer of the user's own), it says so instead of guessing.
import type { Hdf5File } from './hdf5.js';
import { groupName, kindOf, type LayerConfig, orderedParts, partOf } from './layers.js';

export interface Weight {
  /** As Keras writes it: `sequential/hidden/kernel`. A functional model adds no name of its own. */
  readonly path: string;
  /** Where it is in model.weights.h5. */
  readonly dataset: string;
  readonly shape: readonly number[];
}

interface Place {
  /** The group in the file; '' for the model itself. */
  readonly group: string;
  readonly prefix: string;
  readonly trainable: boolean;
}

// Keras 2.12 and 2.13 wrote the second.
const containers = ['layers', '_layer_checkpoint_dependencies'];
const notWeights = /^(vars|optimizer|metrics|seed_generator|_compile_\w+|_loss_tracker)$/;

/** @throws RangeError for weights whose order cannot be told, or which are not float32 */
export function trainableWeights(what: string, file: Hdf5File, model: LayerConfig): Weight[] {
  const weights: Weight[] = [];
  const seen = new Set<string>();
  const inside = (group: string, key: string) => (group === '' ? key : `${group}/${key}`);

  const visit = (layer: LayerConfig, { group, prefix, trainable }: Place): void => {
    const { config = {} } = layer;
    const isModel = Array.isArray(config.layers);
    const given = file.nameOf(inside(group, 'vars')) ?? config.name ?? group.split('/').pop();
    const own = isModel && layer.class_name !== 'Sequential' ? '' : String(given);
    const path = [prefix, own].filter(Boolean).join('/');
    // Keras sets the flag of all layers within when it sets one, so the innermost flag that is written counts.
    const trained = typeof config.trainable === 'boolean' ? config.trainable : trainable;
    const kind = kindOf(layer);
    file.numbered(inside(group, 'vars')).forEach((dataset, k) => {
      seen.add(dataset);
      const name = kind.weights[k] ?? String(k);
      const { shape, type } = file.info(dataset);
      if (!trained || kind.frozen?.includes(name)) return;
      if (type !== 'float32')
        throw new RangeError(
          `${what}: '${path}/${name}' is ${type}; only float32 weights can be trained here.`,
        );
      weights.push({ path: `${path}/${name}`, dataset, shape });
    });
    if (isModel) {
      const container = containers.map((name) => inside(group, name)).find((name) => file.isGroup(name));
      if (container)
        list(config.layers as LayerConfig[], { group: container, prefix: path, trainable: trained });
      return;
    }
    const keys = file.keys(group).filter((key) => !notWeights.test(key) && holdsWeights(inside(group, key)));
    const ordered = orderedParts(layer, keys);
    if (!ordered)
      throw new RangeError(
        `${what}: the order of the parts of '${path}' (${keys.join(', ')}) is not in the file, and ` +
          `${layer.class_name ?? 'its class'} is not known: its weights cannot be matched with the optimizer's state.`,
      );
    for (const key of ordered) {
      const part = config[key];
      const place = { group: inside(group, key), prefix: path, trainable: trained };
      if (Array.isArray(part)) list(part as LayerConfig[], place);
      else visit(partOf(layer, key), place);
    }
  };

  /** Layers that share a group: named by their class, and numbered from the second of a class on. */
  const list = (layers: readonly LayerConfig[], place: Place): void => {
    const used = new Map<string, number>();
    for (const layer of layers) {
      const name = groupName(layer);
      const count = used.get(name) ?? 0;
      used.set(name, count + 1);
      const group = `${place.group}/${count ? `${name}_${count}` : name}`;
      if (file.isGroup(group)) visit(layer, { ...place, group });
    }
  };

  const holdsWeights = (group: string) =>
    file.datasetsBelow(group).some((path) => !path.split('/').includes('seed_generator'));

  if (model.config?.trainable === false) return [];
  visit(model, { group: '', prefix: '', trainable: true });
  checkComplete(what, file, seen);
  return weights;
}

/** A weight that was not reached would shift all that follow it. */
function checkComplete(what: string, file: Hdf5File, seen: ReadonlySet<string>): void {
  const missed = containers
    .flatMap((group) => file.datasetsBelow(group))
    .find((path) => !seen.has(path) && !path.split('/').includes('seed_generator'));
  if (missed)
    throw new RangeError(
      `${what}: '${missed}' in model.weights.h5 belongs to no layer of config.json; the order of the weights cannot be told.`,
    );
}
