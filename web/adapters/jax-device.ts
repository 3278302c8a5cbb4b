// Arrays of jax-js on its WebGPU device, stepped in place: their buffers are wrapped, and gradients are read where
// jax-js computed them. jax-js itself says that nobody should write to its buffers; what that means is in step().
import { tree } from '@jax-js/jax';
import { describe } from '../basics/errors.js';
import type { Optimizer } from '../optimizers/optimizer.js';
import type { Variable } from '../step/variable.js';
import type { Gpu } from './gpu.js';
import { checkLeaf, type JaxArray, pathsOf, type Tree } from './jax-tree.js';

type Buffer = Parameters<Gpu['wrap']>[0];

export class DeviceSteps {
  readonly #optimizer: Optimizer;
  readonly #gpu: Gpu;
  #arrays: JaxArray[] = [];
  #variables: Variable[] = [];

  constructor(optimizer: Optimizer, gpu: Gpu) {
    this.#optimizer = optimizer;
    this.#gpu = gpu;
  }

  step(params: Tree, grads: Tree): void {
    const arrays = tree.leaves<JaxArray>(params);
    if (this.#optimizer.skipNonFinite)
      throw new Error(
        'step: skipNonFinite has to wait for the GPU, and step does not; leave it off, or use update.',
      );
    if (this.#arrays.length === 0) this.#begin(arrays, pathsOf(params));
    const other = this.#arrays.findIndex((array, k) => array !== arrays[k]);
    if (other >= 0 || arrays.length !== this.#arrays.length)
      throw new Error('step: params must be the arrays of the first step; they are updated in place.');
    const gradients = tree.leaves<JaxArray>(grads);
    if (String(tree.structure(grads)) !== String(tree.structure(params)))
      throw new RangeError(
        `step: grads is the tree ${tree.structure(grads)}, params ${tree.structure(params)}.`,
      );
    gradients.forEach((gradient, k) => {
      checkLeaf('step', gradient, this.#variables[k]);
    });
    // Kept until the commands are on their way: a buffer may be destroyed with its last reference.
    const buffers = gradients.map((gradient) => ({ buffer: bufferOf(gradient), offset: 0 }));
    this.#optimizer.apply(buffers as never);
    tree.dispose(grads);
  }

  #begin(arrays: readonly JaxArray[], paths: readonly string[]): void {
    arrays.forEach((array, k) => {
      checkLeaf('step', array, { path: paths[k], shape: array?.shape });
      if (array.device !== 'webgpu')
        throw new TypeError(
          `step works in place, on jax-js' WebGPU device; '${paths[k]}' is on '${array.device}': use init and update.`,
        );
    });
    const variables = arrays.map((array, k) => {
      const shape = [...array.shape];
      const name = paths[k].split('/').pop();
      return this.#gpu.wrap(bufferOf(array), { path: paths[k], name, shape, offset: 0 });
    });
    this.#optimizer.build(variables);
    this.#arrays = [...arrays];
    this.#variables = variables;
  }
}

/** The live buffer of an array, with everything computed that it waits for. The reference stays. */
function bufferOf(array: JaxArray): Buffer {
  if (typeof array.gpuBufferSync !== 'function')
    throw new TypeError(`step takes arrays on the WebGPU device, got ${describe(array)}.`);
  return array.ref.gpuBufferSync() as unknown as Buffer;
}
