// TfOptimizer: one of our optimizers as TensorFlow.js takes it, in model.compile or a loop of one's own. It
// finds the variables, hands them to the optimizer where they are, and saves and loads its state with a model.
import { describe, refuseUnknown } from '../basics/errors.js';
import { Optimizer } from '../optimizers/optimizer.js';
import { partsOf } from '../optimizers/parts.js';
import { deserialize, serialize } from '../optimizers/registry.js';
import type { SerializedOptimizer } from '../optimizers/serialized.js';
import type { LearningRate } from '../schedules/rate.js';
import { SparseGradient } from '../step/sparse.js';
import type { Target } from '../step/target.js';
import type { Gpu } from './gpu.js';
import { innermost, nobody, Roster } from './roster.js';
import { accessTo } from './tfjs-access.js';
import type { TfAccess, TfGradient } from './tfjs-base.js';
import {
  type TfEngine,
  type TfNamespace,
  type TfTensor,
  type TfVariable,
  tfEngine,
  variableGrads,
} from './tfjs-engine.js';
import { WebGpuAccess } from './tfjs-webgpu.js';
import { readWeights, SavedWeights } from './tfjs-weights.js';

/** What `tfOptimizer` takes beside the optimizer. */
export interface TfOptimizerOptions {
  /** The tfjs namespace, where it is not found by itself; then models can be loaded as after `registerOptimizer`. */
  tf?: TfNamespace | undefined;
  /** For tfjs' webgpu backend: what `initWebGPU({ device: tf.backend().device })` gave. */
  gpu?: Gpu | undefined;
}

export interface NamedGradient {
  name: string;
  tensor: TfGradient | null | undefined;
}

type GradientsByName = Readonly<Record<string, TfGradient | null | undefined>>;
type Grads = Record<string, TfTensor | null>;

/** One of our optimizers as TensorFlow.js takes it; see `tfOptimizer`. */
export class TfOptimizer {
  /** The class' name, also where its code was minified. */
  static readonly name: string = 'TfOptimizer';
  /** What models saved with `includeOptimizer` call it. */
  static readonly className = 'Simdescent';
  /** What was given: options, learning rate and state are live there. */
  readonly optimizer: Optimizer;
  readonly #tf: TfNamespace | undefined;
  readonly #gpu: Gpu | undefined;
  #roster: Roster<TfVariable, TfGradient> | null = null;
  #access: TfAccess | null = null;
  #saved: SavedWeights | null = null;
  /** Variables whose part of the loaded state has not been put in yet. */
  #cold: Target[] = [];
  #given: TfTensor[] = [];
  /** Of the state: a variable that was disposed takes its own with it, also where another has its name now. */
  readonly #seen = new Map<string, TfVariable>();

  /** @throws TypeError for what is no optimizer */
  constructor(optimizer: Optimizer, options: TfOptimizerOptions = {}) {
    if (!(optimizer instanceof Optimizer))
      throw new TypeError(`tfOptimizer takes an optimizer, such as new Adam(), got ${describe(optimizer)}.`);
    refuseUnknown('tfOptimizer', options, ['tf', 'gpu']);
    const { tf, gpu } = options;
    this.optimizer = optimizer;
    this.#tf = tf;
    this.#gpu = gpu;
    if (tf) registerOptimizer(tf);
  }

  /** Calls so far, as tfjs counts them. */
  get iterations(): number {
    return this.optimizer.rawIterations;
  }

  /** The optimizer's, live. */
  get learningRate(): number {
    return this.optimizer.learningRate;
  }
  set learningRate(rate: LearningRate) {
    this.optimizer.learningRate = rate as number;
  }

  /** One step down the gradient of the scalar that `f` returns, over `varList` or all trainable variables. */
  minimize(f: () => TfTensor, returnCost = false, varList?: readonly TfVariable[]): TfTensor | null {
    const engine = this.#engine();
    const scale = this.optimizer.scaleLoss(1);
    const scaled = () => (scale === 1 ? f() : byNumber(engine, 'Multiply', f(), scale));
    const { value, grads } = variableGrads(engine, scaled, varList);
    try {
      this.applyGradients(grads);
    } finally {
      for (const gradient of Object.values(grads)) gradient?.dispose();
    }
    const cost = returnCost && scale !== 1 ? byNumber(engine, 'RealDiv', value, scale) : value;
    if (cost !== value || !returnCost) value.dispose();
    return returnCost ? cost : null;
  }

  /** The loss, and the gradients by variable name: null for variables that are not trained. */
  computeGradients(f: () => TfTensor, varList?: readonly TfVariable[]): { value: TfTensor; grads: Grads } {
    return variableGrads(this.#engine(), f, varList);
  }

  /**
   * One step, in place, by name; `[{ name, tensor }]` or `{ name: tensor }`. A variable without a gradient is left
   * alone. @throws TypeError, RangeError, Error; then nothing has changed
   */
  applyGradients(gradients: GradientsByName | readonly NamedGradient[]): void {
    const engine = this.#engine();
    const given: readonly NamedGradient[] = Array.isArray(gradients)
      ? gradients
      : Object.entries(gradients as GradientsByName).map(([name, tensor]) => ({ name, tensor }));
    const variables: TfVariable[] = [];
    const grads: (TfGradient | null)[] = [];
    for (const { name, tensor } of given) {
      if (tensor === null || tensor === undefined) continue;
      variables.push(registered(engine, name));
      grads.push(tensor);
    }
    if (grads.length === 0) throw new RangeError('applyGradients: there is no gradient for any variable.');
    this.#dropDisposed();
    const known = this.#roster?.targets ?? nobody;
    const restores = this.#saved !== null;
    const copies: TfTensor[] = [];
    let stepped = false;
    try {
      grads.forEach((gradient, k) => {
        if (!isVariable(gradient)) return;
        grads[k] = engine.runKernel('Identity', { x: gradient }); // it counts as it is before the step
        copies.push(grads[k] as TfTensor);
      });
      this.#step(engine, variables, grads);
      stepped = true;
    } finally {
      this.#access?.finish(stepped);
      for (const copy of copies) copy.dispose();
      if (!stepped && !restores) this.#keepOnly(known); // a state that was loaded is not to be had again
    }
  }

  /** Models come and go while one optimizer lives on. Where tfjs' GPU holds the state, it cannot be rearranged. */
  #dropDisposed(): void {
    if (!this.#roster || this.#access instanceof WebGpuAccess) return;
    const gone = new Set<string>();
    for (const [name, { isDisposed }] of this.#seen) if (isDisposed) gone.add(name);
    if (gone.size === 0) return;
    this.#roster.drop(gone);
    for (const name of gone) this.#seen.delete(name);
    this.#cold = this.#cold.flatMap(({ path }) => this.#roster?.targets.find((t) => t.path === path) ?? []);
  }

  /** After a refused call: what it has made is given back. */
  #keepOnly(known: readonly Target[]): void {
    this.#roster?.keepOnly(known);
    const names = new Set(known.map(({ path }) => path));
    for (const name of this.#seen.keys()) if (!names.has(name)) this.#seen.delete(name);
    if (known !== nobody) return;
    this.#access?.release();
    this.#roster = this.#access = null;
  }

  #step(engine: TfEngine, variables: TfVariable[], grads: (TfGradient | null)[]): void {
    this.build(variables);
    if (this.#access instanceof WebGpuAccess && innermost(this.optimizer).skipNonFinite)
      throw new Error(
        'skipNonFinite has to wait for the GPU, and tfjs does not: leave it off on the webgpu backend.',
      );
    const { legacySparse } = partsOf(innermost(this.optimizer)).options.values as { legacySparse?: boolean };
    if (legacySparse && this.#access?.spreads && grads.some((g) => g instanceof SparseGradient))
      throw new RangeError(
        "legacySparse steps single rows, which is not to be had in the memory of tfjs' wasm backend: leave it off there.",
      );
    if (innermost(this.optimizer).useEma) {
      const names = new Set(variables.map(({ name }) => name));
      for (const { path } of (this.#roster as Roster<TfVariable, TfGradient>).targets) {
        if (names.has(path)) continue;
        variables.push(registered(engine, path)); // averaged as well
        grads.push(null);
      }
    }
    this.optimizer.apply(grads as never, variables as never);
  }

  /** Makes the state of variables that have none yet; otherwise the first step with them does. */
  build(variables: readonly TfVariable[]): void {
    const engine = this.#engine();
    const last = this.#access;
    if (last?.backend !== engine.backend || last.isStale) {
      const access = accessTo(engine, this.#gpu);
      if (access instanceof WebGpuAccess && innermost(this.optimizer) !== this.optimizer)
        throw new Error(
          'LossScaleOptimizer has to wait for the GPU, and tfjs does not: use lossScaleFactor on the webgpu backend.',
        );
      this.#roster ??= new Roster(this.optimizer, access);
      this.#roster.move(access);
      this.#access = access;
      last?.release();
    }
    const roster = this.#roster as Roster<TfVariable, TfGradient>;
    const fresh = variables.filter(({ name }) => !roster.has(name));
    if (fresh.length) {
      const known = roster.targets.length;
      roster.add(fresh);
      for (const variable of fresh) this.#seen.set(variable.name, variable);
      this.#access?.finish(false); // it may have looked at their values
      if (this.#saved) this.#cold = this.#cold.concat(roster.targets.slice(known));
    }
    if (!this.#saved || this.#cold.length === 0) return;
    this.#saved.restore(this.optimizer, this.#cold);
    this.#cold = [];
    if (!this.#saved.pending) this.#saved = null;
  }

  /** With `useEma`: every variable becomes its average. */
  finalizeVariableValues(): void {
    const engine = this.#engine();
    const known = this.#roster?.targets ?? [];
    const variables = known.map(({ path }) => registered(engine, path));
    this.build(variables);
    const { targets } = this.#roster ?? { targets: [] }; // others, where the backend is another
    for (const [k, target] of targets.entries()) this.#access?.bind(variables[k], target);
    this.optimizer.finalizeVariableValues(variables as never);
    this.#access?.finish(true);
  }

  /**
   * The state as tf.train names it: `iter`, then for Adam `x/m`, `x/v`, as copies. They belong to this optimizer: the next call, or
   * `dispose`, disposes them.
   */
  async getWeights(): Promise<{ name: string; tensor: TfTensor }[]> {
    const engine = this.#engine();
    this.#disposeGiven();
    const weights = (await readWeights(this.optimizer, this.#saved)).map(({ name, shape, dtype, values }) => {
      const typed = dtype === 'int32' ? new Int32Array(values) : new Float32Array(values);
      return { name, tensor: engine.keep(engine.makeTensor(typed, shape, dtype)) };
    });
    this.#given = weights.map(({ tensor }) => tensor);
    return weights;
  }

  /** A state from `getWeights`, of this class or of one of tf.train. Variables that are seen later get theirs then. */
  async setWeights(weights: readonly { name: string; tensor: TfTensor }[]): Promise<void> {
    const copies = weights.map(async ({ name, tensor }) => {
      const values = await tensor.data();
      return {
        name,
        shape: [...tensor.shape],
        dtype: 'float32' as const,
        values: Array.isArray(values) ? values : new Float32Array(values),
      };
    });
    const saved = new SavedWeights(await Promise.all(copies));
    const { targets } = this.#roster ?? { targets: [] };
    saved.restore(this.optimizer, targets);
    this.#cold = [];
    this.#saved = saved.pending ? saved : null;
  }

  /** What models saved with `includeOptimizer` call it. */
  getClassName(): string {
    return TfOptimizer.className;
  }

  /** Options by name, for reading, and `serialized`, from which `fromConfig` makes the same optimizer again. */
  getConfig(): Record<string, unknown> {
    const { config, ...rest } = serialize(this.optimizer);
    const options: Record<string, unknown> = {};
    for (const [key, value] of Object.entries(config ?? {}))
      if (typeof value !== 'object' || value === null) options[camelCase(key)] = value;
    // tfjs rewrites every text with an underscore in it when it loads a model; an escape has none.
    const serialized = JSON.stringify({ ...rest, config }).replaceAll('_', '\\u005f');
    return { ...options, serialized };
  }

  /** @param cls as tfjs calls it: the class comes first. */
  static fromConfig(cls: typeof TfOptimizer, config: Record<string, unknown>): TfOptimizer {
    if (typeof config?.serialized !== 'string')
      throw new TypeError(`fromConfig takes what getConfig gave, got ${describe(config)}.`);
    return new cls(deserialize(JSON.parse(config.serialized) as SerializedOptimizer));
  }

  /** Frees the state, here and of the optimizer given; never the variables. */
  dispose(): void {
    this.#disposeGiven();
    this.optimizer.dispose();
    this.#access?.release();
  }

  #engine(): TfEngine {
    return tfEngine(this.#tf);
  }

  #disposeGiven(): void {
    for (const tensor of this.#given) if (!tensor.isDisposed) tensor.dispose();
    this.#given = [];
  }
}

const camelCase = (key: string) => key.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());

function registered(engine: TfEngine, name: string): TfVariable {
  const variable = Object.hasOwn(engine.registeredVariables, name) && engine.registeredVariables[name];
  if (!variable) throw new Error(`TensorFlow.js knows no variable '${name}'; has it been disposed?`);
  return variable;
}

const isVariable = (gradient: TfGradient | null): gradient is TfVariable => {
  const { trainable, isDisposed } = gradient as Partial<TfVariable>;
  return trainable !== undefined && !isDisposed;
};

function byNumber(engine: TfEngine, kernel: string, a: TfTensor, number: number): TfTensor {
  const b = engine.makeTensor(new Float32Array([number]), [], 'float32');
  const result = engine.runKernel(kernel, { a, b });
  if (kernel === 'RealDiv') b.dispose();
  return result;
}

/** Lets tfjs load models that were saved with one of our optimizers: tf.loadLayersModel makes it again. */
export function registerOptimizer(tf: TfNamespace): void {
  if (!tf?.serialization)
    throw new TypeError(`registerOptimizer takes the tfjs namespace (tf or tf-core), got ${describe(tf)}.`);
  tf.serialization.registerClass(TfOptimizer as never);
}
