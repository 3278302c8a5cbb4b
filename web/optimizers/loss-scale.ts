// LossScaleOptimizer: dynamic loss scaling round another optimizer, for gradients computed in half precision.
// It decides whether and with which scale the inner optimizer steps; everything else is the inner one's.

import { describe } from '../basics/errors.js';
import { copyOfFloats, isFloats } from '../basics/floats.js';
import type { Spelled } from '../basics/spelling.js';
import type { LearningRate } from '../schedules/rate.js';
import { inKeras, OptimizerVariable, type StateEntry, scalarEntry } from '../state/entries.js';
import type { Built } from '../step/executor.js';
import type { Parameter } from '../step/parameters.js';
import type { DeviceBuffer, DeviceRange } from '../step/remote.js';
import { SparseGradient } from '../step/sparse.js';
import type { GradientLike, Target } from '../step/target.js';
import { wrappingKind } from './configuration.js';
import type { Excluded } from './exclusion.js';
import type { Holder } from './lifetime.js';
import { Optimizer } from './optimizer.js';
import { anything, baseOptions, number } from './options.js';
import { type Parts, partsOf } from './parts.js';
import type { Report } from './report.js';
import { serializeOptimizer } from './serialized.js';

/** Options of LossScaleOptimizer; all others are the inner optimizer's. */
export type LossScaleOptions = Spelled<{
  /** The loss scale to begin with. Default 2^15. */
  initialScale?: number;
  /** After so many finite steps in a row the scale doubles. Default 2000. */
  dynamicGrowthSteps?: number;
  /** Prefix of the state's paths. Default 'loss_scale_optimizer'. */
  name?: string;
}>;

const kind = () =>
  wrappingKind('LossScaleOptimizer', 'loss_scale_optimizer', {
    learningRate: {
      ...baseOptions.learningRate,
      check: (label: string) => {
        throw new RangeError(`${label}: the learning rate is the inner optimizer's; set it there.`);
      },
    },
    initialScale: { default: 2 ** 15, check: number('a number > 0', (x) => x > 0), config: 'always' },
    dynamicGrowthSteps: {
      default: 2000,
      check: number('an integer >= 1', (x) => Number.isInteger(x) && x >= 1),
      config: 'always',
    },
    dynamic: {
      default: true,
      check: (label: string, value: unknown) => {
        if (value !== true)
          throw new RangeError(
            `${label}: a fixed scale is lossScaleFactor on the inner optimizer; got ${describe(value)}.`,
          );
        return value;
      },
      config: 'never',
    },
    innerOptimizer: { default: null, check: anything, config: 'never' },
  });

/** The scale and what moves it, with the state of the optimizer that it is round. */
class Scaling implements Holder {
  readonly inner: Parts;
  /** The scale of the next step. */
  scale = 1;
  /** Finite steps since the scale last changed. */
  steps = 0;

  constructor(inner: Parts) {
    this.inner = inner;
  }

  get executor(): Built | null {
    return this.inner.lifetime.executor;
  }

  get iterations(): number {
    return this.inner.lifetime.iterations;
  }

  require(): Built {
    return this.inner.lifetime.require();
  }

  /** @throws Error if there is nothing left to halve */
  shrink(): void {
    const half = Math.fround(this.scale * 0.5);
    if (half === 0)
      throw new Error(
        'LossScaleOptimizer: the gradients are not finite at any scale: it has been halved down to the smallest float32. ' +
          'The loss or the model gives NaN or Infinity.',
      );
    this.steps = 0;
    this.scale = half;
  }

  /** As Keras compares: where dynamicGrowthSteps was lowered below the counter, the scale grows no more. */
  count(growthSteps: number): void {
    const grows = this.steps === growthSteps - 1;
    this.steps = grows ? 0 : this.steps + 1;
    const twice = Math.fround(this.scale * 2);
    if (grows && twice < Number.POSITIVE_INFINITY) this.scale = twice;
  }

  /** Copies of gradients, divided by the scale. */
  divided(grads: readonly GradientLike[]): GradientLike[] {
    const divide = (values: Float32Array) => copyOfFloats(values).map((x) => x / this.scale);
    return grads.map((g) => {
      if (!g) return g;
      if (isFloats(g)) return divide(g);
      if (g instanceof SparseGradient)
        return new SparseGradient({ indices: g.indices, values: divide(g.values), clip: g.clip });
      throw new Error(
        "LossScaleOptimizer: with a lossScaleFactor of the inner optimizer's own, gradients must be Float32Arrays.",
      );
    });
  }

  entries(name: string): StateEntry[] {
    const none = () => 0;
    const steps = (x: number) => {
      this.steps = x;
    };
    const scale = (x: number) => {
      this.scale = x;
    };
    return [
      scalarEntry(`${name}/iteration`, 'int32', none, () => {}), // Keras' own counter never moves
      scalarEntry(`${name}/learning_rate`, 'float32', none, () => {}), // nor is its own rate used
      scalarEntry(`${name}/step_counter`, 'int32', () => this.steps, steps),
      scalarEntry(
        `${name}/dynamic_scale`,
        'float32',
        () => this.scale,
        scale,
        (x) => {
          if (!(Math.fround(x) > 0 && Math.fround(x) < Number.POSITIVE_INFINITY))
            throw new RangeError(`'${name}/dynamic_scale' must be a finite number > 0 in float32, got ${x}.`);
        },
      ),
      ...this.inner.state
        .entries()
        .map((entry) => ({ ...entry, key: `inner/${entry.key}`, isHidden: entry.isRaw })),
    ];
  }
}

/** All of the public class but `fromConfig`, which knows the classes of the others: registry.ts. */
export class LossScaleOptimizer extends Optimizer {
  static override readonly name: string = 'LossScaleOptimizer';
  static override readonly className: string = 'LossScaleOptimizer';
  /** The loss scale that it began with. */
  declare initialScale: number;
  /** After so many finite steps in a row the scale doubles. */
  declare dynamicGrowthSteps: number;
  readonly #inner: Optimizer;
  readonly #parts: Parts;
  readonly #scaling: Scaling;
  #builtByApply = false;

  /** @throws TypeError if `inner` is no optimizer; TypeError, RangeError for wrong options. */
  constructor(inner: Optimizer, options: LossScaleOptions = {}) {
    if (!(inner instanceof Optimizer) || scales(inner))
      throw new TypeError(
        `LossScaleOptimizer: inner must be an optimizer to wrap, such as new Adam(), got ${describe(inner)}.`,
      );
    const scaling = new Scaling(partsOf(inner));
    super(options, kind, { holder: scaling });
    this.#inner = inner;
    this.#parts = partsOf(this);
    this.#scaling = scaling;
    scaling.scale = Math.fround(this.initialScale);
    inner.lossScaleFactor = null;
  }

  /** What was given: learning rate, options and slots are its own. */
  get innerOptimizer(): Optimizer {
    return this.#inner;
  }
  /** The scale of the next step. */
  get dynamicScale(): number {
    return this.#scaling.scale;
  }
  /** Finite steps since the scale last changed. */
  get stepCounter(): number {
    return this.#scaling.steps;
  }

  override get iterations(): number {
    return this.#inner.iterations;
  }
  override set iterations(count: number) {
    this.#inner.iterations = count;
  }
  override get rawIterations(): number {
    return this.#inner.rawIterations;
  }
  override get learningRate(): number {
    return this.#inner.learningRate;
  }
  override set learningRate(value: LearningRate) {
    this.#inner.learningRate = value as number;
  }

  /** That of the inner optimizer, whose option `monitor` is. */
  override get report(): Report | null {
    return this.#inner.report;
  }
  override readReport(): Promise<Report | null> {
    return this.#inner.readReport();
  }

  override build(variables: readonly Parameter[]): void;
  /** @internal With the names that a file has for them. */
  override build(variables: readonly Parameter[], given: readonly Target[]): void;
  override build(variables: readonly Parameter[], ...given: [] | [readonly Target[]]): void {
    this.#parts.lifetime.alive();
    if (!this.built) this.#builtByApply = false;
    this.#inner.build(variables, ...(given as [readonly Target[]]));
  }

  override apply(grads: readonly GradientLike[], variables?: readonly Parameter[]): void | Promise<void> {
    this.#parts.lifetime.idle('apply');
    if (Array.isArray(grads) && grads.length === 0 && !variables?.length) return undefined;
    if (this.built) return this.#begin(grads, variables);
    return this.#scaling.inner.build.orUndo(() => this.#begin(grads, variables));
  }

  #begin(
    grads: readonly GradientLike[],
    variables?: readonly Parameter[],
    encoder?: object,
  ): void | Promise<void> {
    const first = !this.built;
    const step = (finite: boolean, known: readonly GradientLike[]) =>
      this.#stepIf(finite, known, variables, encoder);
    const waiting = this.#scaling.inner.run.ifFinite(grads, variables, step, encoder);
    if (first) this.#builtByApply = true;
    return waiting;
  }

  override record(encoder: object, grads: readonly GradientLike[], variables?: readonly Parameter[]): void {
    this.#parts.lifetime.idle('record');
    this.#scaling.inner.build.orUndo(() => this.#begin(grads, variables, encoder));
  }

  /** The inner step and a growing scale, or no step and half the scale. */
  #stepIf(
    finite: boolean,
    grads: readonly GradientLike[],
    variables: readonly Parameter[] | undefined,
    encoder?: object,
  ): void | Promise<void> {
    const scaling = this.#scaling;
    if (!finite) {
      scaling.shrink();
      this.#parts.run.skipped++;
      return undefined;
    }
    const count = () => scaling.count(this.dynamicGrowthSteps);
    const factor = this.#inner.lossScaleFactor; // Keras' inner optimizer divides by it as well, afterwards
    const { run } = scaling.inner;
    const waiting =
      factor === null
        ? run.applyScaled(grads, variables, scaling.scale, encoder)
        : run.applyScaled(scaling.divided(grads), variables, factor, encoder);
    if (waiting) return waiting.then(count);
    count();
  }

  override updateStep(
    gradient: Float32Array | DeviceBuffer | DeviceRange,
    variable: Parameter,
    rate: number,
  ): void {
    this.#inner.updateStep(gradient, variable, rate);
  }
  override finalizeVariableValues(variables: readonly Parameter[]): void {
    this.#inner.finalizeVariableValues(variables);
  }
  override excludeFromWeightDecay(which: Excluded = {}): void {
    this.#inner.excludeFromWeightDecay(which);
  }
  override scaleLoss(loss: number): number {
    return loss * this.#scaling.scale;
  }

  override get variables(): OptimizerVariable[] {
    // Keras: the slots have the wrapper's prefix if its first apply built them, not if build() did.
    const prefix = this.#builtByApply ? `${this.name}/` : '';
    return inKeras(this.#parts.state.present('variables')).map((entry) => {
      const isBuilt = entry.key.startsWith('inner/') && !/\/(iteration|learning_rate)$/.test(entry.path);
      return new OptimizerVariable(isBuilt ? { ...entry, path: prefix + entry.path } : entry);
    });
  }

  override getConfig(): Record<string, unknown> {
    return {
      name: this.name,
      inner_optimizer: serializeOptimizer(this.#inner),
      initial_scale: this.initialScale,
      dynamic_growth_steps: this.dynamicGrowthSteps,
    };
  }

  /** Disposes the inner optimizer as well. */
  override dispose(): void {
    const { executor } = this.#scaling;
    if (executor) executor.pending.afterwards(() => this.#inner.dispose());
    else this.#inner.dispose();
    super.dispose();
  }
}

/** A class that named itself within itself would lose its own name to the minifier: scripts/class-names.mjs. */
const scales = (inner: Optimizer) => inner instanceof LossScaleOptimizer;
