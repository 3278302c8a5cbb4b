// The same network, weights and batches in TensorFlow.js on its wasm backend, trained by its own Adam or, in its
// own memory, by this library's. This file and TensorFlow.js are loaded only when somebody asks for them.

import type * as TF from '@tensorflow/tfjs-core';
import { Adam, type Report } from 'simdescent';
import { tfOptimizer } from 'simdescent/tfjs';
import { StepTimer } from '../page/step-timer.ts';
import { ready, tf } from '../page/tensorflow.ts';
import { CLASSES, type Digits, PIXELS } from './digits.ts';
import { type Tensors, tensors } from './network.ts';
import { monitorSeldom, type Training } from './training.ts';

export const tfjsReady = () => ready('wasm');

export class TfjsTrainer implements Training {
  loss = Number.NaN;
  readonly optimizerTimer = new StepTimer();
  readonly trainingTimer = new StepTimer();
  readonly #variables: readonly TF.Variable[];
  readonly #optimizer: TF.Optimizer;
  readonly #ours: Adam | null;
  /** Whose learning rate is the one in force. */
  readonly #rated: { learningRate: number };

  constructor(id: 'tfjs' | 'tfours', start: Tensors, learningRate: number) {
    this.#variables = tensors.map(({ shape }, index) =>
      tf.variable(tf.tensor(start[index].slice(), [...shape])),
    );
    if (id === 'tfjs') {
      // Keras' constants; TensorFlow.js puts epsilon elsewhere in the formula.
      this.#optimizer = tf.train.adam(learningRate, 0.9, 0.999, 1e-7);
      this.#ours = null;
      this.#rated = this.#optimizer as unknown as { learningRate: number };
    } else {
      this.#ours = new Adam({ learningRate, monitor: true });
      this.#optimizer = tfOptimizer(this.#ours);
      this.#rated = this.#ours;
    }
  }

  get report(): Report | null {
    return this.#ours?.report ?? null;
  }

  get learningRate(): number {
    return this.#rated.learningRate;
  }

  set learningRate(rate: number) {
    this.#rated.learningRate = rate;
  }

  step({ count, images, labels }: Digits): void {
    const begin = performance.now();
    const { value, grads } = tf.tidy(() => {
      const x = tf.tensor2d(images, [count, PIXELS]);
      const wanted = tf.oneHot(tf.tensor1d(labels, 'int32'), CLASSES);
      return tf.variableGrads(
        () => tf.losses.softmaxCrossEntropy(wanted, this.#scores(x)) as TF.Scalar,
        [...this.#variables],
      );
    });
    [this.loss] = value.dataSync();
    const differentiated = performance.now();
    this.#optimizer.applyGradients(grads as never);
    const end = performance.now();
    if (this.#ours) monitorSeldom(this.#ours);
    tf.dispose([value, grads]);
    this.optimizerTimer.add(end - differentiated);
    this.trainingTimer.add(end - begin);
  }

  predict({ count, images }: Digits): Uint8Array {
    return tf.tidy(() => {
      const scores = this.#scores(tf.tensor2d(images, [count, PIXELS]));
      return Uint8Array.from(tf.argMax(scores, 1).dataSync());
    });
  }

  kernel(): Float32Array {
    return this.#variables[0].dataSync() as Float32Array;
  }

  dispose(): void {
    this.#optimizer.dispose();
    for (const variable of this.#variables) variable.dispose();
  }

  #scores(x: TF.Tensor2D): TF.Tensor2D {
    const [kernel, bias, outputKernel, outputBias] = this.#variables;
    const hidden = tf.relu(tf.add(tf.matMul(x, kernel as TF.Tensor2D), bias)) as TF.Tensor2D;
    return tf.add(tf.matMul(hidden, outputKernel as TF.Tensor2D), outputBias);
  }
}
