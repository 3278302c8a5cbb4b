// Keras' form of an optimizer, `{ module, class_name, config, registered_name }`, which holds one within another, too.
import type { Optimizer } from './optimizer.js';
import { isBuiltIn, partsOf } from './parts.js';

/** Keras' form of an optimizer, as JSON. */
export interface SerializedOptimizer {
  /** Where Keras finds the class; not looked at. */
  module?: string | null;
  /** The class, in any case. */
  class_name: string;
  /** What `getConfig` gives. Default: nothing, and so all defaults. */
  config?: Record<string, unknown>;
  /** The name under which Keras knows a class that is not built in; not looked at. */
  registered_name?: string | null;
  /** What Keras' config has no place for. Keras and tfjs do not look at it. */
  simdescent?: {
    exclude_from_weight_decay?: { var_paths?: readonly string[]; var_names?: readonly string[] };
  };
}

interface Named {
  readonly name: string;
  readonly className: string;
}

export interface OptimizerClass extends Named {
  fromConfig(config: Record<string, unknown>, customObjects?: Record<string, unknown>): Optimizer;
}

/** A subclass is not its base: it goes by its own name, unless it says by `className` that it is one. */
export const nameOf = (type: Named): string =>
  Object.hasOwn(type, 'className') ? type.className : type.name;

/** Of an instance of this class. @throws Error for a class without a name */
export function serializedForm(
  type: Named,
  isOurs: boolean,
  config: Record<string, unknown>,
): SerializedOptimizer {
  const name = nameOf(type);
  if (!name)
    throw new Error(
      'An optimizer of a class without a name cannot be saved: give the class a name, or a static className.',
    );
  return {
    module: isOurs ? 'keras.optimizers' : null,
    class_name: name,
    config,
    registered_name: isOurs ? null : name,
  };
}

export function serializeOptimizer(optimizer: Optimizer): SerializedOptimizer {
  const type = optimizer.constructor as unknown as OptimizerClass;
  const exclusion = partsOf(optimizer).build.exclusion;
  return {
    ...serializedForm(type, isBuiltIn(optimizer), optimizer.getConfig()),
    ...(exclusion && { simdescent: { exclude_from_weight_decay: exclusion } }),
  };
}

/** @throws TypeError, RangeError for what `serializeOptimizer` would not have written */
export function restoreExclusion(optimizer: Optimizer, { simdescent }: SerializedOptimizer): Optimizer {
  const saved = simdescent?.exclude_from_weight_decay;
  if (saved) partsOf(optimizer).build.exclusion = saved;
  return optimizer;
}
