// Trains the recorded little network (64-32-10, softmax cross-entropy) on real digits, with its forward and
// backward pass written out in float32 here, so that only the optimizer under test moves the weights.
import { within } from './compare.mjs';
import { decodeBase64 } from './load.mjs';
import { configured, residentVariables, valuesOf } from './subject.mjs';

const LOSS_TOLERANCE = 1e-5;
const WEIGHT_TOLERANCE = 1e-4; // the last step of 300, after which small differences have grown
const [PIXELS, HIDDEN, CLASSES] = [64, 32, 10];
const f = Math.fround;

/** out[n, cols] = input[n, rows] · weights[rows, cols] + bias */
function dense(input, weights, bias, rows, cols) {
  const n = input.length / rows;
  const out = new Float32Array(n * cols);
  for (let i = 0; i < n; i++) {
    const sums = out.subarray(i * cols, (i + 1) * cols);
    for (let r = 0; r < rows; r++) {
      const x = input[i * rows + r];
      if (x === 0) continue;
      for (let c = 0; c < cols; c++) sums[c] += f(x * weights[r * cols + c]);
    }
    for (let c = 0; c < cols; c++) sums[c] += bias[c];
  }
  return out;
}

/** Softmax in place; returns the mean cross-entropy. */
function softmaxLoss(logits, labels) {
  const n = labels.length;
  const losses = new Float32Array(n);
  for (let i = 0; i < n; i++) {
    const row = logits.subarray(i * CLASSES, (i + 1) * CLASSES);
    const max = Math.max(...row);
    const label = f(row[labels[i]] - max);
    let sum = 0;
    for (let c = 0; c < CLASSES; c++) {
      row[c] = Math.exp(f(row[c] - max));
      sum = f(sum + row[c]);
    }
    for (let c = 0; c < CLASSES; c++) row[c] /= sum;
    losses[i] = f(f(Math.log(sum)) - label);
  }
  return f(losses.reduce((a, b) => a + b, 0) / n);
}

/** The gradients of weights [rows, cols] and bias for an upstream gradient [n, cols]. */
function denseGradients(input, upstream, rows, cols) {
  const n = input.length / rows;
  const weights = new Float32Array(rows * cols);
  const bias = new Float32Array(cols);
  for (let i = 0; i < n; i++) {
    const up = upstream.subarray(i * cols, (i + 1) * cols);
    for (let c = 0; c < cols; c++) bias[c] += up[c];
    for (let r = 0; r < rows; r++) {
      const x = input[i * rows + r];
      if (x === 0) continue;
      for (let c = 0; c < cols; c++) weights[r * cols + c] += f(x * up[c]);
    }
  }
  return [weights, bias];
}

function forward([w1, b1, w2, b2], x) {
  const hidden = dense(x, w1, b1, PIXELS, HIDDEN).map((v) => Math.max(v, 0));
  return { hidden, logits: dense(hidden, w2, b2, HIDDEN, CLASSES) };
}

function lossAndGrads(weights, x, labels) {
  const n = labels.length;
  const { hidden, logits } = forward(weights, x);
  const loss = softmaxLoss(logits, labels);
  labels.forEach((label, i) => {
    logits[i * CLASSES + label] -= 1;
  });
  const upstream = logits.map((p) => p / n);
  const [w2, b2] = denseGradients(hidden, upstream, HIDDEN, CLASSES);
  const back = new Float32Array(n * HIDDEN);
  for (let i = 0; i < n; i++) {
    for (let h = 0; h < HIDDEN; h++) {
      if (hidden[i * HIDDEN + h] === 0) continue;
      let sum = 0;
      for (let c = 0; c < CLASSES; c++) {
        sum = f(sum + f(upstream[i * CLASSES + c] * weights[2][h * CLASSES + c]));
      }
      back[i * HIDDEN + h] = sum;
    }
  }
  const [w1, b1] = denseGradients(x, back, PIXELS, HIDDEN);
  return { loss, grads: [w1, b1, w2, b2] };
}

/** Decodes what all runs share: the images, the order of the batches, the first weights. */
export function prepareDigits(body) {
  const x = Float32Array.from(decodeBase64(body.data.x), (pixel) => pixel / 16);
  const [count, size] = body.batches.shape;
  const order = decodeBase64(body.batches);
  const flat = decodeBase64(body.initial_weights);
  let start = 0;
  const variables = body.model.variables.map((v) => {
    const length = v.shape.reduce((a, b) => a * b, 1);
    start += length;
    return { ...v, values: flat.slice(start - length, start) };
  });
  const batches = Array.from({ length: count }, (_, k) => order.subarray(k * size, (k + 1) * size));
  return { x, y: decodeBase64(body.data.y), batches, variables };
}

function pick(digits, indices) {
  const x = new Float32Array(indices.length * PIXELS);
  indices.forEach((i, k) => {
    x.set(digits.x.subarray(i * PIXELS, (i + 1) * PIXELS), k * PIXELS);
  });
  return { x, labels: Uint8Array.from(indices, (i) => digits.y[i]) };
}

function evaluate(weights, digits) {
  const { logits } = forward(weights, digits.x);
  let right = 0;
  digits.y.forEach((label, i) => {
    const row = logits.subarray(i * CLASSES, (i + 1) * CLASSES);
    if (row.indexOf(Math.max(...row)) === label) right++;
  });
  return { accuracy: right / digits.y.length, loss: softmaxLoss(logits, digits.y) };
}

/** The failures of one of the recorded runs. */
export function runDigits(entry, digits) {
  const testCase = { ...entry, source: 'keras', variables: digits.variables };
  const variables = residentVariables(testCase);
  const optimizer = configured(testCase);
  const failures = [];
  try {
    const names = entry.excludeFromWeightDecay?.var_names;
    if (names) optimizer.excludeFromWeightDecay({ varNames: names });
    digits.batches.forEach((indices, k) => {
      const { x, labels } = pick(digits, indices);
      const { loss, grads } = lossAndGrads(variables.map(valuesOf), x, labels);
      optimizer.apply(grads, variables);
      const difference = within([loss], [entry.loss[k]], LOSS_TOLERANCE);
      if (difference) failures.push({ what: 'loss', step: k, ...difference, tolerance: LOSS_TOLERANCE });
    });
    if (entry.finalize) optimizer.finalizeVariableValues(variables);
    const weights = variables.map(valuesOf);
    failures.push(...checkFinal(entry.final, weights, evaluate(weights, digits), digits.y.length));
  } finally {
    optimizer.dispose();
    for (const v of variables) v.dispose();
  }
  return failures;
}

function checkFinal(final, weights, { accuracy, loss }, count) {
  const failures = [];
  const check = (what, got, expected, tolerance) => {
    const difference = within(got, expected, tolerance);
    if (difference) failures.push({ what, ...difference, tolerance });
  };
  check('final loss', [loss], [final.train_loss], LOSS_TOLERANCE);
  check('final accuracy', [accuracy], [final.train_accuracy], 1.5 / count);
  const flat = new Float32Array(weights.reduce((sum, w) => sum + w.length, 0));
  let offset = 0;
  for (const w of weights) {
    flat.set(w, offset);
    offset += w.length;
  }
  check('final weights', flat, decodeBase64(final.weights), WEIGHT_TOLERANCE);
  return failures;
}
