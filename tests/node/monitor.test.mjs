// What an update is told to have been like: norms with the bits of plain float32 loops in numpy's order, for every
// optimizer and wherever its variables are; and steps that are left out because of a gradient that is not finite.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { before, test } from 'node:test';
import { promisify } from 'node:util';
import {
  Adam,
  Adamax,
  AdamW,
  init,
  LossScaleOptimizer,
  MultiOptimizer,
  OptimizerMap,
  SGD,
  SparseGradient,
  Variable,
} from '../../dist/index.js';
import { memoryOptimizer } from '../../dist/memory.js';
import { every, stored } from './every.mjs';
import { library } from './foreign-memory.mjs';
import {
  assertRefused,
  assertSameBits,
  assertSameSnapshot,
  randomFloats,
  root,
  snapshot,
} from './helpers.mjs';

before(() => init());

const { fround, sqrt } = Math;

/** numpy's pairwise sum of squares, in float32. */
function squares(x, from = 0, n = x.length) {
  const square = (i) => fround(x[from + i] * x[from + i]);
  if (n > 128) {
    const half = (n >> 1) - ((n >> 1) % 8);
    return fround(squares(x, from, half) + squares(x, from + half, n - half));
  }
  let sum = 0;
  let i = 0;
  if (n >= 8) {
    const r = Float32Array.from({ length: 8 }, (_, k) => square(k));
    for (i = 8; i + 8 <= n; i += 8) for (let k = 0; k < 8; k++) r[k] += square(i + k);
    const pair = (k) => fround(r[k] + r[k + 1]);
    sum = fround(fround(pair(0) + pair(2)) + fround(pair(4) + pair(6)));
  }
  for (; i < n; i++) sum = fround(sum + square(i));
  return sum;
}
const root2 = (sum) => fround(sqrt(sum));
const sequential = (sums) => sums.reduce((a, b) => fround(a + b), 0); // numpy's order of less than eight
const difference = (after, before) => after.map((x, i) => x - before[i]);

const sizes = [3, 130, 2600, 40_001];

/** Variables and arrays, gradients, and what a report must say of a step that scales gradients by `factor`. */
function scene(kinds) {
  const values = sizes.map((n, k) => randomFloats(n, 50 + k));
  const variables = values.map((x, k) =>
    kinds[k % kinds.length] === 'array'
      ? x.slice()
      : new Variable(x, { path: `v${k}`, shape: shapeOf(x.length) }),
  );
  const gradients = sizes.map((n, k) => randomFloats(n, 70 + k));
  gradients[2][7] = 0;
  gradients[3].fill(0, 100, 300);
  return { variables, gradients, now: () => variables.map((v) => Float32Array.from(v.value ?? v)) };
}
const shapeOf = (n) => (n === 2600 ? [52, 50] : [n]);

function expected(before, after, gradients, clipped = gradients) {
  const each = before.map((w, k) => ({
    gradient: squares(gradients[k]),
    clipped: squares(clipped[k]),
    update: squares(difference(after[k], w)),
    weights: squares(after[k]),
  }));
  const norm = (of) => root2(sequential(each.map(of)));
  const [updateNorm, weightNorm] = [norm((x) => x.update), norm((x) => x.weights)];
  return {
    size: sizes.reduce((a, b) => a + b),
    gradientNorm: norm((x) => x.gradient),
    clippedNorm: norm((x) => x.clipped),
    updateNorm,
    weightNorm,
    ratio: updateNorm / weightNorm,
    nonFinite: 0,
    zeros: 201,
  };
}

for (const { name, Class, options } of [...every, ...stored]) {
  test(`${name}: a report has the bits of plain loops, and the step those without one`, () => {
    for (const kinds of [['variable'], ['array'], ['variable', 'array']]) {
      const { variables, gradients, now } = scene(kinds);
      const plain = scene(kinds);
      const optimizer = new Class({ ...options, monitor: true });
      const other = new Class(options);
      optimizer.build(variables);
      other.build(plain.variables);
      assert.equal(optimizer.report, null);
      for (let t = 1; t <= 2; t++) {
        const before = now();
        const rate = optimizer.learningRate;
        optimizer.apply(gradients);
        other.apply(plain.gradients);
        const after = now();
        plain.now().forEach((x, k) => {
          assertSameBits(after[k], x, `variable ${k}`);
        });
        const { iteration, learningRate, lossScale, ...figures } = optimizer.report;
        assert.deepEqual(figures, expected(before, after, gradients));
        assert.deepEqual([iteration, lossScale], [t, 1]);
        if (!options.decay) assert.equal(learningRate, rate); // else it is smaller from step to step
      }
      optimizer.dispose();
      other.dispose();
    }
  });
}

const clips = {
  clipnorm: (grads) =>
    grads.map((g) => {
      const norm = fround(Math.max(root2(squares(g)), 1));
      return g.map((x) => x / norm);
    }),
  clipvalue: (grads) => grads.map((g) => g.map((x) => Math.min(Math.max(x, -1), 1))),
  globalClipnorm: (grads) => {
    const norm = root2(sequential(grads.map((g) => squares(g))));
    const factor = fround(1 * Math.min(fround(1 / norm), 1));
    return grads.map((g) => g.map((x) => x * factor));
  },
};
for (const [clip, clipped] of Object.entries(clips))
  test(`${clip}, decay, average, loss scale: norms before and after clipping`, () => {
    for (const lossScaleFactor of [4, 3])
      for (const kinds of [['variable'], ['array']]) {
        const { variables, gradients, now } = scene(kinds);
        const given = gradients.map((g) => g.map((x) => x * lossScaleFactor * 2));
        const seen = given.map((g) => g.map((x) => x / lossScaleFactor));
        const options = { [clip]: 1, weightDecay: 0.1, useEma: true, lossScaleFactor };
        const optimizer = new Adam({ ...options, monitor: { every: 1 } });
        const before = now();
        optimizer.apply(given, variables);
        const { iteration, learningRate, lossScale, ...figures } = optimizer.report;
        assert.deepEqual(figures, expected(before, now(), seen, clipped(seen)));
        assert.equal(lossScale, lossScaleFactor);
        optimizer.dispose();
      }
  });

test('of each variable, every so many updates, and of those alone that had a gradient', () => {
  const { variables, gradients } = scene(['variable', 'array']);
  const optimizer = new AdamW({ monitor: { every: 2, perVariable: true }, gradientAccumulationSteps: 2 });
  optimizer.build(variables);
  const given = [null, gradients[1], null, gradients[3]];
  const seen = [];
  for (let call = 0; call < 9; call++) {
    optimizer.apply(given);
    seen.push(optimizer.report?.iteration ?? 0);
  }
  assert.deepEqual(seen, [0, 0, 0, 2, 2, 2, 2, 4, 4]);
  const { report } = optimizer;
  assert.deepEqual(
    report.variables.map(({ path, size, zeros }) => [path, size, zeros]),
    [
      ['variable', sizes[1], 0],
      ['variable_1', sizes[3], 200],
    ],
  );
  const [a, b] = report.variables;
  assert.equal(report.gradientNorm, root2(sequential([squares(gradients[1]), squares(gradients[3])])));
  assert.equal(b.gradientNorm, root2(squares(gradients[3])));
  assert.equal(report.zeros, a.zeros + b.zeros);
  optimizer.monitor = false;
  optimizer.apply(given);
  assert.equal(optimizer.monitor, null);
  assert.equal(optimizer.report.iteration, 4);
  optimizer.dispose();
  assert.throws(() => optimizer.report, /disposed/);
});

test('sparse rows: as the dense gradient that they stand for', () => {
  const rows = randomFloats(6 * 500, 3);
  const sparse = new SparseGradient({ indices: [7, 2, 7, 900, 31, 2], values: rows });
  const dense = new Float32Array(1000 * 500);
  [7, 2, 7, 900, 31, 2].forEach((row, k) => {
    for (let i = 0; i < 500; i++) dense[row * 500 + i] += rows[k * 500 + i];
  });
  const reports = [sparse, dense].map((g) => {
    const variable = new Variable(randomFloats(1000 * 500, 1), { shape: [1000, 500] });
    const optimizer = new Adam({ monitor: true });
    optimizer.apply([g], [variable]);
    return optimizer.report;
  });
  assert.deepEqual(reports[0], reports[1]);
  assert.equal(reports[0].zeros, 996 * 500);

  const variables = [0, 1].map(
    (k) => new Variable(randomFloats(1000 * 500, k), { path: `w${k}`, shape: [1000, 500] }),
  );
  const legacy = new Adamax({ legacySparse: true, monitor: { perVariable: true } });
  legacy.apply([sparse, dense], variables);
  assert.deepEqual(
    legacy.report.variables.map(({ path }) => path),
    ['w1'],
    'of rows alone nothing is told',
  );
});

test('zeros where a norm clips: in a memory of others as in the engine', () => {
  const host = library();
  for (const [k, clip] of [{ clipnorm: 0.5 }, { globalClipnorm: 1 }].entries())
    for (const options of [{}, { lossScaleFactor: 1024 }, { gradientAccumulationSteps: 2 }]) {
      const values = randomFloats(300, k);
      const gradient = values.map((x, i) => (i % 3 === 0 ? x : [0, 1e-42, -1e-45][i % 3]));
      const [own, inner] = [1, 2].map(() => new Adam({ ...clip, ...options, monitor: true }));
      const variable = new Variable(values, { path: 'w' });
      const [weights, address] = [host.allocate(1200), host.allocate(1200)];
      host.floats(weights, 300).set(values);
      host.floats(address, 300).set(gradient);
      const theirs = memoryOptimizer(inner, host);
      for (let t = 0; t < 2; t++) {
        own.apply([gradient], [variable]);
        theirs.apply([{ name: 'w', shape: [300], weights, gradient: address }]);
        assert.deepEqual(inner.report, own.report);
      }
      assert.ok(own.report.zeros >= 100);
      for (const one of [own, theirs, variable]) one.dispose();
    }
});

test("memory of others, and threads: the engine's bits", async () => {
  const host = library(new WebAssembly.Memory({ initial: 10 }));
  for (const options of [
    { weightDecay: 0.1 },
    { clipvalue: 0.3, useEma: true },
    { weightDecay: 0.1, stateDtype: 'bfloat16' },
    { clipvalue: 0.3, stateDtype: { dtype: 'int8', minSize: 0 } },
  ]) {
    const { variables, gradients } = scene(['variable']);
    const places = variables.map(({ path, size, value }, k) => {
      const [weights, gradient] = [host.allocate(4 * size), host.allocate(4 * size)];
      host.floats(weights, size).set(value);
      host.floats(gradient, size).set(gradients[k]);
      return { name: path, shape: [size], weights, gradient };
    });
    const [own, inner] = [1, 2].map(() => new Adam({ ...options, monitor: { perVariable: true } }));
    const theirs = memoryOptimizer(inner, host);
    for (let t = 0; t < 2; t++) {
      own.apply(gradients, variables);
      theirs.apply(places);
      assert.deepEqual(inner.report, own.report);
    }
  }
  const program = (threads) => `
    import { Adam, init, Lamb, Variable } from '${root}dist/index.js';
    await init({ threads: ${threads} });
    for (const [Class, options] of [
      [Adam, {}],
      [Adam, { weightDecay: 0.1, clipvalue: 0.01 }],
      [Lamb, { weightDecay: 0.1 }],
      [Adam, { stateDtype: 'bfloat16' }],
      [Adam, { stateDtype: 'int8', weightDecay: 0.1, clipvalue: 0.01 }],
      [Lamb, { stateDtype: 'int8', weightDecay: 0.1 }],
    ]) {
      const v = [300_001, 400_000, 12].map((n, k) => new Variable(Float32Array.from({ length: n }, (_, i) => Math.sin(i + k)), { path: 'v' + k }));
      const optimizer = new Class({ ...options, monitor: { perVariable: true } });
      optimizer.apply(v.map(({ value }) => value.map((x) => x * x * x)), v);
      console.log(JSON.stringify(optimizer.report));
    }`;
  const [one, two, three] = await Promise.all(
    [1, 2, 3].map((n) => promisify(execFile)(process.execPath, ['--input-type=module', '-e', program(n)])),
  );
  assert.equal(one.stdout.split('\n').length, 7);
  assert.equal(two.stdout, one.stdout);
  assert.equal(three.stdout, one.stdout);
});

test('round other optimizers: the report is that of all of them', () => {
  const { variables, gradients } = scene(['variable']);
  const plain = scene(['variable']);
  const own = new Adam({ monitor: { perVariable: true } });
  own.apply(gradients, variables);
  const scaled = new LossScaleOptimizer(new Adam({ monitor: { perVariable: true } }), { initialScale: 8 });
  assert.equal(scaled.report, null);
  scaled.apply(
    plain.gradients.map((g) => g.map((x) => x * 8)),
    plain.variables,
  );
  assert.deepEqual(scaled.report, { ...own.report, lossScale: 8 });
  assertRefused(() => new LossScaleOptimizer(new Adam(), { monitor: true }), RangeError, /inner optimizer/);

  const third = scene(['variable']);
  const map = new OptimizerMap(new Adam({ monitor: true }));
  map.set('v1', new SGD({ monitor: true }));
  const multi = new MultiOptimizer(map);
  const before = third.now();
  multi.apply(third.gradients, third.variables);
  const { updateNorm, size, zeros } = multi.report;
  assert.deepEqual([size, zeros], [own.report.size, own.report.zeros]);
  const order = [1, 0, 2, 3].map((k) => squares(difference(third.now()[k], before[k])));
  assert.ok(Math.abs(updateNorm - sqrt(order.reduce((a, b) => a + b))) < 1e-6 * updateNorm);
});

test('the report of several optimizers is that of those that took part, whatever each has counted', () => {
  const [a, b] = [0, 1].map(
    () => new SGD({ compat: 'torch', learningRate: 1, monitor: { perVariable: true } }),
  );
  const optimizer = new MultiOptimizer(new OptimizerMap(b, { a }));
  const variables = ['a', 'b'].map((path) => new Variable(2, { path }));
  const g = Float32Array.of(3, 4);
  const told = () => {
    const { iteration, size, gradientNorm } = optimizer.report;
    return [iteration, size, gradientNorm];
  };
  optimizer.apply([g, g], variables);
  assert.deepEqual(told(), [1, 4, fround(sqrt(50))]);
  optimizer.apply([g, null]); // PyTorch passes over a group without a gradient
  assert.deepEqual(told(), [2, 2, 5]);
  optimizer.apply([g, g]);
  assert.deepEqual(told(), [3, 4, fround(sqrt(50))]);
  assert.deepEqual([a.report.iteration, b.report.iteration], [3, 2]);
  const before = optimizer.report;
  optimizer.statelessApply(optimizer.getWeights(), [null, g], [g, g]);
  assert.deepEqual(optimizer.report, before);
  b.monitor = null;
  optimizer.apply([g, g]);
  assert.equal(optimizer.report, null); // one has told of another update since, and one of none
});

test('gradients that are not finite are counted, and with skipNonFinite change nothing', async () => {
  for (const [bad, stateDtype] of [
    [Number.NaN, 'float32'],
    [Number.POSITIVE_INFINITY, 'float32'],
    [Number.NaN, 'bfloat16'],
    [Number.NEGATIVE_INFINITY, { dtype: 'int8', minSize: 0 }],
  ]) {
    for (const options of [
      {},
      { clipnorm: 1 },
      { globalClipnorm: 1 },
      { clipvalue: 0.1 },
      { lossScaleFactor: 3 },
    ]) {
      const { variables, gradients } = scene(['variable', 'array']);
      gradients[3][39_999] = gradients[1][5] = bad;
      const told = new Adam({ ...options, stateDtype, monitor: { perVariable: true } });
      told.apply(gradients, variables);
      assert.deepEqual(
        told.report.variables.map(({ nonFinite }) => nonFinite),
        [0, 1, 0, 1],
      );
      assert.equal(told.report.nonFinite, 2);
      assert.equal(told.report.zeros, 201);
    }
    const { variables, gradients } = scene(['variable', 'array']);
    const optimizer = new AdamW({
      stateDtype,
      skipNonFinite: true,
      monitor: true,
      gradientAccumulationSteps: 2,
      useEma: true,
    });
    optimizer.apply(gradients, variables);
    const before = snapshot(optimizer, variables);
    const wrong = gradients.map((g, k) => (k === 2 ? g.map((x, i) => (i === 2599 ? bad : x)) : g));
    assert.equal(optimizer.apply(wrong), undefined);
    optimizer.apply([null, wrong[1], wrong[2], null]);
    assertSameSnapshot(snapshot(optimizer, variables), { ...before, skippedSteps: 2 });
    assert.deepEqual([optimizer.skippedSteps, optimizer.rawIterations, optimizer.report], [2, 1, null]);
    optimizer.apply(gradients);
    assert.deepEqual([optimizer.skippedSteps, optimizer.iterations, optimizer.report.iteration], [2, 1, 1]);
    optimizer.skipNonFinite = false;
    optimizer.apply(wrong);
    assert.equal(optimizer.rawIterations, 3);
  }
});

test('skipNonFinite at the first call, round others, in the memory of others, and in configs', () => {
  const variable = new Variable([1, 2, 3]);
  const wrong = Float32Array.of(1, Number.NaN, 1);
  const first = new Adam({ skipNonFinite: true });
  first.apply([wrong], [variable]);
  assert.deepEqual([first.built, first.iterations, first.skippedSteps], [true, 0, 1]);
  assertSameBits(variable.value, [1, 2, 3]);
  assert.equal(first.getConfig().skip_non_finite, true);
  assert.equal(Adam.fromConfig(first.getConfig()).skipNonFinite, true);
  assert.equal('skip_non_finite' in new Adam().getConfig(), false);
  assert.equal('monitor' in new Adam({ monitor: true }).getConfig(), false);

  const scaled = new LossScaleOptimizer(new Adam(), { initialScale: 8 });
  scaled.apply([wrong], [variable]);
  assert.deepEqual([scaled.skippedSteps, scaled.dynamicScale, scaled.iterations], [1, 4, 0]);

  const others = ['a', 'b'].map((path) => new Variable([1, 2, 3], { path }));
  const map = new OptimizerMap(new Adam({ skipNonFinite: true }));
  map.set('b', new SGD());
  const multi = new MultiOptimizer(map);
  multi.apply([wrong, Float32Array.of(1, 1, 1)], others);
  assert.deepEqual([multi.skippedSteps, multi.iterations], [1, 0]);
  for (const { value } of others) assertSameBits(value, [1, 2, 3]);

  const host = library(new WebAssembly.Memory({ initial: 2 }));
  const [weights, gradient] = [host.allocate(12), host.allocate(12)];
  host.floats(weights, 3).set([1, 2, 3]);
  host.floats(gradient, 3).set(wrong);
  const inner = new Adam({ skipNonFinite: true });
  memoryOptimizer(inner, host).apply([{ name: 'w', shape: [3], weights, gradient }]);
  assert.deepEqual([inner.skippedSteps, inner.iterations], [1, 0]);
  assertSameBits(host.floats(weights, 3), [1, 2, 3]);
});

test('a step that is taken back, or done on values alone, is not told of', () => {
  const monitor = { perVariable: true };
  const within = {
    Adam: (more) => new Adam({ monitor, ...more }),
    LossScaleOptimizer: (more) => new LossScaleOptimizer(new Adam({ monitor, ...more }), { initialScale: 4 }),
    MultiOptimizer: (more) =>
      new MultiOptimizer(new OptimizerMap(new Adam({ monitor, ...more }), { v0: new SGD({ monitor }) })),
  };
  for (const [name, make] of Object.entries(within)) {
    let refuses = false;
    const constraint = (values) => {
      if (refuses) throw new Error('mine');
      return values;
    };
    const variables = [3, 2600].map(
      (n, k) => new Variable(randomFloats(n, k), { path: `v${k}`, constraint }),
    );
    const grads = [randomFloats(3, 5), randomFloats(2600, 6)];
    const others = [randomFloats(3, 7), randomFloats(2600, 8)];
    const optimizer = make({ skipNonFinite: name !== 'LossScaleOptimizer' });
    optimizer.build(variables);
    for (let step = 0; step < 2; step++) {
      const before = snapshot(optimizer, variables); // at first there is no report
      refuses = true;
      assertRefused(() => optimizer.apply(others), Error, /mine/);
      refuses = false;
      assertSameSnapshot(snapshot(optimizer, variables), before);
      const values = variables.map(({ value }) => value.slice());
      for (const bad of [1, Number.NaN]) {
        const given = [others[0].map((x) => x * bad), others[1]];
        optimizer.statelessApply(optimizer.getWeights(), given, values);
        assertSameSnapshot(snapshot(optimizer, variables), before);
      }
      optimizer.apply(grads);
      assert.equal(optimizer.report.iteration, step + 1, name);
    }
  }
});

test('wrong kinds and values are refused by name, and change nothing', () => {
  const optimizer = new Adam({ monitor: { every: 3 } });
  const cases = [
    [1, TypeError, /monitor must be true, false or \{ every, perVariable \}, got/],
    ['yes', TypeError, /monitor must be/],
    [[], TypeError, /monitor must be/],
    [{ evry: 2 }, TypeError, /evry.*every/],
    [{ every: 0 }, RangeError, /every must be a whole number from 1 to 2147483647, got 0/],
    [{ every: 1.5 }, RangeError, /every must be a whole number/],
    [{ every: Number.NaN }, RangeError, /every must be a whole number/],
    [{ every: '2' }, TypeError, /every must be a whole number/],
    [{ perVariable: 1 }, TypeError, /perVariable must be true or false/],
  ];
  for (const [value, type, message] of cases) {
    assertRefused(() => new Adam({ monitor: value }), type, message);
    assertRefused(
      () => {
        optimizer.monitor = value;
      },
      type,
      message,
    );
    assert.deepEqual(optimizer.monitor, { every: 3, perVariable: false });
  }
  assertRefused(() => new Adam({ skipNonFinite: 1 }), TypeError, /skipNonFinite must be true or false/);
  assertRefused(
    () => {
      optimizer.report = null;
    },
    TypeError,
    /report/,
  );
});
