// Before anything is timed: all variants of a step compute the same thing. A fast loop that does something else
// would be no comparison. Three steps on a small tensor with a tail, against the plain JavaScript loop. A variant
// shows its weights by `values()`; those that share their arrays start anew by `restart()`.
import { loop } from './variants/javascript.mjs';
import { plainArrays, plainGradients, resident } from './variants/library.mjs';
import { moduleVariants } from './variants/modules.mjs';

const size = 1003;
const steps = 3;
const allowed = 2e-6; // absolute, of weights below 1: roundings, and the others' other place for epsilon

/** What the loop has, for tensors of `size`. */
export function expectedOf(rule) {
  const expected = loop(rule, size);
  for (let k = 0; k < steps; k++) expected.run();
  return { size, values: expected.values() };
}

/** @throws Error that names the first variant that differs. */
export async function checkAgreement(rules, others) {
  for (const rule of rules) {
    const expected = expectedOf(rule);
    const makers = [resident, plainGradients, plainArrays];
    makers.push(...others);
    for (const make of makers) {
      const variant = await make(rule, size);
      if (variant) await check(rule, variant, expected.values);
    }
    for (const variant of moduleVariants(rule, size))
      if (variant.restart) await check(rule, variant, expected.values);
  }
}

export async function check(rule, variant, expected) {
  await variant.enter?.();
  variant.restart?.();
  if (variant.turn) await variant.turn(steps);
  else for (let k = 0; k < steps; k++) variant.run();
  const got = await variant.values();
  for (let i = 0; i < size; i++) {
    if (!(Math.abs(got[i] - expected[i]) <= allowed))
      throw new Error(
        `${rule}, ${variant.name}: element ${i} is ${got[i]} after ${steps} steps, the JavaScript loop has ${expected[i]}.`,
      );
  }
  await variant.dispose?.();
}
