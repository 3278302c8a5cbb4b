// A training of two small variables, for tests that compare two ways to the same numbers.
import { Adam, Variable } from '../../dist/index.js';
import { assertSameBits, randomFloats } from './helpers.mjs';

/** Values after `train(optimizer, variables)` of fresh optimizers and fresh, equal variables. */
export function valuesAfter(train, make = () => new Adam()) {
  const variables = [
    new Variable(randomFloats(7, 1), { name: 'a' }),
    new Variable(randomFloats(5, 2), { name: 'b' }),
  ];
  train(make(), variables);
  return variables.map((v) => v.value.slice());
}

/** Gradients for both of them, others for each step. */
export const grads = (k = 0) => [randomFloats(7, 10 + k), randomFloats(5, 20 + k)];

export function assertSameValues(got, expected) {
  expected.forEach((values, i) => {
    assertSameBits(got[i], values, `variable ${i}`);
  });
}
