// simdescent/jax: our optimizers for jax-js. Only public names; the work is in adapters/jax-*.ts.
import './index.js'; // as every entry point does: scripts/build.mjs
import { type JaxOptions, JaxTransformation } from './adapters/jax-transformation.js';
import type { Optimizer } from './optimizers/optimizer.js';

export type { Gpu } from './adapters/gpu.js';
export type { JaxOptions, JaxTransformation };

/**
 * One of our optimizers as an Optax-shaped gradient transformation: `init(params)`, `update(grads, state, params)`, and
 * `applyGradients(grads, state, params)`, which gives the parameters after the step. For one tree of parameters. With `{ gpu }` also `step(params, grads)`, in place on the WebGPU device; jax-js' rules of ownership hold: arguments are consumed, `.ref` keeps them.
 */
export function jaxOptimizer(optimizer: Optimizer, options?: JaxOptions): JaxTransformation {
  return new JaxTransformation(optimizer, options);
}
