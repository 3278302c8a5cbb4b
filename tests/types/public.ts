// What a user's TypeScript may say of the package, and what it may not: compiled, never run. What is marked as
// an error that is expected must be one, or the compiler complains.
import {
  Adam,
  type AddVariableOptions,
  constraints,
  type Excluded,
  type GradientLike,
  type HostGradient,
  type LearningRate,
  type MonitorOption,
  type OffloadOptions,
  Optimizer,
  type Report,
  schedules,
  Variable,
  type VariableGroup,
} from '../../dist/index.js';
import type { Files } from '../../dist/keras.js';

const norm: constraints.MaxNorm = new constraints.MaxNorm({ maxValue: 2 });
const each: constraints.Constraint[] = [norm, new constraints.NonNeg(), new constraints.UnitNorm()];
const cosine: schedules.CosineDecay = new schedules.CosineDecay({ initialLearningRate: 0.1, decaySteps: 10 });
const rate: LearningRate = cosine;

class Mine extends constraints.Constraint {
  apply(w: Float32Array): Float32Array {
    return w;
  }
}

export function step(values: Float32Array, gradient: HostGradient): Optimizer {
  const variable = new Variable(values, { name: 'w', constraint: new Mine() });
  const groups: VariableGroup[] = [{ paths: ['w'], decays: false }];
  const optimizer = new Adam({ learningRate: rate, weightDecay: 0.01, groups });
  const excluded: Excluded = { varNames: ['bias'] };
  optimizer.excludeFromWeightDecay(excluded);
  const gradients: GradientLike[] = [gradient];
  optimizer.apply(gradients, [variable]);
  return optimizer;
}

export function ratio(optimizer: Optimizer, monitor: MonitorOption): number | undefined {
  optimizer.monitor = monitor;
  const { report }: { report: Report | null } = optimizer;
  return report?.variables?.[0].ratio ?? report?.ratio;
}

export const extra: AddVariableOptions = { shape: [2] };
export const placed: OffloadOptions = { minSize: 1 };
export const files = (bytes: Uint8Array): Files => ({ 'config.json': bytes, 'model.weights.h5': bytes });
export { each };

// @ts-expect-error: there is no such option
new Adam({ learnngRate: 0.1 });
// @ts-expect-error: a rate is no text
new Adam({ learningRate: '0.1' });
// @ts-expect-error: a schedule has a length
new schedules.CosineDecay({ initialLearningRate: 0.1 });
// @ts-expect-error: Optimizer has no rule of its own
new Optimizer();
