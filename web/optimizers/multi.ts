// MultiOptimizer: one optimizer for one part of a model, another for the rest. It has a counter of its own and nothing
// else: which variable goes where is multi-map.ts, the steps are the inner optimizers', all or none (multi-run.ts).

import { describe } from '../basics/errors.js';
import type { Spelled } from '../basics/spelling.js';
import { core } from '../engine/core.js';
import type { LearningRate } from '../schedules/rate.js';
import { wrappingKind } from './configuration.js';
import { MultiBuild } from './multi-build.js';
import { type OptimizerChoice, OptimizerMap, serializeMap } from './multi-map.js';
import { MultiRun } from './multi-run.js';
import { Optimizer } from './optimizer.js';
import { baseOptions, innerOnly } from './options.js';
import { partsOf } from './parts.js';

/** Options of MultiOptimizer; all others are the inner optimizers'. */
export type MultiOptimizerOptions = Spelled<{
  /** What gradients are divided by; replaces that of the inner optimizers. Default null. */
  lossScaleFactor?: number | null;
  /** Prefix of the state's paths. Default 'multi_optimizer'. */
  name?: string;
}>;

const className = 'MultiOptimizer';
const kind = () =>
  wrappingKind(className, 'multi_optimizer', {
    learningRate: { default: 0, check: innerOnly(className, 'learningRate', 0), config: 'never' },
    lossScaleFactor: baseOptions.lossScaleFactor,
  });

/** All of the public class but `fromConfig`, which knows the classes of the others: registry.ts. */
export class MultiOptimizer extends Optimizer {
  static override readonly name: string = 'MultiOptimizer';
  static override readonly className: string = 'MultiOptimizer';
  readonly #build: MultiBuild;

  /**
   * @throws TypeError for what is no map and no function; TypeError, RangeError for wrong options; Error before
   *   `init()`, and for an optimizer that was disposed
   */
  constructor(optimizerMap: OptimizerChoice, options: MultiOptimizerOptions = {}) {
    if (!(optimizerMap instanceof OptimizerMap) && typeof optimizerMap !== 'function')
      throw new TypeError(
        `MultiOptimizer: optimizerMap must be an OptimizerMap or a function from a variable to an optimizer, got ${describe(optimizerMap)}.`,
      );
    const found = core('new MultiOptimizer()');
    super(options, kind, {
      build: (own) => new MultiBuild(found, optimizerMap, own),
      run: (own, build, lifetime, face) => new MultiRun(own, build as MultiBuild, lifetime, face),
    });
    this.#build = partsOf(this).build as MultiBuild;
    this.lossScaleFactor = partsOf(this).options.values.lossScaleFactor; // that of the inner ones, too
  }

  /** The map or the function. */
  get optimizerMap(): OptimizerChoice {
    return this.#build.choice;
  }
  /**
   * The inner optimizers: those of the map in its order, the default one, and those of a function in the order in which
   * it gave them at `build`. One without variables is never stepped.
   */
  get optimizers(): readonly Optimizer[] {
    return [...this.#build.optimizers];
  }

  /** @throws TypeError always: there is one for each of `optimizers` */
  override get learningRate(): number {
    throw new TypeError(
      'MultiOptimizer has no learningRate of its own; read that of each of its `optimizers` instead.',
    );
  }
  override set learningRate(_value: LearningRate) {
    throw new TypeError(
      'MultiOptimizer has no learningRate of its own; set that of each of its `optimizers` instead.',
    );
  }

  /** Calls so far. Setting it sets the counts of calls of the inner optimizers, too. */
  override get iterations(): number {
    return super.iterations;
  }
  override set iterations(calls: number) {
    const all = this.#build.optimizers;
    for (const inner of all) partsOf(inner).lifetime.idle('iterations');
    super.iterations = calls;
    for (const inner of all) partsOf(inner).build.iterations = calls;
  }

  /** What gradients are divided by, in all inner optimizers. */
  override get lossScaleFactor(): number | null {
    return super.lossScaleFactor;
  }
  override set lossScaleFactor(value: number | null) {
    const all = this.#build.optimizers;
    for (const inner of all) partsOf(inner).lifetime.idle('lossScaleFactor');
    super.lossScaleFactor = value;
    for (const inner of all) inner.lossScaleFactor = super.lossScaleFactor;
  }

  /** @throws Error for a function in place of a map */
  override getConfig(): Record<string, unknown> {
    const { choice } = this.#build;
    if (!(choice instanceof OptimizerMap))
      throw new Error('MultiOptimizer: a function cannot be saved in a config; use an OptimizerMap instead.');
    return {
      optimizer_map: serializeMap(choice),
      loss_scale_factor: this.lossScaleFactor,
      name: this.name,
    };
  }

  /** Disposes the inner optimizers as well. */
  override dispose(): void {
    const all = this.#build.optimizers;
    const end = () => {
      for (const inner of all) inner.dispose();
    };
    const { executor } = this.#build;
    if (executor) executor.pending.afterwards(end);
    else end();
    super.dispose();
  }
}
