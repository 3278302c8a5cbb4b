// The GPU beside an engine with threads, whose memory is shared: gradients and state from there and back.
import { after, before, describe, test } from 'node:test';
import { Adam, endThreads, init, Lamb, Variable } from '../../dist/index.js';
import { assertSameBits, randomFloats } from '../node/helpers.mjs';
import { openGpu } from './adapter.mjs';
import { assertNear, pair } from './helpers.mjs';

describe('an engine with threads', () => {
  let gpu;
  before(async () => {
    await init({ threads: 2 });
    gpu = await openGpu();
  });
  after(async () => {
    await gpu.sync();
    gpu.dispose();
    await endThreads();
  });

  test('moves, and uploads gradients from its memory', async () => {
    const size = 2 ** 18 + 1;
    const values = randomFloats(size, 1);
    const [moving, staying] = [0, 1].map(() => new Variable(values, { name: 'v' }));
    const optimizers = [moving, staying].map((v) => {
      const optimizer = new Adam({ learningRate: 0.1 });
      optimizer.build([v]);
      v.gradient.set(randomFloats(size, 2));
      optimizer.step();
      return optimizer;
    });
    await optimizers[0].offload(gpu, { minSize: 0 });
    assertSameBits(await moving.read(), staying.value);
    for (const o of optimizers) o.step();
    assertNear(await moving.read(), staying.value);
    await optimizers[0].onload();
    for (const each of [...optimizers, moving, staying]) each.dispose();
  });

  test('a rule in two passes: one variable there, the other one by the threads, with its bits', async () => {
    const sizes = [5000, 2 ** 18 + 1];
    const values = sizes.map((size, k) => randomFloats(size, k + 1));
    const here = values.map((v, k) => new Variable(v, { name: `v${k}` }));
    const mixed = [gpu.variable(values[0], { name: 'v0' }), new Variable(values[1], { name: 'v1' })];
    const optimizers = [here, mixed].map((variables) => {
      const optimizer = new Lamb({ learningRate: 0.1, clipnorm: 0.5, weightDecay: 0.01 });
      optimizer.build(variables);
      for (let t = 1; t <= 3; t++) optimizer.apply(sizes.map((size, k) => randomFloats(size, 10 * t + k)));
      return optimizer;
    });
    assertNear(await mixed[0].read(), here[0].value);
    assertSameBits(mixed[1].value, here[1].value);
    for (const each of [...optimizers, ...here, ...mixed]) each.dispose();
  });

  test('small variables are packed', async () => {
    const p = pair(gpu, () => new Adam(), [5, 6]);
    for (const [k, v] of [...p.here, ...p.there].entries()) v.gradient.set(randomFloats(v.size, 1 + (k % 2)));
    p.cpu.step();
    p.onGpu.step();
    await p.assertSame('packed');
    p.dispose();
  });
});
