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
import { Nadam, RAdam } from './nadam.js';
import { modernLossScale, modernName, optimizerWithin } from './older-configs.js';
import { Optimizer } from './optimizer.js';
import { RMSprop } from './rmsprop.js';
import { ScheduleFreeAdamW } from './schedule-free.js';
import { SGD } from './sgd.js';

/** Keras' form of an optimizer: `{ module, class_name, config, registered_name }`. */
export interface SerializedOptimizer {
  module?: string | null;
  class_name: string;
  config?: Record<string, unknown>;
  registered_name?: string | null;
}

interface OptimizerClass {
  readonly className: string;
  fromConfig(config: Record<string, unknown>, customObjects?: Record<string, unknown>): Optimizer;
}

/** The wrapper is read here and not by its own fromConfig: only here are the inner classes known. */
const lossScale: OptimizerClass = {
  className: LossScaleOptimizer.className,
  fromConfig(config, customObjects) {
    const { inner_optimizer, innerOptimizer, ...options } = modernLossScale(config);
    const inner = get((inner_optimizer ?? innerOptimizer) as SerializedOptimizer, customObjects);
    return new LossScaleOptimizer(inner as Optimizer, options as LossScaleOptions);
  },
};
LossScaleOptimizer.fromConfig = lossScale.fromConfig as typeof LossScaleOptimizer.fromConfig;

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
];

export function serialize(optimizer: Optimizer): SerializedOptimizer {
  if (!(optimizer instanceof Optimizer))
    throw new TypeError(`optimizers.serialize takes an optimizer, got ${describe(optimizer)}.`);
  return {
    module: 'keras.optimizers',
    class_name: (optimizer.constructor as typeof Optimizer).className,
    config: optimizer.getConfig(),
    registered_name: null,
  };
}

/** @param customObjects classes that are not built in, optimizers or schedules, by name. */
export function deserialize(
  config: SerializedOptimizer,
  customObjects: Record<string, unknown> = {},
): Optimizer {
  if (typeof config === 'object' && config !== null && config.class_name === undefined)
    config = optimizerWithin(config as unknown as Record<string, unknown>) as SerializedOptimizer;
  if (typeof config !== 'object' || config === null || typeof config.class_name !== 'string')
    throw new TypeError(`optimizers.deserialize takes { class_name, config }, got ${describe(config)}.`);
  const name = modernName(config.class_name);
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
