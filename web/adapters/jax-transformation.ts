// One of our optimizers as jax-js takes it: an Optax-shaped pair of init and update over pytrees. Values pass
// through the engine and back into arrays of jax-js; what may be stepped in place is jax-device.ts.
import { numpy as np, tree } from '@jax-js/jax';
import { describe, refuseUnknown, warnOnce } from '../basics/errors.js';
import { ruleFacts } from '../engine/facts.js';
import { Optimizer } from '../optimizers/optimizer.js';
import { partsOf } from '../optimizers/parts.js';
import { copyOf, type OptimizerVariable } from '../state/entries.js';
import { copyToSlots, startsFromWeights } from '../step/slots.js';
import { Variable } from '../step/variable.js';
import type { Gpu } from './gpu.js';
import { DeviceSteps } from './jax-device.js';
import { HeldState } from './jax-state.js';
import { checkAlive, checkLeaf, type JaxArray, pathsOf, type Tree } from './jax-tree.js';
import { executorOf, innermost } from './roster.js';

/** What `jaxOptimizer` takes beside the optimizer. */
export interface JaxOptions {
  /** For `step`: what `initWebGPU({ device: getWebGPUDevice() })` gave. */
  gpu?: Gpu | undefined;
}

interface ArrayFacts {
  readonly shape: readonly number[];
  readonly dtype?: string;
}

type TreeDef = ReturnType<typeof tree.structure>;

type Device = JaxArray['device'] | undefined;
type Value = number | Float32Array;

/** A copy of a leaf's values. The reference stays. */
const read = (leaf: JaxArray): Float32Array => leaf.ref.dataSync() as Float32Array;

/** State that goes in and out is arrays of float32: bfloat16 is the same number there, int8 is quantized anew. @throws RangeError */
function refuseInt8(optimizer: Optimizer): void {
  if (partsOf(innermost(optimizer)).options.values.stateDtype.dtype === 'int8')
    throw new RangeError(
      `The optimizer '${optimizer.name}' has stateDtype 'int8', and the state of init and update is arrays of jax-js, which are ` +
        "float32 and would be quantized anew at every step; take 'bfloat16', or give the option gpu and call step().",
    );
}

/** A copy in jax-js' memory, straight from the engine's. */
function arrayOf(value: Value, { shape, dtype }: ArrayFacts, device: Device): JaxArray {
  if (typeof value === 'number') return np.array(value, { dtype: dtype as never, device });
  if (value.length === 0) return np.zeros([...shape], { device }); // np.array looks at the first element
  return np.array(value as Float32Array<ArrayBuffer>, { shape: [...shape], device });
}

/** An Optax-shaped gradient transformation. As everywhere in jax-js, arguments are consumed: keep with `.ref`. */
export class JaxTransformation {
  /** The class' name, also where its code was minified. */
  static readonly name: string = 'JaxTransformation';
  /**
   * What was given, with its live properties. The state of the last update is in it; the one that counts is yours. To
   * save one, look at its arrays or, as long as it is the last, use `optimizer.serializeState()`.
   */
  readonly optimizer: Optimizer;
  readonly #device: DeviceSteps | null;
  #variables: Variable[] = [];
  #structure: TreeDef | null = null;
  /** All state but the learning rate, which stays settable. */
  #stateVariables: readonly OptimizerVariable[] = [];
  #initial: Value[] = [];
  /** Built, and the first state not given out yet. */
  #isFresh = false;
  /** The state that the engine has, as it was given out. */
  #held: HeldState | null = null;
  /** The parameters that the engine has, as they were given out: arrays of jax-js never change. */
  #heldWeights: readonly JaxArray[] = [];

  /** @throws TypeError for what is no optimizer */
  constructor(optimizer: Optimizer, options: JaxOptions = {}) {
    if (!(optimizer instanceof Optimizer))
      throw new TypeError(`jaxOptimizer takes an optimizer, such as new Adam(), got ${describe(optimizer)}.`);
    refuseUnknown('jaxOptimizer', options, ['gpu']);
    const { gpu } = options;
    if (optimizer.built)
      throw new Error(`The optimizer '${optimizer.name}' is built already; give the adapter a fresh one.`);
    if (!gpu) refuseInt8(optimizer);
    this.optimizer = optimizer;
    this.#device = gpu ? new DeviceSteps(optimizer, gpu) : null;
    // Optax calls these detached, as in chain().
    this.init = this.init.bind(this);
    this.update = this.update.bind(this);
    this.applyGradients = this.applyGradients.bind(this);
  }

  /** The state of parameters that have not been stepped yet: a list of arrays. Consumes `params`. */
  init(params: Tree): JaxArray[] {
    const [leaves, structure] = tree.flatten<JaxArray>(params);
    if (!this.#structure && this.optimizer.built)
      throw new Error('init: this transformation was begun with step(); use a fresh one.');
    if (!this.#structure) {
      refuseInt8(this.optimizer);
      const paths = pathsOf(params);
      leaves.forEach((leaf, k) => {
        checkLeaf('init', leaf, { path: paths[k], shape: leaf?.shape });
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
      this.#isFresh = true;
      this.#stateVariables = this.optimizer.variables.filter(({ path }) => !path.endsWith('/learning_rate'));
      this.#initial = this.#values().map(copyOf);
      this.#structure = structure;
    } else {
      this.#checkTree('init', leaves, structure);
    }
    const device = leaves[0]?.device;
    const state = this.#begin(leaves) ? this.#give(device) : this.#arrays(this.#initial, device);
    tree.dispose(params);
    return state;
  }

  /**
   * What to add to the parameters (optax.applyUpdates), and the next state. Consumes all three; `params` are only
   * needed with weight decay, with moving averages, and by Ftrl, Lamb and ScheduleFreeAdamW.
   */
  update(grads: Tree, state: readonly JaxArray[], params?: Tree): [updates: Tree, state: JaxArray[]] {
    const [gradients, weights] = this.#check('update', grads, state, params);
    const needed = this.#needsWeights;
    if (needed && params === undefined)
      throw new TypeError(
        `update: params are needed with weightDecay or useEma, and by some rules ('${executorOf(this.optimizer).rule}'): update(grads, state, params.ref).`,
      );
    // From zeros the step itself comes out, to the last bit; where the values matter, a difference.
    const before = needed ? weights.map(read) : [];
    this.#heldWeights = [];
    this.#variables.forEach((variable, k) => {
      if (needed) variable.assign(before[k]);
      else variable.value.fill(0);
    });
    const next = this.#step(gradients, state);
    tree.dispose([grads, params] as Tree);
    const updates = this.#variables.map(({ value }, k) => {
      if (!needed) return value;
      const difference = before[k];
      for (let i = 0; i < difference.length; i++) difference[i] = value[i] - difference[i];
      return difference;
    });
    return [this.#tree(updates, gradients[0]?.device), next];
  }

  /**
   * One step: the parameters after it, and the next state. What `update` and optax.applyUpdates do, but the sums are
   * the engine's: the bits are those of a step on plain arrays, and parameters that came from here are not read again.
   * Consumes all three.
   */
  applyGradients(grads: Tree, state: readonly JaxArray[], params: Tree): [params: Tree, state: JaxArray[]] {
    const [gradients, weights] = this.#check('applyGradients', grads, state, params);
    const held = this.#heldWeights;
    this.#heldWeights = [];
    weights.forEach((leaf, k) => {
      if (leaf !== held[k]) this.#variables[k].assign(read(leaf));
    });
    const next = this.#step(gradients, state);
    const device = weights[0]?.device;
    tree.dispose([grads, params] as Tree); // before: what comes then takes their places, which are in the cache
    const stepped = this.#tree(
      this.#variables.map(({ value }) => value),
      device,
    );
    this.#heldWeights = tree.leaves<JaxArray>(stepped);
    return [stepped, next];
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
    this.#held?.fill();
    this.#held = null;
    this.optimizer.dispose();
    for (const variable of this.#variables) variable.dispose();
  }

  get #needsWeights(): boolean {
    const { weightDecay, useEma } = innermost(this.optimizer);
    return weightDecay !== null || useEma || ruleFacts(executorOf(this.optimizer).rule).usesWeights;
  }

  /** Live views: the engine's memory. */
  #values(): Value[] {
    return this.#stateVariables.map(({ value }) => value);
  }

  /** Whether the engine now has the state that these parameters begin with. */
  #begin(leaves: readonly JaxArray[]): boolean {
    const isFresh = this.#isFresh;
    this.#isFresh = false;
    const executor = executorOf(this.optimizer);
    if (!startsFromWeights(executor.rule)) return isFresh;
    if (!isFresh) this.#put(this.#initial);
    this.#heldWeights = [];
    executor.targets.forEach((target, k) => {
      this.#variables[k].assign(read(leaves[k]));
      copyToSlots(executor, target);
    });
    return true;
  }

  /** Steps the values that the variables have; consumes the state. */
  #step(gradients: readonly JaxArray[], state: readonly JaxArray[]): JaxArray[] {
    const device = gradients[0]?.device;
    if (device === 'webgpu')
      warnOnce(
        'simdescent/jax: update() and applyGradients() read gradients back from the GPU and upload the result; step() works on the GPU, in place.',
      );
    if (!this.#held?.is(state)) this.#put(state.map(read));
    this.optimizer.apply(gradients.map(read));
    if (this.#held) this.#held.spend(state);
    else for (const array of state) array.dispose();
    return this.#give(device);
  }

  /** The state that the engine has. */
  #give(device: Device): JaxArray[] {
    this.#held = new HeldState(() => this.#arrays(this.#values(), device));
    return this.#held.list;
  }

  #arrays(values: readonly Value[], device: Device): JaxArray[] {
    return values.map((value, k) => arrayOf(value, this.#stateVariables[k], device));
  }

  /** Values of the variables, as the tree that was given at init. */
  #tree(values: readonly Float32Array[], device: Device): Tree {
    return tree.unflatten(
      this.#structure as TreeDef,
      values.map((value, k) => arrayOf(value, this.#variables[k], device)),
    );
  }

  /** Another state into the engine. */
  #put(values: readonly (number | ArrayLike<number>)[]): void {
    this.#held?.fill();
    this.#held = null;
    let k = 0;
    this.optimizer.setWeights(
      this.optimizer.variables.map(({ path, value }) =>
        path.endsWith('/learning_rate') || k === values.length ? value : values[k++],
      ),
    );
  }

  /** The leaves of gradients and parameters. @throws before anything is consumed */
  #check(
    what: string,
    grads: Tree,
    state: readonly JaxArray[],
    params: Tree | undefined,
  ): [gradients: JaxArray[], weights: JaxArray[]] {
    const [gradients, structure] = tree.flatten<JaxArray>(grads);
    this.#checkTree(what, gradients, structure);
    const [weights, given] = params === undefined ? [[], structure] : tree.flatten<JaxArray>(params);
    if (params !== undefined) this.#checkTree(what, weights, given);
    this.#checkState(what, state);
    return [gradients, weights];
  }

  #checkTree(what: string, leaves: readonly JaxArray[], structure: TreeDef): void {
    if (!this.#structure) throw new Error(`${what}: call init(params) first.`);
    if (String(structure) !== String(this.#structure))
      throw new RangeError(`${what}: the tree is ${structure}, and was ${this.#structure} at init.`);
    leaves.forEach((leaf, k) => {
      checkLeaf(what, leaf, this.#variables[k]);
    });
  }

  #checkState(what: string, state: readonly JaxArray[]): void {
    if (this.#held?.isUnseen(state)) return;
    const variables = this.#stateVariables;
    if (!Array.isArray(state) || state.length !== variables.length)
      throw new RangeError(`${what}: the state has ${variables.length} arrays, got ${describe(state)}.`);
    variables.forEach(({ path, shape }, k) => {
      checkAlive(what, state[k], path);
      if (String(state[k].shape) !== String(shape))
        throw new RangeError(`${what}: the state's '${path}' has shape [${shape}], got [${state[k].shape}].`);
    });
  }
}
