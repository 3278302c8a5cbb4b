// The weights in a file, in the order in which Keras hands them to the optimizer: layer by layer as the config lists
// them, in each layer its own weights and then those of its parts. The file stores weights by class and number, so the
// order, the names and what is trained come from the config and from layers.ts. Where that is not enough it says so:
// what may be untrained is marked, for matching.ts, and an order that nobody knows is asked of the caller. A weight
// that is not reached would shift all that follow it, so it is an error.

import type { Hdf5File } from './hdf5.js';
import {
  checkLayer,
  constraintOf,
  groupName,
  hasFreeParts,
  keepsCopy,
  kindOf,
  type LayerConfig,
  orderedParts,
  partOf,
} from './layers.js';
import { isAdapted, type LoraFactor, loraOf, shapesOf } from './lora.js';
import { isTrainable } from './numbers.js';

export interface Weight {
  /** As Keras writes it: `sequential/hidden/kernel`. A functional model adds no name of its own. */
  readonly path: string;
  /** Where it is in the file, or would be. */
  readonly dataset: string;
  readonly shape: readonly number[];
  readonly type: string;
  /** A matrix that is not in the file: it begins as zeros. */
  readonly lora?: LoraFactor;
  /** Other places with the same values. */
  readonly copies?: readonly string[];
  /** As in the config. */
  readonly constraint?: unknown;
  /**
   * Weights of one unit may be untrained: `whole` all of them or none, `tail` the last ones from some point on, as a
   * layer lists its own.
   */
  readonly doubt?: { readonly unit: string; readonly kind: 'whole' | 'tail' };
}

interface Within {
  /** The group in the file; '' for the model itself. */
  readonly group: string;
  readonly prefix: string;
  readonly trainable: boolean;
  readonly isFree?: boolean;
}

// Keras 2.12 and 2.13 wrote the second, and counted every layer with weights in it twice.
const twice = '_layer_checkpoint_dependencies';
const containers = ['layers', twice];
/** Groups whose layers matching.ts brings in order. */
const isMerged = (group: string) => group === '' || group === 'layers';
const notWeights = /^(vars|optimizer|metrics|seed_generator|_compile_\w+|_loss_tracker|compile_\w+)$/;
const isAside = (dataset: string) =>
  dataset.split('/').some((part) => notWeights.test(part) && part !== 'vars');

/**
 * @param model null for a file without a config
 * @param anyOrder where the order is not known, take one: the caller will give another
 * @throws RangeError for weights whose order cannot be told
 */
export function savedWeights(
  what: string,
  file: Hdf5File,
  model: LayerConfig | null,
  anyOrder: boolean,
): Weight[] {
  const weights: Weight[] = [];
  const seen = new Set<string>();
  const inside = (group: string, key: string) => (group === '' ? key : `${group}/${key}`);
  const holding = groupsWithWeights(file);
  const holdsWeights = (group: string) => holding.has(group);

  const visit = (layer: LayerConfig, { group, prefix, trainable, isFree }: Within): void => {
    checkLayer(what, layer);
    const { config = {} } = layer;
    const layers = Array.isArray(config) ? config : config.layers; // a Sequential's config was the list itself once
    const isModel = Array.isArray(layers);
    const given = file.nameOf(inside(group, 'vars')) ?? config.name ?? group.split('/').pop();
    // Without a config, a model is known to be Sequential by the name that Keras gives it.
    const isNamed = model === null && group === '' ? /^sequential(_\d+)?$/.test(String(given)) : !isModel;
    const own = isNamed || (isModel && layer.class_name === 'Sequential') ? String(given) : '';
    const path = [prefix, own].filter(Boolean).join('/');
    // Keras sets the flag of all layers within when it sets one, so the innermost flag that is written counts.
    const trained = typeof config.trainable === 'boolean' ? config.trainable : trainable;
    const datasets = file.numbered(inside(group, 'vars'));
    const kind = kindOf(layer, datasets.length);
    const lora = datasets.length > 0 ? loraOf(layer) : null;
    const adapted = lora && kind.weights.find(isAdapted);
    if (lora && !(adapted && isTrainable(file.info(datasets[0]).type))) refuseLora(what, path, layer);
    const first = inside(group, 'layer/vars/0');
    const copied =
      keepsCopy(layer) && datasets.length > 1 && file.isDataset(first) ? datasets.shift() : undefined;
    if (copied) seen.add(copied);
    datasets.forEach((dataset, k) => {
      seen.add(dataset);
      const name = kind.weights[k] ?? String(k);
      if (!trained || name === adapted || kind.frozen?.includes(name)) return;
      const doubt = isFree
        ? ({ unit: group, kind: 'whole' } as const)
        : kind.isKnown
          ? undefined
          : ({ unit: group, kind: 'tail' } as const);
      const constraint = constraintOf(layer, name);
      weights.push({
        path: `${path}/${name}`.replace(/^\//, ''),
        dataset,
        ...file.info(dataset),
        doubt,
        constraint,
      });
    });
    if (lora && adapted && trained) {
      const shapes = shapesOf(file.info(datasets[0]).shape, lora.rank);
      for (const side of ['a', 'b'] as const) {
        const name = `lora_${adapted}_${side}`;
        weights.push({
          path: `${path}/${name}`.replace(/^\//, ''),
          dataset: inside(group, name),
          shape: shapes[side],
          type: 'float32',
          lora: { side, kernel: datasets[0], scale: lora.scale },
        });
      }
    }
    if (isModel) {
      const container = containers.map((name) => inside(group, name)).find((name) => holdsWeights(name));
      if (container) list(layers as LayerConfig[], { group: container, prefix: path, trainable: trained });
      return;
    }
    const keys = file.keys(group).filter((key) => !notWeights.test(key) && holdsWeights(inside(group, key)));
    const takesAny = anyOrder || (model === null && (isMerged(group) || areDistinct(group, keys)));
    const ordered = orderedParts(layer, keys) ?? (takesAny ? byNumber(keys) : sameClass(group, keys));
    if (!ordered)
      throw new RangeError(
        `${what}: the order of the parts of '${path || 'the model'}' (${keys.join(', ')}) is not in the file, and ` +
          `${layer.class_name ?? 'its class'} is not known: its weights cannot be matched with the optimizer's state. ` +
          `Give the order of model.trainable_variables as the option order: ${examples(file)}.`,
      );
    for (const key of ordered) {
      const part = config[key];
      const isContainer = containers.includes(key);
      const place = {
        group: inside(group, key),
        prefix: path,
        trainable: trained,
        isFree: isFree || hasFreeParts(layer),
      };
      if (Array.isArray(part)) list(part as LayerConfig[], place);
      else if (isContainer) visit({ config: { name: '' } }, place);
      else visit(partKnown(partOf(layer, key), key), place);
      const last = weights.findIndex(({ dataset }) => dataset === first);
      if (copied && last >= 0) weights[last] = { ...weights[last], copies: [copied] };
    }
  };

  /** Layers that share a group: named by their class, and numbered from the second of a class on. */
  const list = (layers: readonly LayerConfig[], place: Within): void => {
    for (const layer of layers) checkLayer(what, layer);
    const groups = (step: number) => {
      const used = new Map<string, number>();
      return layers.map((layer) => {
        const name = groupName(layer);
        const count = used.get(name) ?? 0;
        const group = `${place.group}/${count ? `${name}_${count}` : name}`;
        used.set(name, count + (holdsWeights(group) ? step : 1));
        return group;
      });
    };
    const doubled = groups(2);
    const isTwice =
      place.group.split('/').pop() === twice &&
      file
        .keys(place.group)
        .every((key) => !holdsWeights(`${place.group}/${key}`) || doubled.includes(`${place.group}/${key}`));
    for (const [k, group] of (isTwice ? doubled : groups(1)).entries())
      if (file.isGroup(group)) visit(layers[k], { ...place, group });
  };

  /** Without a config: layers of one class are in the order of their numbers. */
  const sameClass = (group: string, keys: readonly string[]): string[] | null => {
    const isList = containers.includes(group.split('/').pop() as string);
    const names = new Set(keys.map((key) => key.replace(/_\d+$/, '')));
    return isList && names.size === 1 ? byNumber(keys) : null;
  };

  /** Without a config: whether the shapes of a state tell their order, as no two parts have one in common. */
  const areDistinct = (group: string, keys: readonly string[]): boolean => {
    const shapes = keys.flatMap((key) => [
      ...new Set(file.datasetsBelow(inside(group, key)).map((path) => String(file.info(path).shape))),
    ]);
    return new Set(shapes).size === shapes.length;
  };

  if (model?.config?.trainable === false) return [];
  visit(model ?? {}, { group: '', prefix: '', trainable: true });
  const missed = file.datasetsBelow('').filter((path) => !seen.has(path) && !isAside(path));
  if (missed.length > 0 && !anyOrder && model !== null)
    throw new RangeError(
      `${what}: '${missed[0]}' in ${file.name} belongs to no layer of config.json; the order of the weights cannot be ` +
        `told. Give the order of model.trainable_variables as the option order: ${examples(file)}.`,
    );
  for (const dataset of missed) {
    const group = dataset.replace(/\/?vars\/\d+$/, '');
    const names = group.split('/').flatMap((key, k, keys) => {
      if (containers.includes(key)) return [];
      return [file.nameOf(`${keys.slice(0, k + 1).join('/')}/vars`) ?? key];
    });
    const class_name = (group.split('/').pop() as string).replace(/_\d+$/, '');
    const kind = kindOf({ class_name }, file.numbered(dataset.replace(/\/\d+$/, '')).length);
    const number = dataset.slice(dataset.lastIndexOf('/') + 1);
    const name = kind.weights[Number(number)] ?? number;
    weights.push({ path: [...names, name].join('/'), dataset, ...file.info(dataset) });
  }
  return weights;
}

function groupsWithWeights(file: Hdf5File): Set<string> {
  const groups = new Set<string>();
  for (const dataset of file.datasetsBelow('')) {
    if (isAside(dataset)) continue;
    for (let end = dataset.lastIndexOf('/'); end > 0; end = dataset.lastIndexOf('/', end - 1)) {
      const group = dataset.slice(0, end);
      if (groups.has(group)) break;
      groups.add(group);
    }
  }
  return groups;
}

/** A part whose config is not known: its class is told by its group's name where that is a class of Keras'. */
const partKnown = (part: LayerConfig, key: string): LayerConfig =>
  part.class_name || part.config ? part : { class_name: key.replace(/_\d+$/, '') };

const numberOf = (key: string) => Number(/_(\d+)$/.exec(key)?.[1] ?? 0);
const byNumber = (keys: readonly string[]) => [...keys].sort((a, b) => numberOf(a) - numberOf(b));

const examples = (file: Hdf5File): string => {
  const datasets = file.datasetsBelow('').filter((path) => !isAside(path));
  const shown = datasets.slice(0, 12).map((path) => `'${path}'`);
  return `paths as they should be called, or datasets (${shown.join(', ')}${datasets.length > 12 ? ', …' : ''})`;
};

/** Of a layer that is not known, or quantized. */
function refuseLora(what: string, path: string, { class_name: name, config }: LayerConfig): never {
  throw new RangeError(
    `${what}: '${path || config?.name}', a ${name}, has LoRA matrices (lora_rank ${config?.lora_rank}); these are known of ` +
      "Keras' Dense, EinsumDense, Embedding and Conv layers with a floating-point kernel only.",
  );
}
