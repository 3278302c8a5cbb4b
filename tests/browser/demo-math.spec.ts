// The demo's own arithmetic, without a page: gradients against finite differences, minima, and the digit
// network with the library's optimizers against losses recorded from Keras.
import { expect, test } from '@playwright/test';
import * as simdescent from 'simdescent';
import { splitDigits } from '../../demo/digits.ts';
import { Network, type Tensors, tensors } from '../../demo/network.ts';
import { surfaces } from '../../demo/surfaces.ts';
import vectors from '../vectors/digits-mlp.json' with { type: 'json' };

for (const surface of surfaces) {
  test(`${surface.label}: the gradient is the slope, the minima are zero and flat`, () => {
    const nudge = 1e-5;
    for (let index = 0; index < 200; index++) {
      const x = surface.x[0] + ((index * 0.137) % 1) * (surface.x[1] - surface.x[0]);
      const y = surface.y[0] + ((index * 0.291) % 1) * (surface.y[1] - surface.y[0]);
      const slopes = [
        (surface.loss(x + nudge, y) - surface.loss(x - nudge, y)) / (2 * nudge),
        (surface.loss(x, y + nudge) - surface.loss(x, y - nudge)) / (2 * nudge),
      ];
      surface.gradient(x, y).forEach((value, axis) => {
        expect(Math.abs(value - slopes[axis])).toBeLessThan(1e-4 * Math.max(1, Math.abs(slopes[axis])));
      });
    }
    for (const minimum of surface.minima) {
      expect(surface.loss(...minimum)).toBeLessThan(1e-20);
      for (const slope of surface.gradient(...minimum)) expect(Math.abs(slope)).toBeLessThan(1e-9);
    }
  });
}

const bytesOf = ({ base64 }: { base64: string }) =>
  Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));

for (const run of vectors.runs.filter(({ id }) => ['adam', 'adamax', 'adam-lr', 'adamax-lr'].includes(id))) {
  test(`the network with ${run.optimizer} follows the losses of Keras (${run.id})`, async () => {
    await simdescent.init();
    const weights = new Float32Array(bytesOf(vectors.initial_weights).buffer);
    let taken = 0;
    const variables = tensors.map(({ name, path, shape }) => {
      const size = shape.reduce((product: number, extent) => product * extent, 1);
      const values = weights.subarray(taken, taken + size);
      taken += size;
      return new simdescent.Variable(values, { name, path, shape: [...shape] });
    });
    expect(taken).toBe(weights.length);
    const Optimizer = run.optimizer === 'Adam' ? simdescent.Adam : simdescent.Adamax;
    const optimizer = new Optimizer({ learningRate: Number(run.config.learning_rate) });
    optimizer.build(variables);

    const pixels = bytesOf(vectors.data.x);
    const labels = bytesOf(vectors.data.y);
    const batches = new Uint16Array(bytesOf(vectors.batches).buffer);
    const [steps, size] = vectors.batches.shape;
    const network = new Network(size);
    const gradients = variables.map((variable) => variable.gradient) as unknown as Tensors;
    for (let step = 0; step < steps; step++) {
      const indices = Array.from(batches.subarray(step * size, (step + 1) * size));
      const batch = {
        count: size,
        images: Float32Array.from(
          indices.flatMap((index) => [...pixels.subarray(64 * index, 64 * index + 64)]),
          (pixel) => pixel / 16,
        ),
        labels: Uint8Array.from(indices, (index) => labels[index]),
      };
      const values = variables.map((variable) => variable.value) as unknown as Tensors;
      const loss = network.lossAndGradients(batch, values, gradients);
      expect(Math.abs(loss - run.loss[step]), `loss before step ${step}`).toBeLessThan(1e-5);
      optimizer.step();
    }
    optimizer.dispose();
    for (const variable of variables) variable.dispose();
  });
}

test('every digit is either for training or for testing', () => {
  const pixels = bytesOf(vectors.data.x);
  const { training, test: held } = splitDigits(Uint8Array.from([...pixels, ...bytesOf(vectors.data.y)]));
  expect([training.count, held.count]).toEqual([1498, 299]);
  expect(Math.max(...training.images)).toBe(1);
  expect(Array.from(held.images.subarray(0, 64), (ink) => ink * 16)).toEqual([
    ...pixels.subarray(5 * 64, 6 * 64),
  ]);
  const total = (labels: Uint8Array) => labels.reduce((sum, label) => sum + label, 0);
  expect(total(training.labels) + total(held.labels)).toBe(total(bytesOf(vectors.data.y)));
});
