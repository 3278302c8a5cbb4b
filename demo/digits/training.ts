// What the page's networks have in common, whoever trains them: ours with one optimizer and with another, and the
// same network in TensorFlow.js with its own Adam and with ours.
import type { Optimizer, Report } from 'simdescent';
import type { StepTimer } from '../page/step-timer.ts';
import { type Side, sides } from '../sides.ts';
import type { Digits } from './digits.ts';

export const tfjsIds = ['tfjs', 'tfours'] as const;
export type TrainingId = Side | (typeof tfjsIds)[number];
export const trainingIds: readonly TrainingId[] = [...sides, ...tfjsIds];

/** Every so many steps are tested, and looked at: a test costs about as much as four steps. */
export const STEPS_BETWEEN_TESTS = 5;

/**
 * Called after each step of an optimizer whose `monitor` is true at first: figures that come five steps late look as if
 * they were missing.
 */
export function monitorSeldom(optimizer: Optimizer): void {
  if (optimizer.iterations === 1) optimizer.monitor = { every: STEPS_BETWEEN_TESTS };
}

export interface Training {
  /** Of the batch before the last step; NaN before the first. */
  readonly loss: number;
  /** The optimizer's own part of a step, and the whole. */
  readonly optimizerTimer: StepTimer;
  readonly trainingTimer: StepTimer;
  /** What the last update that was looked at was like; there is none of an optimizer that is not ours. */
  readonly report: Report | null;
  learningRate: number;
  step(batch: Digits): void;
  predict(digits: Digits): Uint8Array;
  /** The first layer's kernel: a row of hidden units per pixel. */
  kernel(): Float32Array;
  dispose(): void;
}
