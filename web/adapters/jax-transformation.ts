// One of our optimizers as jax-js takes it: an Optax-shaped pair of init and update over pytrees. Values pass
// through the engine and back into arrays of jax-js; what may be stepped in place is jax-device.ts.
import { numpy as np, tree } from '@jax-js/jax';
import { describe, refuseUnknown, warnOnce } from '../basics/errors.js';
import { ruleFacts } from '../engine/facts.js';
import { Optimizer } from '../optimizers/optimizer.js';
import type { OptimizerVariable } from '../state/entries.js';
import { copyToSlots, startsFromWeights } from '../step/slots.js';
import { Variable } from '../step/variable.js';
import type { Gpu } from './gpu.js';
import { DeviceSteps } from './jax-device.js';
import { checkLeaf, type JaxArray, pathsOf, type Tree } from './jax-tree.js';
import { executorOf, innermost } from './roster.js';

/** What `jaxOptimizer` takes beside the optimizer. */
export interface JaxOptions {
  /** For `step`: what `initWebGPU({ device: getWebGPUDevice() })` gave. */
  gpu?: Gpu;
}

type TreeDef = ReturnType<typeof tree.structure>;

/** Copies a leaf's values out, and gives up the reference that came with it. */
const take = (leaf: JaxArray): Float32Array => leaf.dataSync() as Float32Array;

/** An Optax-shaped gradient transformation. As everywhere in jax-js, arguments are consumed: keep with `.ref`. */
export class JaxTransformation {
  /** The class' name, also where its code was minified. */
  static readonly name: string = 'JaxTransformation';
  /** What was given, with its live properties. The state of the last update is in it; the one that counts is yours. */
  readonly optimizer: Optimizer;
  readonly #device: DeviceSteps | null;
  #variables: Variable[] = [];
  #structure: TreeDef | null = null;
  /** The state that the optimizer holds already, as it was given out. */
  #held: JaxArray | null = null;
  #initial: (number | Float32Array<ArrayBuffer>)[] = [];

  /** @throws TypeError for what is no optimizer */
  constructor(optimizer: Optimizer, options: JaxOptions = {}) {
    if (!(optimizer instanceof Optimizer))
      throw new TypeError(`jaxOptimizer takes an optimizer, such as new Adam(), got ${describe(optimizer)}.`);
    refuseUnknown('jaxOptimizer', options, ['gpu']);
    const { gpu } = options;
    if (optimizer.built)
      throw new Error(`The optimizer '${optimizer.name}' is built already; give the adapter a fresh one.`);
    this.optimizer = optimizer;
    this.#device = gpu ? new DeviceSteps(optimizer, gpu) : null;
    // Optax calls these detached, as in chain().
    this.init = this.init.bind(this);
    this.update = this.update.bind(this);
  }

  /** The state of parameters that have not been stepped yet: a list of arrays. Consumes `params`. */
  init(params: Tree): JaxArray[] {
    const [leaves, structure] = tree.flatten<JaxArray>(params);
    if (!this.#structure && this.optimizer.built)
      throw new Error('init: this transformation was begun with step(); use a fresh one.');
    if (!this.#structure) {
      const paths = pathsOf(params);
      leaves.forEach((leaf, k) => {
        checkLeaf('init', leaf, { path: paths[k], shape: leaf.shape });
      });
      const made: Variable[] = [];
      try {
        leaves.forEach(({ shape, size }, k) => {
          made.push(new Variable(size, { path: paths[k], name: paths[k].split('/').pop(), shape }));
        });
        this.optimizer.build(made);
      } catch (error) {
        for (const variable of made) variable.dispose();
        throw error;
      }
      this.#variables = made;
      this.#initial = this.#values();
      this.#structure = structure;
    } else {
      this.#checkTree('init', leaves, structure);
    }
    const device = leaves[0]?.device;
    const initial = this.#initialOf(leaves);
    tree.dispose(params);
    return this.#state(initial, device);
  }

  /**
   * What to add to the parameters (optax.applyUpdates), and the next state. Consumes all three; `params` are only
   * needed with weight decay, with moving averages, and by Ftrl, Lamb and ScheduleFreeAdamW.
   */
  update(grads: Tree, state: readonly JaxArray[], params?: Tree): [updates: Tree, state: JaxArray[]] {
    const [leaves, structure] = tree.flatten<JaxArray>(grads);
    this.#checkTree('update', leaves, structure);
    const { weightDecay, useEma } = innermost(this.optimizer);
    const { rule } = executorOf(this.optimizer);
    const needed = weightDecay !== null || useEma || ruleFacts(rule).usesWeights;
    if (needed && params === undefined)
      throw new TypeError(
        `update: params are needed with weightDecay or useEma, and by some rules ('${rule}'): update(grads, state, params.ref).`,
      );
    const weights = params === undefined ? [] : tree.leaves<JaxArray>(params);
    if (params !== undefined) this.#checkTree('update', weights, tree.structure(params));
    this.#checkState(state);
    const device = leaves[0]?.device;
    if (device === 'webgpu')
      warnOnce(
        'simdescent/jax: update() reads gradients back from the GPU and uploads the result; step() works on the GPU, in place.',
      );
    this.#load(state);
    // From zeros the step itself comes out, to the last bit; where the values matter, a difference.
    const before = needed ? weights.map(take) : [];
    if (!needed) tree.dispose(params as Tree);
    this.#variables.forEach((variable, k) => {
      if (needed) variable.assign(before[k]);
      else variable.value.fill(0);
    });
    this.optimizer.apply(leaves.map(take));
    const updates = this.#variables.map((variable, k) => {
      const values = new Float32Array(variable.value);
      if (needed) for (let i = 0; i < values.length; i++) values[i] -= before[k][i];
      return np.array(values, { shape: [...variable.shape], device });
    });
    const next = this.#state(this.#values(), device);
    this.#held = next[0];
    return [tree.unflatten(structure, updates), next];
  }

  /**
   * One step in place, for arrays on the WebGPU device; nothing is read back, and the state stays with the optimizer
   * (`readState`, `loadState`). Consumes `grads`; `params` stay yours and are the same arrays at every step. Arrays
   * that share a buffer with one of them, such as a reshape that jax-js has not computed, change with it.
   */
  step(params: Tree, grads: Tree): void {
    if (!this.#device)
      throw new Error(
        'step needs the GPU: jaxOptimizer(optimizer, { gpu }) with gpu = await initWebGPU({ device: getWebGPUDevice() }).',
      );
    if (this.#structure)
      throw new Error('step: this transformation was begun with init(); use update(), or a fresh one.');
    this.#device.step(params, grads);
  }

  /** Frees what the engine holds. States and parameters are yours. */
  dispose(): void {
    this.optimizer.dispose();
    for (const variable of this.#variables) variable.dispose();
  }

  /** All state but the learning rate, which stays settable. */
  #stateVariables(): OptimizerVariable[] {
    return this.optimizer.variables.filter(({ path }) => !path.endsWith('/learning_rate'));
  }

  #values(): (number | Float32Array<ArrayBuffer>)[] {
    return this.#stateVariables().map(({ value }) =>
      typeof value === 'number' ? value : new Float32Array(value),
    );
  }

  /** The state that these parameters begin with. */
  #initialOf(leaves: readonly JaxArray[]): (number | Float32Array<ArrayBuffer>)[] {
    const executor = executorOf(this.optimizer);
    if (!startsFromWeights(executor.rule)) return this.#initial;
    this.#held = null;
    this.#put(this.#initial);
    executor.targets.forEach((target, k) => {
      this.#variables[k].assign(take(leaves[k].ref));
      copyToSlots(executor, target);
    });
    return this.#values();
  }

  #state(
    values: readonly (number | Float32Array<ArrayBuffer>)[],
    device: JaxArray['device'] | undefined,
  ): JaxArray[] {
    const variables = this.#stateVariables();
    return values.map((value, k) =>
      typeof value === 'number'
        ? np.array(value, { dtype: variables[k].dtype as never, device })
        : np.array(value, { shape: [...variables[k].shape], device }),
    );
  }

  /** Consumes a state; the optimizer has it afterwards. */
  #load(state: readonly JaxArray[]): void {
    const held = this.#held;
    this.#held = null;
    if (state[0] === held) {
      for (const array of state) array.dispose();
      return;
    }
    this.#put(state.map((array) => array.dataSync() as ArrayLike<number>));
  }

  #put(values: readonly (number | ArrayLike<number>)[]): void {
    let k = 0;
    this.optimizer.setWeights(
      this.optimizer.variables.map(({ path, value }) =>
        path.endsWith('/learning_rate') ? value : values[k++],
      ),
    );
  }

  #checkTree(what: string, leaves: readonly JaxArray[], structure: TreeDef): void {
    if (!this.#structure) throw new Error(`${what}: call init(params) first.`);
    if (String(structure) !== String(this.#structure))
      throw new RangeError(`${what}: the tree is ${structure}, and was ${this.#structure} at init.`);
    leaves.forEach((leaf, k) => {
      checkLeaf(what, leaf, this.#variables[k]);
    });
  }

  #checkState(state: readonly JaxArray[]): void {
    const variables = this.#stateVariables();
    if (!Array.isArray(state) || state.length !== variables.length)
      throw new RangeError(`update: the state has ${variables.length} arrays, got ${describe(state)}.`);
    variables.forEach(({ path, shape }, k) => {
      if (String(state[k].shape) !== String(shape))
        throw new RangeError(`update: the state's '${path}' has shape [${shape}], got [${state[k].shape}].`);
    });
  }
}
