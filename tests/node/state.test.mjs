// Saving and loading: every form in which an optimizer's state leaves and enters, after which the next steps
// must be the same bit for bit.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { Adafactor, Adam, Adamax, AdamW, init, LossScaleOptimizer, Variable } from '../../dist/index.js';
import { every } from './every.mjs';
import { assertRefused, assertSameBits, assertSameSnapshot, randomFloats, snapshot } from './helpers.mjs';

before(() => init());

test('state variables of your own go out and in with the others, also two of one name', () => {
  const optimizer = new Adam();
  optimizer.build([new Variable([1, 2])]);
  const own = [5, 7].map((x) => {
    const variable = optimizer.addVariable({ shape: [2], name: 'own' });
    variable.assign([x, -x]);
    return variable;
  });
  const [bytes, weights] = [optimizer.serializeState(), optimizer.getWeights()];
  for (const load of [() => optimizer.loadState(bytes), () => optimizer.setWeights(weights)]) {
    for (const variable of own) variable.assign([0, 0]);
    load();
    own.forEach(({ value }, k) => {
      assertSameBits(
        value,
        [
          [5, -5],
          [7, -7],
        ][k],
      );
    });
  }
});

test('a count of calls beyond 2³¹ is saved as the largest that Keras has, and loads', () => {
  const variable = new Variable([1, 2]);
  const optimizer = new Adam();
  optimizer.build([variable]);
  optimizer.iterations = 2 ** 31 - 2;
  for (let k = 0; k < 3; k++) optimizer.apply([Float32Array.of(1, -1)]);
  assert.equal(optimizer.rawIterations, 2 ** 31 + 1);
  const bytes = optimizer.serializeState();
  const weights = optimizer.getWeights();
  assert.equal(weights[0], 2 ** 31 - 1);
  const values = variable.value.slice();
  optimizer.apply([Float32Array.of(1, -1)]);
  const expected = variable.value.slice();
  for (const load of [() => optimizer.loadState(bytes), () => optimizer.setWeights(weights)]) {
    load();
    variable.assign(values);
    optimizer.apply([Float32Array.of(1, -1)]);
    assertSameBits(variable.value, expected);
  }
});

test('a count of calls beyond 2³¹ is saved with the phase of accumulation and overwriting', () => {
  const options = { gradientAccumulationSteps: 3, useEma: true, emaOverwriteFrequency: 2 };
  const make = (values) => {
    const variable = new Variable(values);
    const optimizer = new Adam({ learningRate: 0.1, ...options });
    optimizer.build([variable]);
    return { variable, optimizer };
  };
  const one = make([1, 2]);
  const step = ({ optimizer }, k) => optimizer.apply([Float32Array.of(k, -1)]);
  one.optimizer.iterations = Math.floor((2 ** 31 - 1) / 3);
  for (let k = 0; k < 9; k++) {
    const other = make(one.variable.value.slice());
    other.optimizer.loadState(one.optimizer.serializeState());
    for (let j = 0; j < 7; j++) {
      const twin = make(one.variable.value.slice());
      twin.optimizer.loadState(one.optimizer.serializeState());
      step(one, j);
      step(other, j);
      step(twin, j);
      assertSameBits(other.variable.value, one.variable.value, `${k}, ${j}`);
      assertSameBits(twin.variable.value, one.variable.value, `${k}, ${j}`);
    }
  }
});

const PATHS = ['emb/table', 'dense/kernel', 'dense/bias'];
const SIZES = [12, 17000, 3];

const makers = {
  'Adam with every slot': () =>
    new Adam({ amsgrad: true, useEma: true, gradientAccumulationSteps: 3, weightDecay: 0.01, clipnorm: 2 }),
  AdamW: () => new AdamW({ learningRate: 0.1 }),
  Adamax: () => new Adamax({ useEma: true, emaOverwriteFrequency: 2 }),
  'LossScaleOptimizer round Adam': () =>
    new LossScaleOptimizer(new Adam({ gradientAccumulationSteps: 2 }), {
      initialScale: 4,
      dynamicGrowthSteps: 3,
    }),
};

const makeVariables = (values) =>
  PATHS.map((path, i) => new Variable(values?.[i] ?? randomFloats(SIZES[i], i), { path }));

const steps = (optimizer, variables, from, to) => {
  for (let k = from; k < to; k++) {
    const grads = variables.map((v) => randomFloats(v.size, 100 * k + PATHS.indexOf(v.path)));
    optimizer.apply(grads, variables);
  }
};

const forms = {
  'serializeState and loadState': [(o) => o.serializeState(), (o, saved) => o.loadState(saved)],
  'getWeights and setWeights': [(o) => o.getWeights(), (o, saved) => o.setWeights(saved)],
  'saveOwnVariables and loadOwnVariables': [
    (o) => {
      const store = {};
      o.saveOwnVariables(store);
      return store;
    },
    (o, saved) => o.loadOwnVariables(saved),
  ],
};

for (const [name, make] of Object.entries(makers)) {
  for (const [form, [save, load]] of Object.entries(forms)) {
    test(`${name}: goes on with the same bits after ${form}`, () => {
      const variables = makeVariables();
      const optimizer = make();
      steps(optimizer, variables, 0, 5);
      const saved = save(optimizer);
      const values = variables.map((v) => v.value.slice());
      steps(optimizer, variables, 5, 10);

      const others = makeVariables(values);
      const fresh = make();
      fresh.build(others);
      load(fresh, saved);
      steps(fresh, others, 5, 10);
      const paths = ({ state, ...rest }) => ({ ...rest, state: state.map((s) => ({ ...s, path: '' })) });
      assertSameSnapshot(paths(snapshot(fresh, others)), paths(snapshot(optimizer, variables)));
    });
  }
}

test('what was saved does not change when the optimizer goes on', () => {
  for (const [save] of Object.values(forms)) {
    const variables = makeVariables();
    const optimizer = new Adam();
    steps(optimizer, variables, 0, 2);
    const saved = save(optimizer);
    const before = structuredClone(saved);
    steps(optimizer, variables, 2, 4);
    assert.deepEqual(saved, before);
  }
});

test('saving changes nothing', () => {
  const variables = makeVariables();
  const optimizer = makers['Adam with every slot']();
  steps(optimizer, variables, 0, 4);
  const before = snapshot(optimizer, variables);
  for (const [save] of Object.values(forms)) save(optimizer);
  assertSameSnapshot(snapshot(optimizer, variables), before);
});

test('a state is keyed by the paths of the variables, not by the name of the optimizer', () => {
  const [from, to] = ['adam', 'adam_1'].map((name) => {
    const variables = makeVariables();
    const optimizer = new Adam({ name });
    optimizer.build(variables);
    return { optimizer, variables };
  });
  steps(from.optimizer, from.variables, 0, 4);
  to.optimizer.loadState(from.optimizer.serializeState());
  assert.deepEqual(to.optimizer.getWeights(), from.optimizer.getWeights());
});

test('the bytes are safetensors: a header in JSON, and float32 slots under the paths of their variables', () => {
  const variables = makeVariables();
  const optimizer = makers['Adam with every slot']();
  steps(optimizer, variables, 0, 4);
  const bytes = optimizer.serializeState();
  assert.ok(bytes instanceof Uint8Array);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = Number(view.getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
  const tensors = Object.entries(header).filter(([key]) => key !== '__metadata__');
  const end = Math.max(
    ...tensors.map(
      ([
        ,
        {
          data_offsets: [, to],
        },
      ]) => to,
    ),
  );
  assert.equal(8 + length + end, bytes.byteLength);
  for (const path of PATHS) {
    const own = tensors.filter(([key]) => key.startsWith(`${path}/`));
    assert.equal(own.length, 5, `${path}: average, accumulator, momentum, velocity, velocity_hat`);
    for (const [, { dtype, shape }] of own) {
      assert.equal(dtype, 'F32');
      assert.deepEqual(shape, [SIZES[PATHS.indexOf(path)]]);
    }
  }
  const [
    ,
    {
      data_offsets: [from, to],
    },
  ] = tensors.find(([key]) => key === 'dense/bias/momentum');
  const data = bytes.slice(8 + length + from, 8 + length + to);
  const { value } = optimizer.variables.find(({ path }) => path.endsWith('dense_bias_momentum'));
  assertSameBits(new Float32Array(data.buffer), value);
});

test('a state finds its variables by path, in whatever order the optimizer was built', () => {
  const variables = makeVariables();
  const optimizer = new Adam({ amsgrad: true });
  steps(optimizer, variables, 0, 3);
  const bytes = optimizer.serializeState();
  const others = makeVariables(variables.map((v) => v.value.slice())).reverse();
  steps(optimizer, variables, 3, 6);
  const fresh = new Adam({ amsgrad: true });
  fresh.build(others);
  fresh.loadState(bytes);
  steps(fresh, others, 3, 6);
  others.reverse().forEach((v, i) => {
    assertSameBits(v.value, variables[i].value, v.path);
  });
});

test('paths that differ only in how they are joined keep their states apart', () => {
  const make = (values) =>
    ['a/b', 'a_b'].map((path, i) => new Variable(values?.[i] ?? randomFloats(3, i), { path }));
  const gradients = (k) => [randomFloats(3, 10 + k), randomFloats(3, 20 + k)];
  const variables = make();
  const optimizer = new Adam();
  optimizer.apply(gradients(0), variables);
  const bytes = optimizer.serializeState();
  const others = make(variables.map((v) => v.value.slice()));
  optimizer.apply(gradients(1), variables);
  const fresh = new Adam();
  fresh.build(others);
  fresh.loadState(bytes);
  fresh.apply(gradients(1), others);
  others.forEach((v, i) => {
    assertSameBits(v.value, variables[i].value, v.path);
  });
});

test('a state of other variables, of another rule or of other slots is refused and changes nothing', () => {
  const variables = makeVariables();
  const optimizer = new Adam();
  steps(optimizer, variables, 0, 3);
  const strangers = [new Variable(12, { path: 'other/table' })];
  const states = [
    [new Adam(), strangers],
    [new Adamax(), makeVariables()],
    [new Adam({ amsgrad: true }), makeVariables()],
  ].map(([other, list]) => {
    other.apply(
      list.map((v) => randomFloats(v.size, 1)),
      list,
    );
    return other.serializeState();
  });
  const before = snapshot(optimizer, variables);
  for (const bytes of states) {
    assert.throws(() => optimizer.loadState(bytes), Error);
    assertSameSnapshot(snapshot(optimizer, variables), before);
  }
});

test('a damaged state is refused and changes nothing', () => {
  const variables = makeVariables();
  const optimizer = new Adam();
  steps(optimizer, variables, 0, 3);
  const bytes = optimizer.serializeState();
  const damaged = [
    new Uint8Array(0),
    bytes.subarray(0, 7),
    bytes.subarray(0, bytes.length - 1),
    Uint8Array.from(bytes, (b, i) => (i === 7 ? 255 : b)),
    Uint8Array.from(bytes, (b, i) => (i === 8 ? 33 : b)),
  ];
  const before = snapshot(optimizer, variables);
  for (const [i, each] of damaged.entries()) {
    assert.throws(() => optimizer.loadState(each), Error, `damage ${i}`);
    assertSameSnapshot(snapshot(optimizer, variables), before);
  }
});

test('bytes that start anywhere in a larger buffer are read', () => {
  const [v] = [new Variable([1, 2, 3])];
  const optimizer = new Adam();
  optimizer.apply([randomFloats(3, 1)], [v]);
  const bytes = optimizer.serializeState();
  const shifted = new Uint8Array(bytes.length + 5).subarray(5);
  shifted.set(bytes);
  const before = snapshot(optimizer, [v]);
  optimizer.loadState(shifted);
  assertSameSnapshot(snapshot(optimizer, [v]), before);
});

test('variables come in Keras’ order and under Keras’ names', () => {
  const list = ['dense/kernel', 'dense/bias'].map((path) => new Variable(2, { path }));
  const paths = (optimizer) => {
    optimizer.build(list);
    return optimizer.variables.map(({ path }) => path);
  };
  const options = { amsgrad: true, useEma: true, gradientAccumulationSteps: 2 };
  assert.deepEqual(paths(new Adam(options)), [
    'adam/iteration',
    'adam/learning_rate',
    'adam/dense_kernel_average',
    'adam/dense_bias_average',
    'adam/dense_kernel_gradient_accumulator',
    'adam/dense_bias_gradient_accumulator',
    'adam/dense_kernel_momentum',
    'adam/dense_kernel_velocity',
    'adam/dense_bias_momentum',
    'adam/dense_bias_velocity',
    'adam/dense_kernel_velocity_hat',
    'adam/dense_bias_velocity_hat',
  ]);
  assert.deepEqual(paths(new Adamax({ name: 'mine' })), [
    'mine/iteration',
    'mine/learning_rate',
    'mine/dense_kernel_momentum',
    'mine/dense_kernel_norm',
    'mine/dense_bias_momentum',
    'mine/dense_bias_norm',
  ]);
  const [iteration, rate, slot] = new Adam().variables.concat({ dtype: 'float32' });
  assert.deepEqual([iteration.dtype, rate.dtype, slot.dtype], ['int32', 'float32', 'float32']);
  assert.deepEqual([iteration.value, rate.value], [0, Math.fround(0.001)]);
});

test('the means of an empty matrix have Keras’ shapes, and memory of their own', () => {
  for (const [shape, rows, columns] of [
    [[0, 3], [0], [3]],
    [[2, 0], [2], [0]],
    [
      [2, 0, 5],
      [2, 0],
      [2, 5],
    ],
  ]) {
    const optimizer = new Adafactor();
    const variables = [
      new Variable(new Float32Array(), { shape }),
      new Variable([1, 2, 3, 4], { shape: [2, 2] }),
    ];
    optimizer.build(variables);
    optimizer.apply([new Float32Array(), Float32Array.of(1, 2, 3, 4)]);
    assert.deepEqual(
      optimizer.variables.slice(2, 4).map((v) => v.shape),
      [rows, columns],
    );
    const weights = optimizer.getWeights();
    for (const k of [2, 3]) {
      assert.ok(
        weights[k].every((x) => x === 0),
        `${weights[k]}`,
      );
      weights[k].fill(9);
    }
    optimizer.setWeights(weights);
    assert.deepEqual(optimizer.getWeights(), weights);
    optimizer.loadState(optimizer.serializeState());
    assert.deepEqual(optimizer.getWeights(), weights);
  }
});

test('plain arrays without names are variable, variable_1, …', () => {
  const optimizer = new Adamax();
  optimizer.build([new Float32Array(1), new Float32Array(2)]);
  assert.deepEqual(
    optimizer.variables.slice(2).map(({ path }) => path),
    [
      'adamax/variable_momentum',
      'adamax/variable_norm',
      'adamax/variable_1_momentum',
      'adamax/variable_1_norm',
    ],
  );
});

test('statelessApply computes what apply would, and touches nothing', () => {
  for (const make of Object.values(makers)) {
    const variables = makeVariables();
    const optimizer = make();
    steps(optimizer, variables, 0, 2);
    const before = snapshot(optimizer, variables);
    const grads = variables.map((v) => randomFloats(v.size, 77));
    const weights = optimizer.getWeights();
    const values = variables.map((v) => v.value.slice());
    const [newVariables, newWeights] = optimizer.statelessApply(weights, grads, values);
    assertSameSnapshot(snapshot(optimizer, variables), before);
    assertSameBits(values[1], before.variables[1], 'the given variables');
    optimizer.apply(grads, variables);
    variables.forEach((v, i) => {
      assertSameBits(newVariables[i], v.value, v.path);
    });
    optimizer.variables.forEach(({ path, value }, i) => {
      const scalar = typeof value === 'number';
      assertSameBits(scalar ? [newWeights[i]] : newWeights[i], scalar ? [value] : value, path);
    });
  }
});

test('a state is not loaded into an optimizer that is not built', () => {
  const v = new Variable([1]);
  const optimizer = new Adam();
  optimizer.apply([randomFloats(1, 1)], [v]);
  for (const [save, load] of Object.values(forms)) {
    assertRefused(() => load(new Adam(), save(optimizer)), Error, /build|built/);
  }
});

// What is never below zero is seen from outside: after some steps by gradients of both signs no element is.
for (const { name, Class, options } of every)
  test(`${name}: state that is never below zero is refused below zero, and only that`, () => {
    const variables = [
      new Variable(randomFloats(24, 1), { shape: [4, 6], name: 'a' }),
      new Variable(40, { name: 'b' }),
    ];
    const optimizer = new Class(options);
    optimizer.build(variables);
    for (let t = 0; t < 6; t++)
      optimizer.apply(variables.map(({ size }, k) => randomFloats(size, 2 + 10 * t + k)));
    const weights = optimizer.getWeights();
    weights.forEach((values, k) => {
      if (typeof values === 'number' || !values.some((x) => x !== 0)) return;
      const changed = weights.slice();
      changed[k] = values.map((x, i) => (i === 2 ? -Math.abs(x) - 1 : x));
      if (values.some((x) => x < 0)) optimizer.setWeights(changed);
      else
        assert.throws(() => optimizer.setWeights(changed), /never below zero/, optimizer.variables[k].path);
    });
    optimizer.dispose();
    for (const variable of variables) variable.dispose();
  });
