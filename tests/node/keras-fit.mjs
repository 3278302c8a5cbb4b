// The training of tests/python/keras_fit.py as a page does it: the same rows through the same model, and the gradients
// of its mean squared error.
const rows = 16;
const batch = rows / 2;
const X = Array.from({ length: rows }, (_, i) =>
  Array.from({ length: 4 }, (_, j) => (((i * 7 + j * 3) % 11) - 5) / 8),
);
const Y = Array.from({ length: rows }, (_, i) =>
  Array.from({ length: 2 }, (_, k) => (((i * 5 + k * 2) % 7) - 3) / 4),
);

/** Of kernels and biases of a hidden layer with ReLU and of a linear one, over the rows from `begin` on. */
function gradients([kernel, bias, last, offset], begin) {
  const [hidden, outputs] = [bias.size, offset.size];
  const grads = [kernel, bias, last, offset].map(({ size }) => new Float64Array(size));
  const [w, b, v, c] = [kernel, bias, last, offset].map(({ value }) => value);
  for (let row = begin; row < begin + batch; row++) {
    const before = Array.from(b, (x, h) => X[row].reduce((sum, xj, j) => sum + xj * w[j * hidden + h], x));
    const h = before.map((x) => Math.max(0, x));
    for (let k = 0; k < outputs; k++) {
      const predicted = h.reduce((sum, x, at) => sum + x * v[at * outputs + k], c[k]);
      const slope = (2 * (predicted - Y[row][k])) / (batch * outputs);
      grads[3][k] += slope;
      for (let at = 0; at < hidden; at++) {
        grads[2][at * outputs + k] += slope * h[at];
        if (before[at] <= 0) continue;
        const inner = slope * v[at * outputs + k];
        grads[1][at] += inner;
        for (let j = 0; j < X[row].length; j++) grads[0][j * hidden + at] += inner * X[row][j];
      }
    }
  }
  return grads.map((grad) => Float32Array.from(grad));
}

/** As `model.fit`, which ends with the averages of the weights in their place, if there are any. */
export function fit({ optimizer, variables }, epochs) {
  for (let epoch = 0; epoch < epochs; epoch++)
    for (let begin = 0; begin < rows; begin += batch) optimizer.apply(gradients(variables, begin));
  optimizer.finalizeVariableValues(variables);
}
