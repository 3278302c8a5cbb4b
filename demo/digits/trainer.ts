// One network trained by one optimizer: every tensor is an engine-resident Variable, gradients are written
// where the engine reads them, and a training step ends with the library's step(). It keeps time of both.
import { type Optimizer, type Report, Variable } from 'simdescent';
import { makeOptimizer, type RunnerId } from '../optimizers.ts';
import { StepTimer } from '../page/step-timer.ts';
import type { Digits } from './digits.ts';
import { Network, type Tensors, tensors } from './network.ts';
import { monitorSeldom, type Training } from './training.ts';

export class Trainer implements Training {
  loss = Number.NaN;
  readonly optimizerTimer = new StepTimer();
  readonly trainingTimer = new StepTimer();
  readonly #variables: readonly Variable[];
  readonly #optimizer: Optimizer;
  readonly #network: Network;

  constructor(id: RunnerId, start: Tensors, learningRate: number, largestBatch: number) {
    this.#network = new Network(largestBatch);
    this.#variables = tensors.map(
      ({ name, path, shape }, index) => new Variable(start[index], { name, path, shape: [...shape] }),
    );
    this.#optimizer = makeOptimizer(id, { learningRate }, { monitor: true });
    this.#optimizer.build([...this.#variables]);
  }

  get report(): Report | null {
    return this.#optimizer.report;
  }

  get learningRate(): number {
    return this.#optimizer.learningRate;
  }

  set learningRate(rate: number) {
    this.#optimizer.learningRate = rate;
  }

  step(batch: Digits): void {
    const begin = performance.now();
    // Gradient buffers come into being on first use and may make the memory grow: ask for them first, and
    // for the values each time.
    const gradients = this.#views((variable) => variable.gradient);
    this.loss = this.#network.lossAndGradients(batch, this.#parameters, gradients);
    const differentiated = performance.now();
    this.#optimizer.step();
    const end = performance.now();
    monitorSeldom(this.#optimizer);
    this.optimizerTimer.add(end - differentiated);
    this.trainingTimer.add(end - begin);
  }

  predict(digits: Digits): Uint8Array {
    return this.#network.predict(digits, this.#parameters);
  }

  kernel(): Float32Array {
    return this.#parameters[0];
  }

  dispose(): void {
    this.#optimizer.dispose();
    for (const variable of this.#variables) variable.dispose();
  }

  get #parameters(): Tensors {
    return this.#views((variable) => variable.value);
  }

  #views(view: (variable: Variable) => Float32Array): Tensors {
    const [kernel, bias, outputKernel, outputBias] = this.#variables;
    return [view(kernel), view(bias), view(outputKernel), view(outputBias)];
  }
}
