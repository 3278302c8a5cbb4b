// The weights of `.h5` files of whole models, or of weights alone, as Keras 2 wrote them and Keras 3 still does: layers
// in the model's order, in each its trained weights and then the others, all by name.
import { type Hdf5File, slashed } from './hdf5.js';
import { checkLayer, constraintOf, kindOf, type LayerConfig } from './layers.js';
import { isAdapted, loraOf } from './lora.js';
import type { Weight } from './weights.js';

/** Layers of a model, and those within them, each with its flag: the innermost that is written counts. */
function* layersOf(
  what: string,
  layer: LayerConfig,
  trainable: boolean,
): Generator<{ layer: LayerConfig; trained: boolean }> {
  checkLayer(what, layer);
  const { config = {} } = layer;
  const trained = typeof config.trainable === 'boolean' ? config.trainable : trainable;
  yield { layer, trained };
  const layers = Array.isArray(config) ? config : config.layers;
  if (Array.isArray(layers)) for (const inner of layers) yield* layersOf(what, inner as LayerConfig, trained);
  for (const key of ['layer', 'forward_layer', 'backward_layer', 'cell'])
    if (typeof config[key] === 'object' && config[key] !== null)
      yield* layersOf(what, config[key] as LayerConfig, trained);
}

const nameOf = ({ config }: LayerConfig) => config?.name;
const frozenNames = /^(moving_(mean|variance|stddev)|renorm_\w+|vector_u|sn_u|seed_generator_state)$/;

export const isLegacy = (file: Hdf5File): boolean =>
  file.isGroup('model_weights') || file.texts('', 'layer_names') !== undefined;

export function legacyWeights(what: string, file: Hdf5File, model: LayerConfig | null): Weight[] {
  const root = file.isGroup('model_weights') ? 'model_weights/' : '';
  const names = file.texts(root.slice(0, -1), 'layer_names') ?? [];
  const weights: Weight[] = [];
  const seen = new Set<string>();
  const paths = new Set<string>();
  if (model) checkLayer(what, model);
  const { config = {} } = model ?? {};
  const listed = Array.isArray(config) ? config : config.layers;
  const layers = (Array.isArray(listed) ? listed : []) as LayerConfig[];
  for (const layer of layers) checkLayer(what, layer);
  const isTrainable = config.trainable !== false;

  const read = (name: string, layer: LayerConfig | undefined) => {
    const group = slashed(`${root}${name}`);
    const within = layer ? [...layersOf(what, layer, isTrainable)] : [];
    for (const saved of file.texts(group, 'weight_names') ?? []) {
      const dataset = slashed(`${group}/${saved}`);
      if (!file.isDataset(dataset))
        throw new RangeError(`${what}: the file lists '${dataset}', and has no such weight.`);
      seen.add(dataset);
      const parts = saved.replace(/:0$/, '').split('/');
      const last = parts.pop() as string;
      const owner =
        parts
          .reverse()
          .reduce<(typeof within)[number] | undefined>(
            (found, part) => found ?? within.find((inner) => nameOf(inner.layer) === part),
            undefined,
          ) ?? within[0];
      const kind = owner ? kindOf(owner.layer) : undefined;
      if ((owner && !owner.trained) || kind?.frozen?.includes(last) || frozenNames.test(last)) continue;
      if (owner && loraOf(owner.layer) && isAdapted(last)) continue; // here its matrices are in the file
      const short = saved.replace(/:0$/, '');
      const path = paths.has(short) ? `${name}/${short}` : short;
      paths.add(path);
      weights.push({
        path,
        dataset,
        ...file.info(dataset),
        constraint: owner && constraintOf(owner.layer, last),
        doubt: kind?.isKnown ? undefined : { unit: group, kind: 'tail' },
      });
    }
  };

  for (const name of names)
    read(
      name,
      layers.find((layer) => nameOf(layer) === name),
    );
  if (file.isGroup(`${root}top_level_model_weights`)) read('top_level_model_weights', undefined);
  const missed = file
    .datasetsBelow(root.slice(0, -1))
    .find((path) => !seen.has(path) && !path.startsWith('optimizer_weights/'));
  if (missed)
    throw new RangeError(
      `${what}: '${missed}' in the file is listed by no layer; the weights cannot be told.`,
    );
  return weights;
}
