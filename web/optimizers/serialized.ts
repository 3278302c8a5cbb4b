// Keras' serialized form of an optimizer, written. It is read in registry.ts, where all classes are known.

import type { Optimizer } from './optimizer.js';

/** Keras' form of an optimizer: `{ module, class_name, config, registered_name }`. */
export interface SerializedOptimizer {
  module?: string | null;
  class_name: string;
  config?: Record<string, unknown>;
  registered_name?: string | null;
}

/** Of an optimizer, or of what else has a class and a config. @throws Error for a function that no config can hold */
export function serialized(object: Pick<Optimizer, 'getConfig'>): SerializedOptimizer {
  return {
    module: 'keras.optimizers',
    class_name: (object.constructor as typeof Optimizer).className,
    config: object.getConfig(),
    registered_name: null,
  };
}
