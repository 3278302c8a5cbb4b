// The package as its users call it: variables in the engine with their own gradient buffers, the same with
// gradients of the JavaScript heap, and plain arrays for both.
import { Adam, Adamax, Variable } from '../../../dist/index.js';
import { gradientOf, hyper, weightsOf } from './data.mjs';

const classes = { adam: Adam, adamax: Adamax };

/** A variable with its gradient filled in. */
export const variableOf = (n) => variablesOf(1, n)[0];

/** Several: first the model, then, as by a first backward pass, the gradients. */
export function variablesOf(count, n) {
  const variables = Array.from({ length: count }, (_, k) => new Variable(weightsOf(n), { name: `w${k}` }));
  for (const { gradient } of variables) gradient.set(gradientOf(n));
  return variables;
}

export function optimizerFor(rule, parameters, options = {}) {
  const optimizer = new classes[rule]({ ...hyper, ...options });
  optimizer.build(parameters);
  return optimizer;
}

export function resident(rule, n) {
  const variable = variableOf(n);
  const optimizer = optimizerFor(rule, [variable]);
  return {
    name: 'resident',
    run: () => optimizer.step(),
    values: () => variable.value,
    dispose() {
      optimizer.dispose();
      variable.dispose();
    },
  };
}

export function plainGradients(rule, n) {
  const variable = new Variable(weightsOf(n));
  const optimizer = optimizerFor(rule, [variable]);
  const gradients = [gradientOf(n)];
  return {
    name: 'plain gradients',
    run: () => optimizer.apply(gradients),
    values: () => variable.value,
    dispose() {
      optimizer.dispose();
      variable.dispose();
    },
  };
}

export function plainArrays(rule, n) {
  const weights = weightsOf(n);
  const optimizer = optimizerFor(rule, [weights]);
  const gradients = [gradientOf(n)];
  return {
    name: 'plain arrays',
    run: () => optimizer.apply(gradients),
    values: () => weights,
    dispose: () => optimizer.dispose(),
  };
}
