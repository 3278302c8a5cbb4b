// Every update rule on the GPU, beside the engine: variables that are built there, that move there in the middle of a
// training and come back, and state that begins with a hyperparameter or with the weights.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { every } from '../node/every.mjs';
import { shareGpu } from './adapter.mjs';
import { assertNear, gradientsOf, pair } from './helpers.mjs';

const shapes = [[1], [6, 11], [100, 50], [3, 20, 10]];
const sizes = shapes.map((shape) => shape.reduce((a, b) => a * b, 1));
const shaped = (i) => ({ shape: shapes[i] });
/** The options that every rule is mixed with, in turn. */
const mixes = [
  {},
  { weightDecay: 0.05, clipnorm: 0.5, gradientAccumulationSteps: 2 },
  { useEma: true, emaMomentum: 0.9, globalClipnorm: 1, lossScaleFactor: 3 },
  { clipvalue: 0.3, maximize: true, useEma: true, emaOverwriteFrequency: 2 },
];

describe('the rules on the GPU', () => {
  let gpu;
  shareGpu((opened) => {
    gpu = opened;
  });

  /** State and variables, wherever they are now, of both. */
  async function assertSameState(p, message) {
    await p.assertSame(message);
    const [ours, theirs] = [p.onGpu, p.cpu].map((o) => o.variables);
    theirs.forEach(({ path, value }, k) => {
      assert.equal(ours[k].path, path);
      if (typeof value === 'number') assert.equal(ours[k].value, value, `${message}: ${path}`);
      else assertNear(ours[k].value, value, `${message}: ${path}`);
    });
  }

  for (const [k, { name, Class, options }] of every.entries()) {
    const mixed = mixes[k % mixes.length];
    const make = () => new Class({ ...mixed, ...options, learningRate: 0.01 });
    test(`${name} with ${JSON.stringify(mixed)}`, async () => {
      const p = pair(gpu, make, sizes, shaped);
      const step = async (t) => {
        const without = t === 3 || t === 7 ? 1 : -1; // PyTorch's counts are each variable's own
        const gradients = gradientsOf(sizes, t).map((g, i) => (i === without ? null : g));
        for (const each of [p.cpu, p.onGpu]) await each.apply(gradients);
      };
      for (let t = 1; t <= 4; t++) await step(t);
      await p.onGpu.onload();
      await assertSameState(p, 'onloaded');
      await step(5);
      await p.onGpu.offload(gpu, { minSize: 2 });
      for (let t = 6; t <= 8; t++) await step(t);
      await p.onGpu.onload();
      await assertSameState(p, 'moved twice');
      p.dispose();
    });
  }

  test('the state begins on the GPU as it begins in the engine, to the bit', async () => {
    for (const { name, Class, options } of every) {
      const p = pair(gpu, () => new Class(options), sizes, shaped);
      await p.onGpu.onload();
      assert.deepEqual(p.onGpu.getWeights(), p.cpu.getWeights(), name);
      p.dispose();
    }
  });
});
