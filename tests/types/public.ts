// What a user's TypeScript may say of the package, and what it may not: compiled, never run. What is marked as
// an error that is expected must be one, or the compiler complains.
import * as tf from '@tensorflow/tfjs-core';
import {
  Adafactor,
  Adam,
  AdamMultilr,
  type AdamOptions,
  AdamW,
  type AddVariableOptions,
  constraints,
  type Excluded,
  Ftrl,
  type GradientLike,
  type HostGradient,
  init,
  Lamb,
  type LearningRate,
  LossScaleOptimizer,
  type MonitorOption,
  Muon,
  type OffloadOptions,
  Optimizer,
  type Report,
  SGD,
  schedules,
  Variable,
  type VariableGroup,
} from '../../dist/index.js';
import { jaxOptimizer } from '../../dist/jax.js';
import { type Files, openKeras } from '../../dist/keras.js';
import { registerOptimizer, tfOptimizer } from '../../dist/tfjs.js';
import { openTorch } from '../../dist/torch.js';
import { initWebGPU, type WebGPU } from '../../dist/webgpu.js';

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
  const groups: VariableGroup[] = [
    { paths: ['w'], decays: false },
    { paths: ['b'], rate_factor: 0.1 },
  ];
  const optimizer = new Adam({ learningRate: rate, weightDecay: 0.01, groups });
  const excluded: Excluded = { varNames: ['bias'] };
  optimizer.excludeFromWeightDecay({ var_names: ['bias'], var_list: [variable] });
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

registerOptimizer(tf);

// Keras' configs are options as they are, and so are mixtures.
new Adam({ learning_rate: 0.1, beta_1: 0.8, beta_2: 0.9, epsilon: 1e-7, ema_overwrite_frequency: null });
new Adam({ learningRate: 0.1, weight_decay: 0.01, global_clipnorm: 1 });
new AdamW({ weight_decay: 0.1 });
new Ftrl({
  l1_regularization_strength: 0.1,
  l2_shrinkage_regularization_strength: 0.1,
  learning_rate_power: -1,
});
new Adafactor({ beta_2_decay: -0.7, epsilon_1: 1e-30 });
new Muon({ adam_beta_1: 0.9, muon_a: 3, ns_steps: 4, adam_lr_ratio: 0.5 });
new LossScaleOptimizer(new SGD({ momentum: 0.9 }), { dynamic_growth_steps: 10 });
new schedules.CosineDecayRestarts({ initial_learning_rate: 0.1, first_decay_steps: 10, t_mul: 1, m_mul: 1 });
new constraints.MinMaxNorm({ min_value: 0.1, axis: [0, 1] });
// One clip, and others that are off.
const clipped: AdamOptions = { clipnorm: 1, clipvalue: null, global_clipnorm: null };
new Adam(clipped);
new AdamMultilr({ clipnorm: 1, clipvalue: 1 });

// @ts-expect-error: there is no such option
new Adam({ learnngRate: 0.1 });
// @ts-expect-error: a rate is no text
new Adam({ learningRate: '0.1' });
// @ts-expect-error: nor in Keras' spelling
new Adam({ learnng_rate: 0.1 });
// @ts-expect-error: a rate is no text in any spelling
new Adam({ learning_rate: '0.1' });
// @ts-expect-error: two clips at once
new Adam({ clipnorm: 1, clipvalue: 1 });
// @ts-expect-error: also in two spellings
new SGD({ globalClipnorm: 1, clipvalue: 1, momentum: 0.9 });
// @ts-expect-error: also in Keras'
new Ftrl({ global_clipnorm: 1, clipnorm: 1 });
// @ts-expect-error: two norms at once
new AdamMultilr({ clipnorm: 1, globalClipnorm: 1 });
// @ts-expect-error: AdamW's decay is a number
new AdamW({ weight_decay: null });
// @ts-expect-error: Lamb has no formulas but Keras'
new Lamb({ compat: 'torch' });
// @ts-expect-error: a schedule has a length
new schedules.CosineDecay({ initial_learning_rate: 0.1 });
// @ts-expect-error: a schedule has a length
new schedules.CosineDecay({ initialLearningRate: 0.1 });
// @ts-expect-error: Optimizer has no rule of its own
new Optimizer();

/** What may be undefined is an option that may not be given: exact.json compiles this with exactOptionalPropertyTypes. */
export function perhaps(
  name?: string,
  rate?: number,
  shape?: readonly number[],
  norm?: constraints.Constraint,
) {
  const variable = new Variable(4, { name, path: name, shape, constraint: norm });
  const optimizer = new Adam({ learningRate: rate, beta_1: rate, monitor: { every: rate }, clipnorm: rate });
  optimizer.addVariable({ shape: [2], name });
  optimizer.excludeFromWeightDecay({ varNames: name ? [name] : undefined });
  // @ts-expect-error: what a group cannot do without
  optimizer.groups = [{ paths: undefined }];
  new constraints.UnitNorm({ axis: rate });
  return [variable, init({ threads: rate })];
}

/** The same of what the other entry points take. */
export async function elsewhere(bytes: Uint8Array, optional?: boolean, name?: string, gpu?: WebGPU) {
  const optimizer = openTorch(bytes, [], { name, maximize: optional });
  tfOptimizer(optimizer, { gpu, tf: undefined });
  jaxOptimizer(optimizer, { gpu });
  gpu?.wrap({ size: 4, usage: 0, mapState: 'unmapped' }, { offset: undefined, path: name });
  const [onProgress, order]: [undefined, string[] | undefined] = [undefined, name ? [name] : undefined];
  await openKeras(bytes, { order, onProgress, maxBytes: undefined, customObjects: undefined });
  return initWebGPU({ device: undefined, gpu: undefined, optional, powerPreference: undefined });
}
