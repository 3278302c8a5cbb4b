// What the slots of a rule hold before the first update: zeros as they are made, a hyperparameter's value, or a copy
// of the variable. Which is the rule's to say (cpp/kernels/rule.h).
import { ruleFacts, type SlotFacts } from '../engine/facts.js';
import type { Stepping } from './stepping.js';
import type { Target } from './target.js';

/** The shape of a slot: of a matrix, its rows or columns (a number for what is none), or nothing; else the variable's. */
export function slotShape({ extent }: SlotFacts, { shape, matrix }: Target): readonly number[] | null {
  const outer = shape.slice(0, -2);
  switch (extent) {
    case 1:
      return matrix ? [...outer, matrix[0]] : [];
    case 2:
      return matrix ? [...outer, matrix[1]] : [];
    case 3:
      return matrix ? null : shape;
  }
  return shape;
}

export const sizeOf = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);

/** @param hyper the value of a hyperparameter, by its name in the rule's facts */
export function fillSlots(stepper: Stepping, target: Target, hyper: (name: string) => number): void {
  ruleFacts(stepper.rule).slots.forEach(({ initial }, k) => {
    if (initial === '') return;
    if (initial === 'weights') {
      if (target.variable || target.array) copyToSlot(stepper, target, k);
    } else if (stepper.elsewhere?.has(target.row)) {
      const value = new Float32Array(target.size).fill(hyper(initial));
      stepper.elsewhere.slot(target.row, k).write(value);
    } else {
      stepper.slotOf(target, k).fill(hyper(initial));
    }
  });
}

/** The same for a variable whose values are only known when it is bound: the slots that are copies of it. */
export function copyToSlots(stepper: Stepping, target: Target): void {
  ruleFacts(stepper.rule).slots.forEach(({ initial }, k) => {
    if (initial === 'weights') copyToSlot(stepper, target, k);
  });
}

function copyToSlot(stepper: Stepping, target: Target, k: number): void {
  if (stepper.elsewhere?.has(target.row)) stepper.elsewhere.copyToSlot(target.row, k);
  else stepper.slotOf(target, k).set(stepper.values(target));
}
