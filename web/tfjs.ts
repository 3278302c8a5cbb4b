// simdescent/tfjs: our optimizers for models of TensorFlow.js. Only public names and their types; the work is in
// adapters/tfjs-*.ts.
import './index.js'; // as every entry point does: scripts/build.mjs
import type * as tf from '@tensorflow/tfjs-core';
import {
  registerOptimizer as register,
  TfOptimizer,
  type TfOptimizerOptions,
} from './adapters/tfjs-optimizer.js';
import type { Optimizer } from './optimizers/optimizer.js';

export type { TfNamespace } from './adapters/tfjs-engine.js';
export type { TfOptimizer, TfOptimizerOptions };

/** A `tf.Optimizer`, with the optimizer that was given as its property `optimizer`. */
export type TfjsOptimizer = tf.Optimizer & TfOptimizer;

/**
 * One of our optimizers for `model.compile({ optimizer })` and for loops of your own: `minimize`, `applyGradients`.
 * It steps variables in place, where their backend keeps them.
 */
export function tfOptimizer(optimizer: Optimizer, options?: TfOptimizerOptions): TfjsOptimizer {
  return new TfOptimizer(optimizer, options) as unknown as TfjsOptimizer;
}

/** Lets `tf.loadLayersModel` load models that were saved with one of our optimizers. Once per copy of tfjs. */
export const registerOptimizer: (namespace: TfjsClasses) => void = register as never;

/** The namespace of tfjs, or of tfjs-core, as far as `registerOptimizer` looks at it. */
export interface TfjsClasses {
  /** Tells it from other objects. */
  engine(): unknown;
  /** Where classes are registered. */
  serialization?: object;
}
