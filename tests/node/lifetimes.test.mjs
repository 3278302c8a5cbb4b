// What lives how long: disposed variables in optimizers that go on, calls that are refused after they have built, state
// of the user's own, and memory that runs out. What has not settled yet is tests/gpu/lifetimes.gpu.mjs.
import assert from 'node:assert/strict';
import { freemem } from 'node:os';
import { before, describe, test } from 'node:test';
import {
  Adafactor,
  Adam,
  Adamax,
  AdamW,
  init,
  LossScaleOptimizer,
  Muon,
  SparseGradient,
  Variable,
} from '../../dist/index.js';
import { memoryOptimizer } from '../../dist/memory.js';
import { assertRefused, assertSameBits, generator, randomFloats, runModule } from './helpers.mjs';

before(() => init());

const makers = {
  'plain Adam': () => new Adam(),
  'Adamax, clipnorm, decay': () => new Adamax({ clipnorm: 0.5, weightDecay: 0.1 }),
  'averages that overwrite': () => new AdamW({ useEma: true, emaOverwriteFrequency: 2 }),
  'averages and accumulation': () => new Adam({ useEma: true, gradientAccumulationSteps: 2, amsgrad: true }),
  'globalClipnorm, loss scale': () => new LossScaleOptimizer(new Adam({ globalClipnorm: 1 })),
};

describe('a disposed variable', () => {
  // The same steps on variables of which some are disposed, and on others that all live on.
  const compare = (make, seed, constraint) => {
    const next = generator(seed);
    const pick = (n) => Math.floor(next() * n);
    const sizes = Array.from({ length: 5 }, () => 1 + pick(next() < 0.3 ? 9000 : 40));
    const values = sizes.map((size, k) => randomFloats(size, seed * 10 + k));
    const both = [0, 1].map(() => values.map((v, k) => new Variable(v, { path: `v${k}`, constraint })));
    const [mine, theirs] = both;
    const optimizers = both.map((list) => {
      const optimizer = make();
      optimizer.build(list);
      return optimizer;
    });
    let living = sizes.map((_, k) => k);
    const strangers = [];
    for (let call = 0; call < 12; call++) {
      if (living.length > 1 && next() < 0.4) {
        const [gone] = living.splice(pick(living.length), 1);
        mine[gone].dispose();
        // Most likely they get its memory, and that of its state.
        for (let k = 0; k < 4; k++) strangers.push(new Variable(new Float32Array(sizes[gone]).fill(7)));
      }
      const stepped = living.filter((_, k) => k === call % living.length || next() < 0.7);
      const grads = stepped.map((k) => randomFloats(sizes[k], call * 100 + k));
      for (const [k, optimizer] of optimizers.entries())
        optimizer.apply(
          grads,
          stepped.map((row) => both[k][row]),
        );
      if (next() < 0.3) living = living.toReversed();
    }
    for (const k of living) assertSameBits(mine[k].value, theirs[k].value, `seed ${seed}, v${k}`);
    for (const stranger of strangers)
      assert.ok(
        stranger.value.every((x) => x === 7),
        `seed ${seed}: a stranger was written to`,
      );
    for (const each of [...optimizers, ...both.flat(), ...strangers]) each.dispose();
  };

  for (const [name, make] of Object.entries(makers))
    test(`${name}: the others go on with the same bits, and its memory is nobody's`, () => {
      for (let seed = 1; seed <= 40; seed++) compare(make, seed, seed % 4 === 0 ? (w) => w : null);
    });

  test('calls that concern all variables name it, and change nothing', () => {
    const [a, b] = [new Variable([1, 1], { path: 'a' }), new Variable([2, 2], { path: 'b' })];
    const optimizer = new Adam({ useEma: true });
    optimizer.build([a, b]);
    const bytes = optimizer.serializeState();
    b.dispose();
    const grads = [Float32Array.of(1, 1), Float32Array.of(1, 1)];
    for (const call of [
      () => optimizer.apply(grads),
      () => optimizer.apply(grads, [a, b]),
      () => optimizer.step(),
      () => optimizer.variables,
      () => optimizer.getWeights(),
      () => optimizer.setWeights([]),
      () => optimizer.serializeState(),
      () => optimizer.loadState(bytes),
      () => optimizer.saveOwnVariables({}),
      () => optimizer.finalizeVariableValues([a, b]),
      () => optimizer.statelessApply([], grads, grads),
    ])
      assert.throws(call, /'b' has been disposed/);
    assert.equal(optimizer.iterations, 0);
    assert.deepEqual([...a.value], [1, 1]);
    optimizer.apply([grads[0]], [a]);
    assert.equal(optimizer.iterations, 1);
    optimizer.dispose();
    a.dispose();
  });

  test('its state is freed at once, in every optimizer', async () => {
    const kept = new Variable([0], { path: 'kept' });
    const optimizers = [new Adam({ useEma: true }), new Adamax()];
    const round = () => {
      const large = new Variable(1 << 20, { path: 'large' });
      const built = optimizers.map((_, k) => (k ? new Adamax() : new Adam({ useEma: true })));
      for (const optimizer of built) optimizer.build([kept, large]);
      large.dispose();
      return built;
    };
    const held = [round()];
    const { memoryBytes } = await init();
    for (let k = 0; k < 100; k++) held.push(round()); // what lives on leaves no holes that nothing fits
    assert.equal((await init()).memoryBytes, memoryBytes);
    for (const optimizer of held.flat()) optimizer.dispose();
    kept.dispose();
  });
});

test('an array whose buffer was transferred away does not stop the steps of others', () => {
  const [a, b] = [Float32Array.of(1, 1), Float32Array.of(2, 2)];
  const optimizer = new Adam({ useEma: true, emaOverwriteFrequency: 2 });
  const g = Float32Array.of(1, 1);
  optimizer.build([a, b]);
  optimizer.apply([g, g]);
  structuredClone(b.buffer, { transfer: [b.buffer] });
  for (let k = 0; k < 3; k++) optimizer.apply([g], [a]);
  assert.equal(optimizer.iterations, 4);
  assert.throws(() => optimizer.apply([g, g]), /'variable_1' has been detached/);
  optimizer.dispose();
});

const detach = ({ buffer }) => structuredClone(buffer, { transfer: [buffer] });

/** Memory that grows: every view of the engine's is detached. */
async function grow() {
  const { memoryBytes } = await init();
  const held = [];
  while ((await init()).memoryBytes === memoryBytes) held.push(new Variable(1 << 23));
  for (const variable of held) variable.dispose();
}

describe('an array of no elements is stepped whatever becomes of its buffer', () => {
  const options = [
    {},
    { clipnorm: 0.5 },
    { globalClipnorm: 0.5, gradientAccumulationSteps: 2 },
    { useEma: true, emaOverwriteFrequency: 1, monitor: { perVariable: true } },
    { stateDtype: { dtype: 'int8', minSize: 0 } },
    { skipNonFinite: true, amsgrad: true },
  ];
  for (const given of options)
    test(JSON.stringify(given), async () => {
      const arrays = [randomFloats(3, 1), new Float32Array(0), randomFloats(3, 4)];
      const others = [0, 2].map((k) => arrays[k].slice());
      const [optimizer, expected] = [new Adam(given), new Adam(given)];
      optimizer.build(arrays);
      expected.build(others);
      const g = [randomFloats(3, 2), new Float32Array(0), randomFloats(3, 3)];
      const step = (more = g) => {
        optimizer.apply(more);
        expected.apply([g[0], g[2]]);
        assert.equal(optimizer.rawIterations, expected.rawIterations);
        assertSameBits(arrays[0], others[0]);
        assertSameBits(arrays[2], others[1]);
        assert.equal(optimizer.report?.updateNorm, expected.report?.updateNorm);
      };
      step();
      step();
      await grow();
      step();
      detach(g[1]);
      step();
      step([...g]);
      detach(arrays[1]);
      step();
      step([g[0], null, g[2]]);
      const lists = [0, 1, 2].map((k) => randomFloats(k === 1 ? 0 : 3, k));
      const [values] = optimizer.statelessApply(optimizer.getWeights(), lists, lists);
      assert.deepEqual(
        values.map(({ length }) => length),
        [3, 0, 3],
      );
      optimizer.finalizeVariableValues(arrays);
      optimizer.dispose();
      expected.dispose();
    });
});

test('detached gradients of no elements are divided and copied as others are', () => {
  const gone = new Float32Array(0);
  detach(gone);
  const inner = new Adam();
  const optimizer = new LossScaleOptimizer(inner);
  const [w, empty] = [new Variable([1, 2], { path: 'w' }), new Variable(0, { path: 'empty' })];
  optimizer.build([w, empty]);
  inner.lossScaleFactor = 2; // gradients are copied, divided by the scale
  optimizer.apply([Float32Array.of(3, 4), gone]);
  assert.equal(optimizer.iterations, 1);
  const [values] = inner.statelessApply(inner.getWeights(), [Float32Array.of(3, 4), gone], [w.value, gone]);
  assert.equal(values[1].length, 0);
  empty.assign(gone);
  assertRefused(() => w.assign(gone), RangeError, /'w' has 2 elements, assign got 0/);
});

test('what is detached is said to be where its size would count', () => {
  const [values, indices] = [Float32Array.of(1), Int32Array.of(0)];
  const w = new Variable([1, 2], { path: 'w' });
  const optimizer = new Adam();
  optimizer.build([w]);
  const sparse = [new SparseGradient({ indices, values: [1] }), new SparseGradient({ indices: [0], values })];
  detach(values);
  detach(indices);
  assertRefused(() => new Variable(values), Error, /^Variable: values has been detached/);
  assertRefused(
    () => new SparseGradient({ indices, values: [1] }),
    Error,
    /SparseGradient: the array of indices has been detached/,
  );
  assertRefused(
    () => new SparseGradient({ indices: [0], values }),
    Error,
    /SparseGradient: the array of values has been detached/,
  );
  assertRefused(
    () => optimizer.apply([sparse[0]]),
    Error,
    /SparseGradient for 'w': the array of indices has been detached/,
  );
  assertRefused(
    () => optimizer.apply([sparse[1]]),
    Error,
    /SparseGradient for 'w': the array of values has been detached/,
  );
  assert.equal(optimizer.iterations, 0);
});

test('what became of a buffer is said, and what takes no part does not matter', () => {
  const buffer = new ArrayBuffer(8, { maxByteLength: 64 });
  const arrays = [Float32Array.of(1, 2), new Float32Array(buffer), Float32Array.of(5, 6)];
  let refuses = false;
  const constraint = (values) => {
    if (refuses) throw new Error('mine');
    return values;
  };
  const w = new Variable([1, 2], { path: 'w', constraint });
  const optimizer = new Adam({ useEma: true });
  const g = [1, 2, 3, 4].map((x) => Float32Array.of(x, x));
  optimizer.apply(g, [w, ...arrays]);
  detach(arrays[0]);
  buffer.resize(32);
  const calls = {
    apply: () => optimizer.apply(g),
    statelessApply: () => optimizer.statelessApply(optimizer.getWeights(), g, [w.value, ...g.slice(1)]),
    finalizeVariableValues: () => optimizer.finalizeVariableValues([w, ...arrays]),
  };
  for (const call of Object.values(calls)) assertRefused(call, Error, /'variable' has been detached/);
  assertRefused(
    () => optimizer.apply([g[0]], [arrays[1]]),
    Error,
    /'variable_1' has 8 elements now, and was built with 2/,
  );
  // The step of the others is taken back as if these were not there.
  const before = [[...w.value], [...arrays[2]], optimizer.serializeState()];
  refuses = true;
  assertRefused(() => optimizer.apply([g[0], g[3]], [w, arrays[2]]), Error, /mine/);
  assert.deepEqual([[...w.value], [...arrays[2]], optimizer.serializeState()], before);
  refuses = false;
  optimizer.apply([g[0], g[3]], [w, arrays[2]]);
  assert.equal(optimizer.iterations, 2);
});

describe('a refused first call', () => {
  const mine = () => {
    throw new Error('mine');
  };
  const reasons = {
    'a constraint throws': [() => new Adam(), { constraint: mine }, 2],
    'a rate throws': [() => new Adam({ learningRate: mine }), {}, 2],
    'a gradient does not fit': [() => new Adam(), {}, 3],
    'a rate throws in a wrapped optimizer': [
      () => new LossScaleOptimizer(new Adam({ learningRate: mine })),
      {},
      2,
    ],
    'a constraint throws in a wrapped optimizer': [
      () => new LossScaleOptimizer(new Adam()),
      { constraint: mine },
      2,
    ],
  };
  for (const [name, [make, options, size]] of Object.entries(reasons))
    test(`${name}: the optimizer is as before`, () => {
      const variable = new Variable([1, 2], options);
      const optimizer = make();
      assert.throws(() => optimizer.apply([new Float32Array(size)], [variable]));
      assert.equal(optimizer.built, false);
      assert.equal(optimizer.rawIterations, 0);
      assert.deepEqual([...variable.value], [1, 2]);
      optimizer.excludeFromWeightDecay();
      optimizer.build([new Variable([3], { path: 'other' })]); // another model
      optimizer.dispose();
    });

  for (const Class of [Adam, Adafactor, Muon])
    test(`memoryOptimizer gives back what it has taken, and keeps the state of others: ${Class.name}`, () => {
      const memory = new WebAssembly.Memory({ initial: 4 });
      let end = 4096;
      const blocks = new Set();
      const allocate = (bytes) => {
        const at = end;
        end += (bytes + 15) & ~15;
        blocks.add(at);
        return at;
      };
      const free = (at) => assert.ok(blocks.delete(at));
      const adapted = memoryOptimizer(new Class({ useEma: true }), { memory, allocate, free });
      const place = (name, size, weights) => ({ name, shape: [2, size / 2], weights, gradient: 128 });
      assert.throws(() => adapted.apply([place('y', 4, 3)]), /'y'/);
      assert.equal(blocks.size, 0);
      assert.equal(adapted.optimizer.built, false);
      const x = place('x', 4, 64);
      new Float32Array(memory.buffer, 128, 4).fill(0.5);
      adapted.apply([x]);
      const state = adapted.optimizer.serializeState();
      const held = blocks.size;
      assert.throws(() => adapted.apply([x, place('y', 8, 3)]), /'y'/);
      assert.deepEqual(adapted.optimizer.serializeState(), state);
      assert.equal(blocks.size, held);
      adapted.apply([x, place('y', 2, 192)]); // of another size than the one that was refused
      adapted.dispose();
      assert.equal(blocks.size, 0);
    });
});

test('state of the user’s own dies with its optimizer', async () => {
  const optimizer = new Adam();
  const own = optimizer.addVariable({ shape: [4] });
  optimizer.dispose();
  assert.throws(() => own.value, /disposed/);
  const round = () => {
    const each = new Adam();
    each.addVariable({ shape: [1 << 18] });
    each.dispose();
  };
  round();
  const { memoryBytes } = await init();
  for (let k = 0; k < 50; k++) round();
  assert.equal((await init()).memoryBytes, memoryBytes);
});

// Four gigabytes are touched: one process for all that is to be seen there.
test('the end of the memory', { skip: freemem() < 6 * 2 ** 30 && 'less than 6 GiB are free' }, () => {
  const program = `
    import { Adam, init, Variable } from './dist/index.js';
    import { memoryOptimizer } from './dist/memory.js';
    await init();
    const told = {};
    const step = () => {
      const memory = new WebAssembly.Memory({ initial: 4 });
      let end = 1024;
      const allocate = (n) => (end += (n + 15) & ~15) - ((n + 15) & ~15);
      const adapted = memoryOptimizer(new Adam({ clipnorm: 1 }), { memory, allocate, free() {} });
      const w = new Float32Array(memory.buffer, 16, 2).fill(1);
      new Float32Array(memory.buffer, 64, 2).fill(1);
      for (let k = 0; k < 3; k++)
        adapted.apply([{ name: 'w', shape: [2], weights: 16, gradient: 64 }]);
      const v = new Variable([1, 1]);
      const optimizer = new Adam({ clipnorm: 1 });
      optimizer.build([v]);
      for (let k = 0; k < 3; k++) optimizer.apply([Float32Array.of(1, 1)]);
      return [...w, ...v.value].join();
    };
    const made = [];
    const refuses = (what, call) => {
      try {
        call();
        return false;
      } catch (error) {
        if (!(error instanceof RangeError && /No memory for/.test(error))) throw new Error(what, { cause: error });
        return true;
      }
    };
    const fill = (size) => {
      while (
        !refuses('new Variable(' + size + ')', () => {
          const v = new Variable(size, { path: 'v' + made.length });
          made.push([v, v.value.byteOffset, v.value.byteOffset + v.value.byteLength]);
        })
      );
    };
    const low = step();
    fill(3e8);
    const high = step();
    told.sameAbove2GiB = low === high && new Set(low.split(',')).size === 1;
    for (const size of [1e8, 1e7, 1e6, 1e5, 1e4]) fill(size);
    const ranges = made.map(([, from, to]) => [from, to]).sort((a, b) => a[0] - b[0]);
    told.apart = ranges.every(([from], k) => k === 0 || from >= ranges[k - 1][1]);
    told.builds = 0;
    for (let k = 0; k < 5; k++) {
      const optimizer = new Adam();
      told.builds += refuses('build', () => optimizer.build(made.slice(-20).map(([v]) => v))) ? 0 : 1;
      told.builds += refuses('many', () => optimizer.build(Array.from({ length: 2000 }, () => new Float32Array(1)))) ? 0 : 1;
      optimizer.dispose();
    }
    for (const [v] of made) v.dispose();
    const again = new Variable(3e8).value;
    told.zeroed = [0, 1, 1e8, 3e8 - 1].every((at) => again[at] === 0);
    console.log(JSON.stringify(told));`;
  assert.deepEqual(JSON.parse(runModule(program, { timeout: 240_000 })), {
    sameAbove2GiB: true,
    apart: true,
    builds: 0,
    zeroed: true,
  });
});
