// keras.optimizers.get, serialize and deserialize: optimizers by name or by Keras' serialized form.
import { describe, suggestion } from '../basics/errors.js';
import { Adadelta } from './adadelta.js';
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
import { Nadam, RAdam } from './nadam.js';
import { Optimizer } from './optimizer.js';
import { RMSprop } from './rmsprop.js';
import { ScheduleFreeAdamW } from './schedule-free.js';
import { type SerializedOptimizer, serialized } from './serialized.js';
import { SGD } from './sgd.js';

interface OptimizerClass {
  readonly className: string;
  fromConfig(config: Record<string, unknown>, customObjects?: Record<string, unknown>): Optimizer;
}

/** The wrapper is read here and not by its own fromConfig: only here are the inner classes known. */
const lossScale: OptimizerClass = {
  className: LossScaleOptimizer.className,
  fromConfig({ inner_optimizer, innerOptimizer, ...options }, customObjects) {
    const inner = get((inner_optimizer ?? innerOptimizer) as SerializedOptimizer, customObjects);
    return new LossScaleOptimizer(inner as Optimizer, options as LossScaleOptions);
  },
};
LossScaleOptimizer.fromConfig = lossScale.fromConfig as typeof LossScaleOptimizer.fromConfig;

/** The same of an OptimizerMap and what has one. @throws TypeError for what is no such config */
OptimizerMap.fromConfig = (config, customObjects) => {
  const { default_optimizer, defaultOptimizer, optimizer_map, optimizerMap, ...rest } = config ?? {};
  const given = default_optimizer ?? defaultOptimizer;
  const patterns = optimizer_map ?? optimizerMap ?? {};
  if (!given || typeof patterns !== 'object' || Array.isArray(patterns) || Object.keys(rest).length)
    throw new TypeError(
      `OptimizerMap.fromConfig takes { default_optimizer, optimizer_map }, got ${config ? `{ ${Object.keys(config).join(', ')} }` : describe(config)}.`,
    );
  const read = (inner: unknown) => get(inner as SerializedOptimizer, customObjects) as Optimizer;
  const entries = Object.entries(patterns).map(([key, inner]) => [key, read(inner)]);
  return new OptimizerMap(read(given), Object.fromEntries(entries));
};

const multi: OptimizerClass = {
  className: MultiOptimizer.className,
  fromConfig({ optimizer_map, optimizerMap, ...options }, customObjects) {
    const given = (optimizer_map ?? optimizerMap) as OptimizerChoice | Partial<SerializedOptimizer> | null;
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
  Lion,
  ScheduleFreeAdamW,
  RAdam,
  AdamMultilr,
  lossScale,
  multi,
];

export function serialize(optimizer: Optimizer): SerializedOptimizer {
  if (!(optimizer instanceof Optimizer))
    throw new TypeError(`optimizers.serialize takes an optimizer, got ${describe(optimizer)}.`);
  return serialized(optimizer);
}

/** @param customObjects classes that are not built in, optimizers or schedules, by name. */
export function deserialize(
  config: SerializedOptimizer,
  customObjects: Record<string, unknown> = {},
): Optimizer {
  if (typeof config !== 'object' || config === null || typeof config.class_name !== 'string')
    throw new TypeError(`optimizers.deserialize takes { class_name, config }, got ${describe(config)}.`);
  const name = config.class_name.split('>').pop() as string;
  const known = [...classes, ...(Object.values(customObjects) as OptimizerClass[]).filter(isOptimizerClass)];
  const found = known.find((c) => c.className.toLowerCase() === name.toLowerCase());
  if (!found) {
    const names = known.map((c) => c.className);
    throw new RangeError(
      `Unknown optimizer '${name}'.${suggestion(name, names)} Known: ${names.join(', ')}.`,
    );
  }
  return found.fromConfig(config.config ?? {}, customObjects);
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
