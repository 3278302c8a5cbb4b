// keras.optimizers.get, serialize and deserialize: optimizers by name or by Keras' serialized form.
import { awaited, describe, isRecord, refuseMisspelt, suggestion } from '../basics/errors.js';
import { Adadelta } from './adadelta.js';
import { Adafactor } from './adafactor.js';
import { Adagrad } from './adagrad.js';
import { Adam, AdamW } from './adam.js';
import { AdamMultilr } from './adam-multilr.js';
import { Adamax } from './adamax.js';
import { Ftrl } from './ftrl.js';
import { Lamb } from './lamb.js';
import { Lion } from './lion.js';
import { LossScaleOptimizer, type LossScaleOptions } from './loss-scale.js';
import { MultiOptimizer, type MultiOptimizerOptions } from './multi.js';
import { type OptimizerChoice, OptimizerMap } from './multi-map.js';
import { Muon } from './muon.js';
import { Nadam, RAdam } from './nadam.js';
import { modernLossScale, modernName, optimizerWithin } from './older-configs.js';
import { Optimizer } from './optimizer.js';
import { RMSprop } from './rmsprop.js';
import { ScheduleFreeAdamW } from './schedule-free.js';
import {
  nameOf,
  type OptimizerClass,
  restoreExclusion,
  type SerializedOptimizer,
  serializeOptimizer,
} from './serialized.js';
import { SGD } from './sgd.js';

export type { SerializedOptimizer } from './serialized.js';

/** The wrapper is read here and not by its own fromConfig: only here are the inner classes known. */
const lossScale: OptimizerClass = {
  name: LossScaleOptimizer.className,
  className: LossScaleOptimizer.className,
  fromConfig(config, customObjects) {
    if (!isRecord(config))
      throw new TypeError(`fromConfig takes a config object, got ${describe(config)}.${awaited(config)}`);
    const { inner_optimizer, innerOptimizer, ...options } = modernLossScale(config);
    const inner = get((inner_optimizer ?? innerOptimizer) as SerializedOptimizer, customObjects);
    return new LossScaleOptimizer(inner as Optimizer, options as LossScaleOptions);
  },
};
LossScaleOptimizer.fromConfig = lossScale.fromConfig as typeof LossScaleOptimizer.fromConfig;

/** The same of an OptimizerMap and what has one. @throws TypeError for what is no such config */
OptimizerMap.fromConfig = (config, customObjects) => {
  const known = isRecord(config) ? config : {};
  const { default_optimizer, defaultOptimizer, optimizer_map, optimizerMap, ...rest } = known;
  const given = default_optimizer ?? defaultOptimizer;
  const patterns = optimizer_map ?? optimizerMap ?? {};
  if (!given || !isRecord(patterns) || Object.keys(rest).length)
    throw new TypeError(
      `OptimizerMap.fromConfig takes { default_optimizer, optimizer_map }, got ${isRecord(config) ? `{ ${Object.keys(config).join(', ')} }` : describe(config)}.${awaited(config)}`,
    );
  const read = (inner: unknown) => get(inner as SerializedOptimizer, customObjects) as Optimizer;
  const entries = Object.entries(patterns).map(([key, inner]) => [key, read(inner)]);
  return new OptimizerMap(read(given), Object.fromEntries(entries));
};

const multi: OptimizerClass = {
  name: MultiOptimizer.className,
  className: MultiOptimizer.className,
  fromConfig(config, customObjects) {
    if (!isRecord(config))
      throw new TypeError(`fromConfig takes a config object, got ${describe(config)}.${awaited(config)}`);
    const { optimizer_map, optimizerMap, ...options } = config;
    const given = (optimizer_map ?? optimizerMap) as OptimizerChoice | Partial<SerializedOptimizer> | null;
    const { class_name: kind } = isRecord(given) ? given : {};
    if (kind === 'function' || kind === '__lambda__')
      throw new TypeError(
        'MultiOptimizer.fromConfig: optimizer_map is a function of Python, which cannot be read here; make it an OptimizerMap there.',
      );
    const isMap = typeof given === 'object' && !(given instanceof OptimizerMap) && given?.config;
    const map = isMap ? OptimizerMap.fromConfig(isMap, customObjects) : (given as OptimizerChoice);
    return new MultiOptimizer(map, options as MultiOptimizerOptions);
  },
};
MultiOptimizer.fromConfig = multi.fromConfig as typeof MultiOptimizer.fromConfig;

const classes: readonly OptimizerClass[] = [
  SGD,
  RMSprop,
  Adam,
  AdamW,
  Adamax,
  Adagrad,
  Adadelta,
  Nadam,
  Ftrl,
  Lamb,
  Adafactor,
  Muon,
  Lion,
  ScheduleFreeAdamW,
  RAdam,
  AdamMultilr,
  lossScale,
  multi,
];

/**
 * Keras' form, and beside it, where Keras does not look, what is excluded from weight decay: by path and by pattern.
 * `getConfig` alone has no place for that.
 */
export function serialize(optimizer: Optimizer): SerializedOptimizer {
  if (!(optimizer instanceof Optimizer))
    throw new TypeError(`optimizers.serialize takes an optimizer, got ${describe(optimizer)}.`);
  return serializeOptimizer(optimizer);
}

/**
 * Excluded variables come back with it: see `serialize`.
 * @param customObjects classes that are not built in, optimizers or schedules, by name; they come before ours.
 */
export function deserialize(
  config: SerializedOptimizer,
  customObjects: Record<string, unknown> = {},
): Optimizer {
  if (isRecord(config) && config.class_name === undefined)
    config = optimizerWithin(config as unknown as Record<string, unknown>) as SerializedOptimizer;
  if (!isRecord(config) || typeof config.class_name !== 'string')
    throw new TypeError(
      `optimizers.deserialize takes { class_name, config }, got ${describe(config)}.${awaited(config)}`,
    );
  refuseMisspelt('optimizers.deserialize', config);
  if (!isRecord(customObjects))
    throw new TypeError(
      `optimizers.deserialize: customObjects must be an object of classes by name, got ${describe(customObjects)}.`,
    );
  const name = modernName(config.class_name);
  const own = Object.entries(customObjects).filter(([, c]) => isOptimizerClass(c)) as [
    string,
    OptimizerClass,
  ][];
  const known = [
    ...own,
    ...own.map(([, c]) => [nameOf(c).split('>').pop() as string, c] as const),
    ...classes.map((c) => [c.className, c] as const),
  ];
  const found = known.find(([known]) => known.toLowerCase() === name.toLowerCase())?.[1];
  if (!found) {
    const names = [...new Set(known.map(([known]) => known))];
    throw new RangeError(
      `Unknown optimizer '${name}'.${suggestion(name, names)} Known: ${names.join(', ')}; pass your own classes as customObjects.`,
    );
  }
  return restoreExclusion(found.fromConfig(config.config ?? {}, customObjects), config);
}

function isOptimizerClass(value: unknown): boolean {
  return typeof value === 'function' && value.prototype instanceof Optimizer;
}

/** An optimizer from itself, from its name in any case, or from its serialized form; null from null. */
export function get(
  identifier: Optimizer | string | SerializedOptimizer | null | undefined,
  customObjects: Record<string, unknown> = {},
): Optimizer | null {
  if (identifier === null || identifier === undefined) return null;
  if (identifier instanceof Optimizer) return identifier;
  if (typeof identifier === 'string')
    return deserialize({ class_name: identifier, config: {} }, customObjects);
  if (typeof identifier === 'object') return deserialize(identifier, customObjects);
  throw new TypeError(
    `optimizers.get takes an optimizer, a name or { class_name, config }, got ${describe(identifier)}.`,
  );
}
