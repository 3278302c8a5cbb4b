// What the slots of a rule hold before the first update: zeros as they are made, a hyperparameter's value, or a copy
// of the variable. Which is the rule's to say (cpp/kernels/rule.h).
import { sizeOf } from '../basics/floats.js';
import { ruleFacts, type SlotFacts } from '../engine/facts.js';
import type { Executor } from './executor.js';
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

/** How many matrices it is of; its size does not tell where they are empty. */
export const countOf = ({ shape }: Target) => sizeOf(shape.slice(0, -2));

/** @param hyper the value of a hyperparameter, by its name in the rule's facts */
export function fillSlots(executor: Executor, target: Target, hyper: (name: string) => number): void {
  ruleFacts(executor.rule).slots.forEach(({ initial }, k) => {
    if (initial === '') return;
    if (initial === 'weights') {
      if (target.variable || target.array) copyToSlot(executor, target, k);
    } else {
      const away = executor.elsewhere?.has(target.row) ? executor.elsewhere.slot(target.row, k) : null;
      const written = executor.narrowOf?.(target, k) ?? away;
      if (written) written.write(new Float32Array(target.size).fill(hyper(initial)));
      else executor.slotOf(target, k).fill(hyper(initial));
    }
  });
}

/** Whether the state of a rule needs the values of the variables. */
export const startsFromWeights = (rule: string): boolean =>
  ruleFacts(rule).slots.some(({ initial }) => initial === 'weights');

/** The same for a variable whose values are only known when it is bound: the slots that are copies of it. */
export function copyToSlots(executor: Executor, target: Target): void {
  ruleFacts(executor.rule).slots.forEach(({ initial }, k) => {
    if (initial === 'weights') copyToSlot(executor, target, k);
  });
}

function copyToSlot(executor: Executor, target: Target, k: number): void {
  if (executor.elsewhere?.has(target.row)) executor.elsewhere.copyToSlot(target.row, k);
  else executor.slotOf(target, k).set(executor.values(target));
}
