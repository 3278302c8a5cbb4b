// A small classifier: 64 inputs, 32 hidden units with ReLU, 10 classes with softmax and cross-entropy.
// Forward and backward pass over a batch in float32 arrays. It holds no parameters and applies no updates:
// parameters and gradients are passed in, so that they may live anywhere.

import { uniformNumbers } from '../page/random.ts';
import { CLASSES, type Digits, PIXELS } from './digits.ts';

const HIDDEN = 32;

/** The parameter tensors, in the order in which every function here takes them. */
export const tensors = [
  { name: 'kernel', path: 'dense/kernel', shape: [PIXELS, HIDDEN] },
  { name: 'bias', path: 'dense/bias', shape: [HIDDEN] },
  { name: 'kernel', path: 'dense_1/kernel', shape: [HIDDEN, CLASSES] },
  { name: 'bias', path: 'dense_1/bias', shape: [CLASSES] },
] as const;

export type Tensors = readonly [
  kernel: Float32Array,
  bias: Float32Array,
  outputKernel: Float32Array,
  outputBias: Float32Array,
];

/** Kernels uniform within Glorot's limit, biases zero, as Keras' Dense layers begin. */
export function initialTensors(seed: number): Tensors {
  const random = uniformNumbers(seed);
  const kernel = (inputs: number, outputs: number) => {
    const limit = Math.sqrt(6 / (inputs + outputs));
    return Float32Array.from({ length: inputs * outputs }, () => limit * (2 * random() - 1));
  };
  return [
    kernel(PIXELS, HIDDEN),
    new Float32Array(HIDDEN),
    kernel(HIDDEN, CLASSES),
    new Float32Array(CLASSES),
  ];
}

export class Network {
  readonly #hidden: Float32Array;
  readonly #hiddenGradient: Float32Array;
  /** Class scores, then probabilities, then their gradient: each is made from the one before, in place. */
  readonly #scores: Float32Array;

  constructor(largestBatch: number) {
    this.#hidden = new Float32Array(largestBatch * HIDDEN);
    this.#hiddenGradient = new Float32Array(largestBatch * HIDDEN);
    this.#scores = new Float32Array(largestBatch * CLASSES);
  }

  /** Overwrites the gradients with those of the mean loss over the batch, and returns that loss. */
  lossAndGradients(batch: Digits, parameters: Tensors, gradients: Tensors): number {
    const { count, images, labels } = batch;
    const outputKernel = parameters[2];
    const [kernelGradient, biasGradient, outputKernelGradient, outputBiasGradient] = gradients;
    const hidden = this.#hidden;
    const hiddenGradient = this.#hiddenGradient;
    this.#forward(batch, parameters);
    const probabilities = this.#scores;
    const loss = softmaxLoss(probabilities, labels, count);
    const scoreGradient = probabilities;
    for (let row = 0; row < count; row++) scoreGradient[row * CLASSES + labels[row]] -= 1;
    for (let index = 0; index < count * CLASSES; index++) scoreGradient[index] /= count;

    for (const gradient of gradients) gradient.fill(0);
    for (let row = 0; row < count; row++) {
      for (let unit = 0; unit < HIDDEN; unit++) {
        const activation = hidden[row * HIDDEN + unit];
        let back = 0;
        for (let label = 0; label < CLASSES; label++) {
          const delta = scoreGradient[row * CLASSES + label];
          outputKernelGradient[unit * CLASSES + label] += activation * delta;
          back += delta * outputKernel[unit * CLASSES + label];
        }
        hiddenGradient[row * HIDDEN + unit] = activation > 0 ? back : 0;
      }
      addRow(outputBiasGradient, scoreGradient, row * CLASSES);
      addRow(biasGradient, hiddenGradient, row * HIDDEN);
      for (let pixel = 0; pixel < PIXELS; pixel++) {
        const ink = images[row * PIXELS + pixel];
        if (ink === 0) continue; // about half of all pixels
        for (let unit = 0; unit < HIDDEN; unit++) {
          kernelGradient[pixel * HIDDEN + unit] += ink * hiddenGradient[row * HIDDEN + unit];
        }
      }
    }
    return loss;
  }

  /** The most likely class of every image. */
  predict(batch: Digits, parameters: Tensors): Uint8Array {
    this.#forward(batch, parameters);
    return Uint8Array.from({ length: batch.count }, (_, row) => {
      const scores = this.#scores.subarray(row * CLASSES, (row + 1) * CLASSES);
      return scores.indexOf(Math.max(...scores));
    });
  }

  #forward({ count, images }: Digits, [kernel, bias, outputKernel, outputBias]: Tensors): void {
    const hidden = this.#hidden;
    const scores = this.#scores;
    for (let row = 0; row < count; row++) {
      const first = row * HIDDEN;
      hidden.set(bias, first);
      for (let pixel = 0; pixel < PIXELS; pixel++) {
        const ink = images[row * PIXELS + pixel];
        if (ink === 0) continue;
        for (let unit = 0; unit < HIDDEN; unit++) hidden[first + unit] += ink * kernel[pixel * HIDDEN + unit];
      }
      const firstScore = row * CLASSES;
      scores.set(outputBias, firstScore);
      for (let unit = 0; unit < HIDDEN; unit++) {
        const activation = Math.max(0, hidden[first + unit]);
        hidden[first + unit] = activation;
        for (let label = 0; label < CLASSES; label++) {
          scores[firstScore + label] += activation * outputKernel[unit * CLASSES + label];
        }
      }
    }
  }
}

/** Turns scores into probabilities, in place, and returns the mean cross-entropy. */
function softmaxLoss(scores: Float32Array, labels: Uint8Array, count: number): number {
  let total = 0;
  for (let row = 0; row < count; row++) {
    const scoresOfRow = scores.subarray(row * CLASSES, (row + 1) * CLASSES);
    const highest = Math.max(...scoresOfRow);
    let sum = 0;
    for (const score of scoresOfRow) sum += Math.exp(score - highest);
    total += Math.log(sum) - (scoresOfRow[labels[row]] - highest);
    for (let label = 0; label < CLASSES; label++) {
      scoresOfRow[label] = Math.exp(scoresOfRow[label] - highest) / sum;
    }
  }
  return total / count;
}

function addRow(sums: Float32Array, rows: Float32Array, from: number): void {
  for (let index = 0; index < sums.length; index++) sums[index] += rows[from + index];
}
