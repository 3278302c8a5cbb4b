// The training that goes to a cluster and back (docs/python.md): a linear model whose second bias has no gradient in
// the page, and one only in PyTorch. The same data in both languages: tests/python/torch_cluster.py.
import { AdamW, Variable } from '../../dist/index.js';

const rows = 8;
const x = (i, j) => (((i * 7 + j * 3) % 11) - 5) / 8;
const y = (i, k) => (((i * 5 + k * 2) % 7) - 3) / 4;

/** The gradients of half the mean squared error of x·Wᵀ + b (+ late, if that takes part). */
export function gradients([weight, bias, late], withLate) {
  const [dw, db] = [new Float64Array(6), new Float64Array(2)];
  for (let i = 0; i < rows; i++)
    for (let k = 0; k < 2; k++) {
      let error = bias.value[k] + (withLate ? late.value[k] : 0) - y(i, k);
      for (let j = 0; j < 3; j++) error += weight.value[3 * k + j] * x(i, j);
      for (let j = 0; j < 3; j++) dw[3 * k + j] += (error * x(i, j)) / rows;
      db[k] += error / rows;
    }
  return [Float32Array.from(dw), Float32Array.from(db), withLate ? Float32Array.from(db) : null];
}

export const variablesOf = ({ weight, bias, late }) => [
  new Variable(weight, { path: 'weight', shape: [2, 3] }),
  new Variable(bias, { path: 'bias' }),
  new Variable(late, { path: 'late' }),
];

/** Three steps in the page. */
export function trained() {
  const variables = variablesOf({
    weight: [0.5, -0.25, 0.125, 0.75, -0.5, 0.25],
    bias: [0, 0],
    late: [0, 0],
  });
  const optimizer = new AdamW({ learningRate: 0.0625, weightDecay: 0.125, compat: 'torch' });
  for (let t = 0; t < 3; t++) optimizer.apply(gradients(variables, false), variables);
  return { variables, optimizer };
}

export const weightsOf = (variables) =>
  Object.fromEntries(variables.map(({ path, value }) => [path, [...value]]));
