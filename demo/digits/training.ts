// What the page's networks have in common, whoever trains them: ours with Adam, ours with Adamax, and the same
// network in TensorFlow.js with its own Adam and with ours.
import { runners } from '../optimizers.ts';
import type { Curve } from '../page/line-chart.ts';
import type { StepTimer } from '../page/step-timer.ts';
import type { Digits } from './digits.ts';

export type TrainingId = 'adam' | 'adamax' | 'tfjs' | 'tfours';
export const trainingIds: readonly TrainingId[] = ['adam', 'adamax', 'tfjs', 'tfours'];

export interface Training {
  /** Of the batch before the last step; NaN before the first. */
  readonly loss: number;
  /** The optimizer's own part of a step, and the whole. */
  readonly optimizerTimer: StepTimer;
  readonly trainingTimer: StepTimer;
  learningRate: number;
  step(batch: Digits): void;
  predict(digits: Digits): Uint8Array;
  /** The first layer's kernel: a row of hidden units per pixel. */
  kernel(): Float32Array;
  dispose(): void;
}

export const looks: Record<TrainingId, Curve> = {
  adam: runners.adam,
  adamax: runners.adamax,
  tfjs: { name: 'tfjs’ Adam', color: '--tfjs', dash: [2, 4] },
  tfours: { name: 'ours in tfjs', color: '--tfours', dash: [10, 3, 2, 3] },
};
