// keras.optimizers.get, serialize and deserialize: optimizers by name or by Keras' serialized form; and with that the
// public classes of those that are round others, whose configs have serialized optimizers within.
import { awaited, describe, isRecord, refuseMisspelt, suggestion } from '../basics/errors.js';
import { givenTwice, snakeCase } from '../basics/spelling.js';
import { Adadelta } from './adadelta.js';
import { Adafactor } from './adafactor.js';
import { Adagrad } from './adagrad.js';
import { Adam, AdamW } from './adam.js';
import { AdamMultilr } from './adam-multilr.js';
import { Adamax } from './adamax.js';
import { Ftrl } from './ftrl.js';
import { Lamb } from './lamb.js';
import { Lion } from './lion.js';
import { LossScaleOptimizer as LossScale } from './loss-scale.js';
import { MultiOptimizer as Multi } from './multi.js';
import { OptimizerMap as OptimizersByPath } from './multi-map.js';
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

// What wraps other optimizers: `fromConfig` is here, because only here the inner classes are known. It is not set on the
// classes where the rest of them is: bundlers would have to keep them.

type Config = Record<string, unknown>;
/** The class, or a subclass of the user's, which is made as ours is. */
type Maker<T> = new (...args: readonly unknown[]) => T;

/** One option of a config, in either spelling, and the others. @throws TypeError for what is no config */
function taken(className: string, config: unknown, name: string): [value: unknown, others: Config] {
  if (!isRecord(config))
    throw new TypeError(`fromConfig takes a config object, got ${describe(config)}.${awaited(config)}`);
  const key = snakeCase(name);
  if (config[name] !== undefined && config[key] !== undefined)
    throw givenTwice(`${className}.fromConfig`, name, key);
  const { [name]: camel, [key]: snake, ...others } = config;
  return [camel ?? snake, others];
}

/**
 * Dynamic loss scaling, as keras.optimizers.LossScaleOptimizer: a step whose gradients are all finite divides them
 * by the scale and goes to the inner optimizer; any other is skipped and halves the scale. Scale the loss with
 * `scaleLoss`. As in Keras the inner `lossScaleFactor` is switched off; one that is set afterwards divides once more.
 * The scale never reaches 0 or Infinity, from where Keras' would not come back and make NaN of every weight: a step that
 * would halve the smallest float32 throws, and one that would double the largest leaves it.
 */
export class LossScaleOptimizer extends LossScale {
  static override readonly name: string = 'LossScaleOptimizer';
  static override readonly className: string = 'LossScaleOptimizer';

  /** From Keras' JSON or from our own `getConfig`. `customObjects`: your own classes, by name. */
  static override fromConfig<T>(
    this: new (
      config: never,
    ) => T,
    config: Record<string, unknown>,
    customObjects: Record<string, unknown> = {},
  ): T {
    const modern = isRecord(config) ? modernLossScale(config) : config;
    const [inner, options] = taken('LossScaleOptimizer', modern, 'innerOptimizer');
    return new (this as unknown as Maker<T>)(get(inner as SerializedOptimizer, customObjects), options);
  }
}

/**
 * Optimizers by the paths of variables, as keras.optimizers.OptimizerMap. A key is a path, or a regular expression
 * that matches the whole of one. The path itself goes before patterns; two patterns that match are an error; without
 * any the default optimizer is taken.
 */
export class OptimizerMap extends OptimizersByPath {
  static override readonly name: string = 'OptimizerMap';

  /**
   * From Keras' JSON or from our own `getConfig`. `customObjects`: your own classes, by name.
   * @throws TypeError for what is no such config
   */
  static fromConfig<T>(
    this: new (
      defaultOptimizer: never,
    ) => T,
    config: Record<string, unknown>,
    customObjects: Record<string, unknown> = {},
  ): T {
    const [given, others] = taken('OptimizerMap', isRecord(config) ? config : {}, 'defaultOptimizer');
    const [map, rest] = taken('OptimizerMap', others, 'optimizerMap');
    const patterns = map ?? {};
    if (!given || !isRecord(patterns) || Object.keys(rest).length)
      throw new TypeError(
        `OptimizerMap.fromConfig takes { default_optimizer, optimizer_map }, got ${isRecord(config) ? `{ ${Object.keys(config).join(', ')} }` : describe(config)}.${awaited(config)}`,
      );
    const read = (inner: unknown) => get(inner as SerializedOptimizer, customObjects) as Optimizer;
    const entries = Object.entries(patterns).map(([key, inner]) => [key, read(inner)]);
    return new (this as unknown as Maker<T>)(read(given), Object.fromEntries(entries));
  }
}

/**
 * Several optimizers for the variables of one model, as keras.optimizers.MultiOptimizer: an OptimizerMap, or a function
 * of yours that is called with each variable at `build`, says which one steps it. Its state is that of the optimizers,
 * one after the other, and a counter of calls. A step is that of all optimizers or of none: one whose variables all
 * have no gradient is refused, as by the optimizer itself, or with `compat: 'torch'` left out. Weight decay exclusions
 * count besides the optimizers' own.
 */
export class MultiOptimizer extends Multi {
  static override readonly name: string = 'MultiOptimizer';
  static override readonly className: string = 'MultiOptimizer';

  /** From Keras' JSON or from our own `getConfig`. `customObjects`: your own classes, by name. */
  static override fromConfig<T>(
    this: new (
      config: never,
    ) => T,
    config: Record<string, unknown>,
    customObjects: Record<string, unknown> = {},
  ): T {
    const [map, options] = taken('MultiOptimizer', config, 'optimizerMap');
    return new (this as unknown as Maker<T>)(choiceFrom(map, customObjects), options);
  }
}

/** What a config of MultiOptimizer has for an OptimizerMap; anything else is the constructor's to refuse. */
function choiceFrom(given: unknown, customObjects: Record<string, unknown>): unknown {
  const { class_name: kind, config } = isRecord(given) ? given : {};
  if (kind === 'function' || kind === '__lambda__')
    throw new TypeError(
      'MultiOptimizer.fromConfig: optimizer_map is a function of Python, which cannot be read here; make it an OptimizerMap there.',
    );
  return config
    ? mapClass(kind, customObjects).fromConfig(config as Record<string, unknown>, customObjects)
    : given;
}

/** @throws RangeError for a class of the user's that `customObjects` does not have */
function mapClass(name: unknown, customObjects: Record<string, unknown>): typeof OptimizerMap {
  if (name === undefined || name === OptimizerMap.className) return OptimizerMap;
  const own = customObjects[String(name)] ?? customObjects[String(name).split('>').pop() as string];
  if (typeof own === 'function' && own.prototype instanceof OptimizerMap) return own as typeof OptimizerMap;
  throw new RangeError(
    `Unknown class '${name}' of an optimizer_map. Known: OptimizerMap; pass your own classes as customObjects.`,
  );
}

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
  LossScaleOptimizer,
  MultiOptimizer,
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
