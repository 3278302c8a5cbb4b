// Buffers that a step reads and writes at once: a gradient that is the value of a variable, or one for two variables.
// The result is that of copies, as with arrays (tests/node/aliases.test.mjs).
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Adam, constraints, init, SGD, Variable } from '../../dist/index.js';
import { randomFloats } from '../node/helpers.mjs';
import { openGpu } from './adapter.mjs';
import { bufferWith, usage } from './helpers.mjs';

await init();

const close = (got, expected, what) =>
  got.forEach((x, i) => {
    const y = expected[i];
    const isSame = Object.is(x, y) || Math.abs(x - y) <= 1e-5 * Math.max(1, Math.abs(y));
    assert.ok(isSame, `${what}: element ${i} is ${x} instead of ${y}`);
  });

describe('buffers for two things at once', () => {
  for (const size of [8, 3000, 2 ** 18])
    for (const [name, pick] of Object.entries({
      'the other variable’s value': ([a, b]) => [b, a],
      'its own value': ([a, b]) => [a, b],
      'one value for both': ([a]) => [a, a],
      'one buffer for both': (_, g) => [g, g],
    }))
      for (const make of [() => new SGD({ learningRate: 0.5 }), () => new Adam({ clipnorm: 1 })])
        test(`${name}, ${size} elements, ${make().name}`, async () => {
          const gpu = await openGpu();
          const values = [randomFloats(size, 1), randomFloats(size, 2)];
          const gradient = randomFloats(size, 3);
          const all = usage.storage | usage.copySrc | usage.copyDst;
          const buffers = values.map((v) => {
            const buffer = gpu.device.createBuffer({ size: size * 4, usage: all });
            gpu.device.queue.writeBuffer(buffer, 0, v);
            return buffer;
          });
          const wrapped = buffers.map((buffer, k) => gpu.wrap(buffer, { name: `w${k}` }));
          const optimizer = make();
          optimizer.build(wrapped);
          optimizer.apply(pick(buffers, bufferWith(gpu, gradient)));
          await gpu.sync();
          const plain = values.map((v, k) => new Variable(v, { name: `w${k}` }));
          const other = make();
          other.build(plain);
          other.apply(pick(values, gradient).map((g) => g.slice()));
          for (const [k, w] of wrapped.entries()) close(await w.read(), plain[k].value, `w${k}`);
          for (const each of [optimizer, other, ...wrapped, ...plain]) each.dispose();
          gpu.dispose();
        });
});

describe('norms of a constraint that are no numbers', () => {
  const { MinMaxNorm, MaxNorm, UnitNorm } = constraints;
  const rows = [
    [0, 0, 0],
    [1, 2, 2],
    [Number.NaN, 1, 1],
    [Number.POSITIVE_INFINITY, 1, 1],
    [3e20, 1, 1],
    [1e-30, 0, 0],
  ];
  for (const [name, constraint] of Object.entries({
    MinMaxNorm: new MinMaxNorm({ minValue: 0.5, maxValue: 1, axis: 1 }),
    'MinMaxNorm in part': new MinMaxNorm({ minValue: 0.5, maxValue: 1, rate: 0.5, axis: 1 }),
    MaxNorm: new MaxNorm({ maxValue: 1, axis: 1 }),
    UnitNorm: new UnitNorm({ axis: 1 }),
  }))
    test(`${name}: NaN where the engine, and Keras, have it`, async () => {
      const gpu = await openGpu();
      const values = Float32Array.from(rows.flat());
      const make = () => new Variable(values, { name: 'v', shape: [rows.length, 3], constraint });
      const [there, here] = [make(), make()];
      const [one, two] = [new SGD({ learningRate: 0 }), new SGD({ learningRate: 0 })];
      one.build([there]);
      two.build([here]);
      await one.offload(gpu, { minSize: 0 });
      for (const o of [one, two]) o.apply([new Float32Array(values.length)]);
      const got = await there.read();
      close(got, here.value, name);
      for (const each of [one, two, there, here]) each.dispose();
      gpu.dispose();
    });
});
