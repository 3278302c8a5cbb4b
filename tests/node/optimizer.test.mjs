// The optimizer's methods and counters beyond the numbers of a step, which the recorded vectors hold.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { Adam, Adamax, AdamMultilr, AdamW, init, LossScaleOptimizer, Variable } from '../../dist/index.js';
import {
  assertRefused,
  assertSameBits,
  assertSameSnapshot,
  randomFloats,
  snapshot,
  warningsOf,
} from './helpers.mjs';
import { assertSameValues, grads, valuesAfter } from './training.mjs';

before(() => init());

test('apply, applyGradients, step and minimize are the same update', () => {
  const expected = valuesAfter((o, v) => o.apply(grads(), v));
  const others = [
    (o, v) => o.applyGradients(grads().map((g, i) => [g, v[i]])),
    (o, v) => {
      o.build(v);
      o.apply(grads());
    },
    (o, v) => {
      o.build(v);
      grads().forEach((g, i) => {
        v[i].gradient.set(g);
      });
      o.step();
    },
    (o, v) =>
      assert.equal(
        o.minimize(() => ({ loss: 4.5, grads: grads() }), v),
        4.5,
      ),
  ];
  for (const other of others) assertSameValues(valuesAfter(other), expected);
});

test('step does not clear the gradients, and one that was never touched counts as null', () => {
  const variables = [new Variable([1, 1]), new Variable([1, 1], { name: 'untouched' })];
  const optimizer = new Adam({ weightDecay: 0.1 });
  optimizer.build(variables);
  variables[0].gradient.fill(1);
  const warnings = warningsOf(() => optimizer.step());
  assert.ok(variables[0].value[0] < 1);
  assertSameBits(variables[0].gradient, Float32Array.of(1, 1));
  assertSameBits(variables[1].value, Float32Array.of(1, 1));
  assert.match(warnings.join(), /untouched/);
});

test('apply([]) does nothing at all', () => {
  for (const options of [{}, { skipNonFinite: true }]) {
    const v = [new Variable([1])];
    const optimizer = new Adam(options);
    optimizer.apply([Float32Array.of(1)], v);
    const before = snapshot(optimizer, v);
    optimizer.apply([]);
    optimizer.apply([], []);
    assertSameSnapshot(snapshot(optimizer, v), before);
  }
});

test('a subset of the variables may be stepped, in any order', () => {
  const expected = valuesAfter((o, v) => {
    o.build(v);
    o.apply([grads()[0], null], v);
    o.apply([grads(1)[0], grads(1)[1]], v);
  });
  const got = valuesAfter((o, v) => {
    o.build(v);
    o.apply([grads()[0]], [v[0]]);
    o.apply([grads(1)[1], grads(1)[0]], [v[1], v[0]]);
  });
  assertSameValues(got, expected);
});

test('variables and arrays without names are numbered in the order of the build', () => {
  const list = [new Variable(1), new Float32Array(1), new Variable(1), new Variable(1, { name: 'named' })];
  const optimizer = new Adam();
  optimizer.build(list);
  const paths = optimizer.variables.map(({ path }) => path).filter((path) => path.endsWith('_momentum'));
  assert.deepEqual(
    paths,
    ['variable', 'variable_1', 'variable_2', 'named'].map((name) => `adam/${name}_momentum`),
  );
});

test('building twice is building once', () => {
  const v = new Variable([1]);
  const optimizer = new Adam();
  assert.equal(optimizer.built, false);
  optimizer.build([v]);
  assert.equal(optimizer.built, true);
  optimizer.apply([Float32Array.of(1)]);
  optimizer.build([v]);
  assert.equal(optimizer.iterations, 1);
});

test('the counters: raw calls, and calls divided by the accumulation steps', () => {
  const v = [new Variable([1])];
  const optimizer = new Adam({ gradientAccumulationSteps: 3 });
  const counts = [];
  for (let k = 0; k < 7; k++) {
    const returned = optimizer.applyGradients([[Float32Array.of(1), v[0]]]);
    counts.push([returned, optimizer.rawIterations, optimizer.iterations]);
  }
  assert.deepEqual(counts, [
    [1, 1, 0],
    [2, 2, 0],
    [3, 3, 1],
    [4, 4, 1],
    [5, 5, 1],
    [6, 6, 2],
    [7, 7, 2],
  ]);
});

test('iterations can be set, before build as well, and bad counts are refused', () => {
  const gradient = randomFloats(3, 1);
  const run = (prepare) => {
    const variable = new Variable([1, 2, 3]);
    const optimizer = new Adam({ learningRate: (step) => 0.1 / (1 + step) });
    prepare(optimizer, variable);
    optimizer.apply([gradient], [variable]);
    return [optimizer.iterations, ...variable.value];
  };
  const before = run((o) => Object.assign(o, { iterations: 4 }));
  const after = run((o, v) => {
    o.build([v]);
    o.iterations = 7;
    o.iterations = 4;
  });
  assert.equal(before[0], 5);
  assert.deepEqual(before, after);
  const optimizer = new Adam({ gradientAccumulationSteps: 2 });
  optimizer.iterations = 3;
  assert.equal(optimizer.rawIterations, 6);
  for (const bad of [-1, 1.5, Number.NaN, 2 ** 31, 2 ** 30, Number.POSITIVE_INFINITY])
    assertRefused(
      () => Object.assign(optimizer, { iterations: bad }),
      RangeError,
      /iterations/,
      /1073741823/,
    );
  for (const bad of ['1', null, undefined, 1n, [0]])
    assertRefused(() => Object.assign(optimizer, { iterations: bad }), TypeError, /iterations/);
  assert.equal(optimizer.iterations, 3);
  const wrapped = new LossScaleOptimizer(optimizer);
  wrapped.iterations = 0;
  assert.deepEqual([wrapped.iterations, optimizer.rawIterations], [0, 0]);
});

test('updateStep updates one variable by the bare rule, with the given rate', () => {
  const options = { clipnorm: 0.001, weightDecay: 0.5, useEma: true, maximize: true, lossScaleFactor: 8 };
  const [expected] = valuesAfter(
    (o, v) => o.apply([grads()[0], null], v),
    () => new Adam({ learningRate: 0.25 }),
  );
  const [got, other] = valuesAfter(
    (o, v) => {
      o.build(v);
      o.updateStep(grads()[0], v[0], 0.25);
    },
    () => new Adam(options),
  );
  assertSameBits(got, expected);
  assertSameBits(other, randomFloats(5, 2));
});

test('updateStep leaves the learning rate of later steps alone, before the first and after a change', () => {
  const w = new Variable([1, 1], { name: 'w' });
  const optimizer = new Adamax({ learningRate: 0.5 });
  optimizer.build([w]);
  optimizer.updateStep(Float32Array.of(1, 1), w, 0);
  optimizer.apply([Float32Array.of(1, 1)]);
  const moved = 1 - w.value[0];
  assert.ok(moved > 0.4, `moved by ${moved}`);
  optimizer.learningRate = 0.25;
  optimizer.updateStep(Float32Array.of(0, 0), w, 0);
  const before = w.value[0];
  optimizer.apply([Float32Array.of(1, 1)]);
  assert.ok(Math.abs(before - w.value[0] - 0.25) < 0.1, `moved by ${before - w.value[0]}`);
  for (const each of [optimizer, w]) each.dispose();
});

test('excluded variables are not decayed, by identity and by pattern in the name', () => {
  const decayed = (exclude) => {
    const variables = [
      new Variable([1], { path: 'dense/kernel' }),
      new Variable([1], { path: 'dense/bias' }),
      Float32Array.of(1),
    ];
    const optimizer = new AdamW({ weightDecay: 0.5, learningRate: 1 });
    optimizer.excludeFromWeightDecay(exclude(variables));
    optimizer.apply(
      variables.map(() => Float32Array.of(0)),
      variables,
    );
    return variables.map((v) => (v.value ?? v)[0] < 1);
  };
  assert.deepEqual(
    decayed(() => ({})),
    [true, true, true],
  );
  assert.deepEqual(
    decayed(() => ({ varNames: ['bias'] })),
    [true, false, true],
  );
  assert.deepEqual(
    decayed(() => ({ varNames: ['^k', 'as$'] })),
    [false, false, true],
  );
  assert.deepEqual(
    decayed(() => ({ varNames: ['dense'] })),
    [true, true, true],
  );
  assert.deepEqual(
    decayed((v) => ({ varList: [v[0], v[2]] })),
    [false, true, false],
  );
  assert.deepEqual(
    decayed((v) => ({ varList: [v[0]], varNames: ['^variable'] })),
    [false, true, false],
  );
});

test('patterns choose the rate: the first entry that matches path or path:0', () => {
  const patternLrs = [
    { patterns: ['nothing', 'kernel:0$'], lr: 0.5 },
    { patterns: ['^emb/'], lr: 0.25 },
    { patterns: ['kernel'], lr: 100 },
  ];
  const variables = ['dense/kernel', 'emb/table', 'dense/bias'].map((path) => new Variable([0], { path }));
  const optimizer = new AdamMultilr({ learningRate: 0.125, patternLrs });
  optimizer.apply(
    variables.map(() => Float32Array.of(1)),
    variables,
  );
  assertMoved(variables, [0.5, 0.25, 0.125]);
});

function assertMoved(variables, rates) {
  const moved = variables.map((v) => -v.value[0]);
  rates.forEach((rate, i) => {
    assert.ok(Math.abs(moved[i] - rate) < 1e-4 * rate, `${variables[i].path} moved by ${moved[i]}`);
  });
}

test('a variable in a group has a multiple of the rate, in no group the one of its pattern', () => {
  const patternLrs = [
    { patterns: ['^emb/'], lr: 0.25 },
    { patterns: ['kernel'], lr: 0.5 },
  ];
  const groups = [{ paths: ['dense/bias'], rateFactor: 8 }];
  const variables = ['emb/table', 'dense/kernel', 'dense/bias', 'scale'].map(
    (path) => new Variable([0], { path }),
  );
  new AdamMultilr({ learningRate: 0.125, patternLrs, groups }).apply(
    variables.map(() => Float32Array.of(1)),
    variables,
  );
  assertMoved(variables, [0.25, 0.5, 1, 0.125]);
});

test('the decay of AdamMultilr rounds after every operation, as TensorFlow does', () => {
  const { fround } = Math;
  const decay = 0.1; // where 1 + decay * t, rounded once, would be another number at t = 9, 13 and 18
  const learningRate = (t) => 1 / fround(1 + fround(fround(decay) * t));
  const [w, expected] = [new Variable(1), new Variable(1)];
  const [one, other] = [new AdamMultilr({ learningRate: 1, decay }), new AdamMultilr({ learningRate })];
  for (let t = 0; t < 20; t++) {
    for (const [optimizer, variable] of [
      [one, w],
      [other, expected],
    ]) {
      variable.assign([0]); // so that the step is seen to its last bit
      optimizer.apply([Float32Array.of(1)], [variable]);
    }
    assertSameBits(w.value, expected.value, `step ${t}`);
  }
});

test('variables of one’s own can be added, and are assigned to', () => {
  const w = new Variable([1, 2, 3], { path: 'dense/kernel' });
  const optimizer = new Adam();
  optimizer.build([w]);
  const own = optimizer.addVariable({ shape: [2], initializer: 'ones', name: 'own' });
  const like = optimizer.addVariableFromReference(w, { name: 'copy' });
  assert.deepEqual([...own.value], [1, 1]);
  assert.deepEqual([...like.value], [0, 0, 0]);
  const paths = optimizer.variables.map(({ path }) => path);
  assert.ok(paths.includes('adam/own'));
  assert.ok(paths.includes('adam/dense_kernel_copy'));
  optimizer.assign(own, [3, 4]);
  optimizer.assignAdd(own, [1, 1]);
  optimizer.assignSub(own, [2, 0]);
  assert.deepEqual([...own.value], [2, 5]);
  optimizer.assign(w, [7, 8, 9]);
  assert.deepEqual([...w.value], [7, 8, 9]);
  assert.throws(() => optimizer.assign(own, [1]), RangeError);
});

test('finalizeVariableValues copies the averages, and does nothing without them', () => {
  const v = [new Variable([1, 2])];
  const optimizer = new Adam({ useEma: true, emaMomentum: 0.5, learningRate: 0.1 });
  optimizer.apply([Float32Array.of(1, 1)], v);
  const first = v[0].value.slice();
  optimizer.apply([Float32Array.of(1, 1)], v);
  const second = v[0].value.slice();
  optimizer.finalizeVariableValues(v);
  assertSameBits(
    v[0].value,
    first.map((x, i) => Math.fround(0.5 * x) + Math.fround(0.5 * second[i])),
  );
  const plain = Float32Array.of(1);
  new Adam().finalizeVariableValues([plain]);
  assert.equal(plain[0], 1);
});

test('many optimizers with many variables do not disturb each other', () => {
  const trained = (count) => {
    const pairs = Array.from({ length: count }, (_, i) => [
      i % 2 ? new Adam() : new Adamax(),
      [new Variable(randomFloats(3 + i, i), { name: 'w' }), randomFloats(10, i)],
    ]);
    for (let k = 0; k < 3; k++) {
      for (const [i, [optimizer, v]] of pairs.entries()) {
        optimizer.apply([randomFloats(3 + i, i + k), randomFloats(10, k)], v);
      }
    }
    return pairs.map(([, [w, plain]]) => [...w.value, ...plain]);
  };
  const alone = trained(4);
  assert.deepEqual(trained(40).slice(0, 4), alone);
});

test('rates that change of themselves do so after any change of options, and rates that stay, stay', () => {
  const rates = (optimizer, change) => {
    const w = new Variable([0], { name: 'w' });
    optimizer.build([w]);
    const moved = [];
    for (let call = 0; call < 4; call++) {
      if (call === 2) change(optimizer);
      const before = w.value[0];
      optimizer.apply([Float32Array.of(1)]);
      moved.push(before - w.value[0]);
    }
    for (const each of [optimizer, w]) each.dispose();
    return moved.map((x) => Number(x.toFixed(3)));
  };
  const options = { compat: 'tfjs', learningRate: 1 };
  assert.deepEqual(
    rates(new Adamax({ ...options, decay: 1 }), () => {}),
    [1, 0.5, 0.333, 0.25],
  );
  assert.deepEqual(
    rates(new Adamax(options), (o) => {
      o.decay = 1;
    }),
    [1, 1, 0.333, 0.25],
  );
  assert.deepEqual(
    rates(new Adamax({ ...options, decay: 1 }), (o) => {
      o.decay = 0;
    }),
    [1, 0.5, 1, 1],
  );
  const patternLrs = [{ patterns: ['w'], lr: 2 }];
  assert.deepEqual(
    rates(new AdamMultilr({ learningRate: 1, patternLrs }), (o) => {
      o.weightDecay = 0;
    }),
    [2, 2, 2, 2],
  );
});
