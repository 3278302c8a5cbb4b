// Mistakes are never silent: what a call does not know, or cannot mean, it refuses, in words that name the call, the
// argument, and what is near. Many of the cases are generated.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { SourceMap } from 'node:module';
import { before, describe, test } from 'node:test';
import { runInNewContext } from 'node:vm';
import * as simdescent from '../../dist/index.js';
import {
  Adam,
  Adamax,
  AdamMultilr,
  AdamW,
  constraints,
  init,
  LossScaleOptimizer,
  MultiOptimizer,
  OptimizerMap,
  optimizers,
  SGD,
  SparseGradient,
  schedules,
  Variable,
} from '../../dist/index.js';
import { assertRefused, assertSameBits, runModule, warningsOf } from './helpers.mjs';

before(() => init());

const floats = (...values) => Float32Array.from(values);

// Every place that takes options: a call with them, and names that it knows.
const takers = {
  'new Adam': [(o) => new Adam(o), ['learningRate', 'beta1', 'weightDecay', 'useEma']],
  'new AdamW': [(o) => new AdamW(o), ['learningRate', 'amsgrad']],
  'new Adamax': [(o) => new Adamax(o), ['learningRate', 'epsilon']],
  'new AdamMultilr': [(o) => new AdamMultilr(o), ['patternLrs', 'decay']],
  'new LossScaleOptimizer': [
    (o) => new LossScaleOptimizer(new Adam(), o),
    ['initialScale', 'dynamicGrowthSteps'],
  ],
  'new Variable': [(o) => new Variable(2, o), ['name', 'path', 'shape', 'trainable', 'constraint']],
  'new SparseGradient': [(o) => new SparseGradient(o), ['indices', 'values', 'clip']],
  addVariable: [(o) => new Adam().addVariable(o), ['shape', 'initializer', 'name']],
  addVariableFromReference: [
    (o) => new Adam().addVariableFromReference(floats(1), o),
    ['name', 'initializer'],
  ],
  excludeFromWeightDecay: [(o) => new AdamW().excludeFromWeightDecay(o), ['varList', 'varNames']],
  'constraints.MaxNorm': [(o) => new constraints.MaxNorm(o), ['maxValue', 'axis']],
  'constraints.MinMaxNorm': [(o) => new constraints.MinMaxNorm(o), ['minValue', 'maxValue', 'rate', 'axis']],
  'schedules.ExponentialDecay': [
    (o) => new schedules.ExponentialDecay(o),
    ['initialLearningRate', 'decaySteps', 'decayRate'],
  ],
  'schedules.PiecewiseConstantDecay': [
    (o) => new schedules.PiecewiseConstantDecay(o),
    ['boundaries', 'values'],
  ],
};

/** As somebody mistypes a name: a letter left out, doubled, or changed for its neighbour. */
function* misspelt(name) {
  const k = name.length >> 1;
  yield name.slice(0, k) + name.slice(k + 1);
  yield name.slice(0, k) + name[k] + name.slice(k);
  yield `${name}s`;
}

describe('options of', () => {
  for (const [what, [call, names]] of Object.entries(takers)) {
    test(`${what}: unknown ones are refused, with the nearest name`, () => {
      for (const name of names)
        for (const wrong of misspelt(name))
          if (!names.includes(wrong))
            assertRefused(
              () => call({ [wrong]: 1 }),
              TypeError,
              new RegExp(`'${wrong}'`),
              new RegExp(`'${name}'`),
            );
    });
    test(`${what}: only a plain object is one`, () => {
      const inherited = Object.create({ [names[0]]: 1 });
      const odd = [
        null,
        4,
        'x',
        true,
        [],
        () => {},
        new Map([[names[0], 1]]),
        new Set(),
        inherited,
        new Date(),
      ];
      for (const options of odd) assertRefused(() => call(options), TypeError, /object|takes \{/);
    });
  }
});

test('an object of another realm, or without a prototype, is a plain one', () => {
  const foreign = runInNewContext('({ learningRate: 0.5 })');
  const bare = Object.assign(Object.create(null), { learningRate: 0.5 });
  for (const options of [foreign, bare]) assert.equal(new Adam(options).learningRate, 0.5);
});

test("Keras' spelling works wherever an option has one, and both at once are refused", () => {
  const variable = new Variable(2, { name: 'bias' });
  const optimizer = new AdamW({ weightDecay: 0.5, learningRate: 0 });
  optimizer.excludeFromWeightDecay({ var_list: [variable], var_names: ['kernel'] });
  assertRefused(
    () => optimizer.excludeFromWeightDecay({ var_list: [variable], varList: [variable] }),
    TypeError,
    /two spellings/,
  );
  assertRefused(
    () => new constraints.MaxNorm({ maxValue: 1, max_value: 1 }),
    TypeError,
    /maxValue/,
    /max_value/,
  );
  assertRefused(
    () => new schedules.InverseTimeDecay({ decaySteps: 1, decay_steps: 1 }),
    TypeError,
    /two spellings/,
  );
  for (const bad of [[variable], 'bias', { varName: ['bias'] }, { varNames: 'bias' }, { varList: variable }])
    assertRefused(() => optimizer.excludeFromWeightDecay(bad), TypeError, /excludeFromWeightDecay/);
});

test('an excluded variable that is not built is named by build, which makes nothing', () => {
  const [kernel, bias] = [new Variable(2, { name: 'kernel' }), new Variable(2, { name: 'bias' })];
  const optimizer = new AdamW();
  optimizer.excludeFromWeightDecay({ varList: [bias] });
  assertRefused(() => optimizer.build([kernel]), RangeError, /'bias'/, /varList/);
  assertRefused(() => optimizer.apply([floats(1, 1)], [kernel]), RangeError, /'bias'/);
  assert.equal(optimizer.built, false);
  optimizer.build([kernel, bias]);
});

test('a second build with the same variables does nothing, with others it names the difference', () => {
  const [a, b, c] = ['a', 'b', 'c'].map((name) => new Variable(1, { name }));
  for (const optimizer of [new Adam(), new LossScaleOptimizer(new Adam())]) {
    optimizer.build([a, b]);
    optimizer.build([a, b]);
    assertRefused(() => optimizer.build([a]), Error, /2 variables/, /1 were given/);
    assertRefused(() => optimizer.build([a, c]), Error, /variables\[1\] was 'b', and is 'c'/);
    assertRefused(() => optimizer.build([b, a]), Error, /variables\[0\] was 'a', and is 'b'/);
    assertRefused(() => optimizer.build([a, null]), Error, /null/);
    assertRefused(() => optimizer.build(), TypeError, /build takes an array/);
    optimizer.apply([floats(1), floats(1)]);
  }
});

test("properties that an optimizer does not have cannot be set; Keras' spelling can", () => {
  const optimizers = [
    new Adam(),
    new AdamW(),
    new Adamax(),
    new AdamMultilr(),
    new LossScaleOptimizer(new Adam()),
  ];
  for (const optimizer of optimizers) {
    for (const [wrong, right] of Object.entries({
      lr: 'learningRate',
      learningrate: 'learningRate',
      iteration: 'iterations',
    }))
      assertRefused(
        () => Object.assign(optimizer, { [wrong]: 1 }),
        TypeError,
        new RegExp(`'${wrong}'`),
        new RegExp(right),
      );
    assertRefused(() => Object.assign(optimizer, { whatever: 1 }), TypeError, /'whatever'/);
    assert.deepEqual(
      Object.keys(optimizer).filter((key) => /lr|whatever|iteration$/i.test(key)),
      [],
    );
    optimizer.learning_rate = 0.25;
    assert.equal(optimizer.learningRate, 0.25);
    assert.equal(optimizer.learning_rate, 0.25);
  }
  const adam = optimizers[0];
  adam.weight_decay = 0.5;
  adam.beta_1 = 0.5;
  assert.deepEqual([adam.weightDecay, adam.beta1], [0.5, 0.5]);
  assertRefused(() => Object.assign(adam, { global_clipnorm: 'x' }), TypeError, /globalClipnorm/);
  assertRefused(() => Object.assign(adam, { amsgrads: true }), TypeError, /amsgrad/);
});

test('a subclass may have properties of its own', () => {
  class Mine extends Adam {
    constructor(options) {
      super(options);
      this.extra = 1;
    }
  }
  const mine = new Mine();
  mine.more = 2;
  assert.deepEqual([mine.extra, mine.more], [1, 2]);
});

test('a subclass is saved by its own name, and read back by customObjects', () => {
  class Slow extends Adam {}
  class Named extends Adam {
    static className = 'Company>Named';
  }
  for (const [Kind, name] of [
    [Slow, 'Slow'],
    [Named, 'Company>Named'],
  ]) {
    const saved = JSON.parse(JSON.stringify(optimizers.serialize(new Kind({ learningRate: 0.5 }))));
    assert.deepEqual([saved.class_name, saved.registered_name, saved.module], [name, name, null]);
    assertRefused(() => optimizers.deserialize(saved), RangeError, new RegExp(name.split('>').pop()), /Adam/);
    const read = optimizers.deserialize(saved, { [name.split('>').pop()]: Kind });
    assert.equal(read.constructor, Kind);
    assert.equal(read.learningRate, 0.5);
    const wrapped = optimizers.serialize(new LossScaleOptimizer(new Kind()));
    assert.equal(wrapped.config.inner_optimizer.class_name, name);
    assert.equal(optimizers.deserialize(wrapped, { Kind }).innerOptimizer.constructor, Kind);
  }
  assertRefused(() => optimizers.serialize(new (class extends Adam {})()), Error, /name/);
});

test('a subclass of what wraps others is made again as itself, and its map, too', () => {
  class Mine extends LossScaleOptimizer {}
  class Parts extends MultiOptimizer {}
  class ByPath extends OptimizerMap {
    static className = 'Company>ByPath';
  }
  const own = { Mine, Parts, ByPath };
  const one = new Mine(new Parts(new ByPath(new Adam(), { 'a.*': new SGD({ momentum: 0.5 }) })), {
    initialScale: 8,
  });
  const saved = JSON.parse(JSON.stringify(optimizers.serialize(one)));
  for (const again of [
    optimizers.deserialize(saved, own),
    optimizers.get(saved, own),
    Mine.fromConfig(saved.config, own),
  ]) {
    const { innerOptimizer: inner } = again;
    const { optimizerMap: map } = inner;
    assert.deepEqual([again, inner, map].map(Object.getPrototypeOf), [
      Mine.prototype,
      Parts.prototype,
      ByPath.prototype,
    ]);
    assert.deepEqual([again.initialScale, map.get('ab').momentum, map.size], [8, 0.5, 1]);
    assert.deepEqual(JSON.parse(JSON.stringify(optimizers.serialize(again))), saved);
  }
  assert.equal(ByPath.fromConfig(one.innerOptimizer.optimizerMap.getConfig()).constructor, ByPath);
  for (const name of Object.keys(own)) {
    const { [name]: _, ...rest } = own;
    assertRefused(() => optimizers.deserialize(saved, rest), RangeError, new RegExp(name), /customObjects/);
  }
  const nameless = new MultiOptimizer(new (class extends OptimizerMap {})(new Adam()));
  assertRefused(() => nameless.getConfig(), Error, /name/);
});

test('serialized forms with a key misspelt are refused', () => {
  const saved = optimizers.serialize(new Adam());
  assertRefused(
    () => optimizers.deserialize({ class_name: 'Adam', confg: {} }),
    TypeError,
    /'confg'/,
    /'config'/,
  );
  assertRefused(
    () => new Adam({ learningRate: { class_name: 'CosineDecay', Config: {} } }),
    TypeError,
    /'Config'/,
  );
  assertRefused(
    () => new Variable(1, { constraint: { class_name: 'NonNeg', confg: {} } }),
    TypeError,
    /'confg'/,
  );
  assert.ok(
    optimizers.deserialize({ ...saved, build_config: {}, shared_object_id: 7, something_of_tomorrow: 1 }),
  );
  assertRefused(() => optimizers.deserialize(saved, new Map([['Mine', Adam]])), TypeError, /customObjects/);
  for (const name of ['constructor', 'toString', '__proto__', 'hasOwnProperty'])
    assertRefused(() => new Adam({ learningRate: { class_name: name, config: {} } }), RangeError, /schedule/);
});

const beyond = [1e39, -1e39, 1e300, Number.MAX_VALUE];

test('numbers that float32 does not have are refused, not turned into Infinity or 0', () => {
  const optimizer = new Adam();
  optimizer.build([new Variable(1)]);
  for (const x of beyond) {
    for (const option of [
      'learningRate',
      'weightDecay',
      'clipnorm',
      'globalClipnorm',
      'clipvalue',
      'epsilon',
      'lossScaleFactor',
    ])
      assertRefused(() => new Adam({ [option]: x }), RangeError, new RegExp(option));
    assertRefused(() => Object.assign(optimizer, { learningRate: x }), RangeError, /learningRate/);
    assertRefused(() => new LossScaleOptimizer(new Adam(), { initialScale: x }), RangeError, /initialScale/);
    assertRefused(() => optimizer.setWeights([0, x, floats(0), floats(0)]), RangeError, /learning_rate/);
    assertRefused(() => new constraints.MaxNorm({ maxValue: x }), TypeError, /maxValue/);
    assertRefused(
      () => new schedules.CosineDecay({ initialLearningRate: x, decaySteps: 1 }),
      TypeError,
      /initialLearningRate/,
    );
    assertRefused(() => new Adam({ learningRate: () => x }).learningRate, RangeError, /learningRate/);
  }
  for (const option of ['lossScaleFactor'])
    assertRefused(() => new Adam({ [option]: 1e-60 }), RangeError, new RegExp(option));
  assertRefused(
    () => new LossScaleOptimizer(new Adam(), { initialScale: 1e-60 }),
    RangeError,
    /initialScale/,
  );
  assert.equal(optimizer.learningRate, Math.fround(0.001));
});

test('a count of iterations that is no whole number is refused by everything that sets state', () => {
  const optimizer = new Adam();
  optimizer.build([new Variable(1)]);
  for (const bad of [1.5, -1, 2 ** 31, Number.NaN]) {
    assertRefused(() => optimizer.setWeights([bad, 0.1, floats(0), floats(0)]), RangeError, /iteration/);
    assertRefused(
      () => optimizer.loadOwnVariables({ 0: bad, 1: 0.1, 2: floats(0), 3: floats(0) }),
      RangeError,
      /iteration/,
    );
    assertRefused(() => Object.assign(optimizer, { iterations: bad }), RangeError, /iterations/);
  }
  assert.equal(optimizer.iterations, 0);
});

test('clips below zero, which Keras takes and does not use, are warned of', () => {
  for (const name of ['clipnorm', 'clipvalue', 'globalClipnorm']) {
    const texts = warningsOf(() => new Adam({ [name]: -3 }));
    assert.equal(texts.length, 1);
    assert.match(texts[0], new RegExp(`${name} is -3`));
  }
});

test('the boundaries of a schedule ascend; two may be the same, and as in Keras they are cut to whole steps', () => {
  const at = (boundaries, step) =>
    new schedules.PiecewiseConstantDecay({
      boundaries,
      values: Array.from({ length: boundaries.length + 1 }, (_, k) => k),
    }).at(step);
  assertRefused(() => at([2, 1], 0), RangeError, /boundaries must ascend/, /2,1/);
  assert.deepEqual([at([1, 1], 1), at([1, 1], 2)], [0, 2]);
  assert.deepEqual([at([-0.5], 0), at([2.7], 2), at([2.7], 3)], [0, 0, 1]);
});

test('constraints that cannot be met, or name no axis, are refused', () => {
  assertRefused(
    () => new constraints.MinMaxNorm({ minValue: 2, maxValue: 1 }),
    RangeError,
    /minValue/,
    /2 and 1/,
  );
  assertRefused(() => new constraints.MaxNorm({ maxValue: -1 }), RangeError, /maxValue/);
  // biome-ignore lint/suspicious/noSparseArray: that is what is tested
  for (const axis of [[], [0, , 1], [0.5], '0', [null]])
    assertRefused(() => new constraints.UnitNorm({ axis }), TypeError, /axis/);
});

test('holes in lists are mistakes', () => {
  // biome-ignore-start lint/suspicious/noSparseArray: that is what is tested
  assertRefused(() => new Adam().build([floats(1), , floats(2)]), TypeError, /variables\[1\]/);
  assertRefused(() => new AdamW().excludeFromWeightDecay({ varNames: ['a', , 'b'] }), TypeError, /varNames/);
  assertRefused(() => new AdamW().excludeFromWeightDecay({ varList: [floats(1), ,] }), TypeError, /varList/);
  assertRefused(
    () => new AdamMultilr({ patternLrs: [{ patterns: ['a'], lr: 1 }, ,] }),
    TypeError,
    /patternLrs\[1\]/,
  );
  assertRefused(
    () => new AdamMultilr({ patternLrs: [{ patterns: ['a', ,], lr: 1 }] }),
    TypeError,
    /patterns/,
  );
  assertRefused(
    () => new schedules.PiecewiseConstantDecay({ boundaries: [1, , 3], values: [1, 2, 3, 4] }),
    TypeError,
    /boundaries/,
  );
  assertRefused(() => new Adam().addVariable({ shape: [2, , 3] }), TypeError, /shape/);
  // biome-ignore-end lint/suspicious/noSparseArray: that is what is tested
});

test("what was given stays the caller's: changing it afterwards changes nothing here", () => {
  const [boundaries, values, axis, patterns] = [[10], [1, 2], [0], ['a']];
  const piecewise = new schedules.PiecewiseConstantDecay({ boundaries, values });
  const norm = new constraints.MaxNorm({ axis });
  const patternLrs = [{ patterns, lr: 0.5 }];
  const multilr = new AdamMultilr({ patternLrs });
  const texts = () =>
    JSON.stringify([
      piecewise.getConfig(),
      piecewise.at(5),
      norm.getConfig(),
      multilr.getConfig(),
      multilr.patternLrs,
    ]);
  const before = texts();
  for (const list of [boundaries, values, axis, patterns, patternLrs]) list.length = 0;
  piecewise.getConfig().values.length = 0;
  norm.getConfig().axis.push(1);
  assert.equal(texts(), before);
  const variable = new Variable(4, { shape: [2, 2] });
  assert.throws(() => variable.shape.push(1), TypeError);
});

test('an array that was detached before build is refused; one of no elements is not', () => {
  const gone = detached(floats(1, 2));
  assertRefused(() => new Adam().build([floats(1), gone]), Error, /variables\[1\]/, /detached/);
  new Adam().build([floats(1), floats()]);
});

test('what is of another copy of the package, or of another realm, is said to be', () => {
  const told = runModule(`
    import { cpSync, rmSync, mkdtempSync } from 'node:fs';
    import { tmpdir } from 'node:os';
    import { Adam, LossScaleOptimizer, Variable, init } from './dist/index.js';
    const folder = mkdtempSync(tmpdir() + '/copy-');
    cpSync('dist', folder + '/dist', { recursive: true });
    cpSync('package.json', folder + '/package.json');
    const other = await import(folder + '/dist/index.js');
    await Promise.all([init(), other.init()]);
    const cosine = new other.schedules.CosineDecay({ initialLearningRate: 1, decaySteps: 1 });
    const w = new Variable(1);
    for (const call of [
      () => new Adam().build([new other.Variable(1)]),
      () => new Adam().apply([new other.SparseGradient({ indices: [0], values: [1] })], [w]),
      () => new LossScaleOptimizer(new other.Adam()),
      () => new Adam({ learningRate: cosine }),
      () => new Variable(1, { constraint: new other.constraints.NonNeg() }),
      () => new Adam().apply([w], [w]),
    ]) try { call(); console.log('nothing'); } catch (error) { console.log(error.message); }
    rmSync(folder, { recursive: true });
  `).split('\n');
  assert.equal(told.length, 6);
  for (const line of told.slice(0, 5)) assert.match(line, /of another copy of simdescent/);
  assert.doesNotMatch(told[5], /another/);
  const foreign = runInNewContext('new Float64Array(2)');
  assertRefused(() => new Adam().build([foreign]), TypeError, /Float64Array of length 2 of another realm/);
});

test('what must be awaited first is said to be', () => {
  const optimizer = new Adam({ learningRate: async () => 0.1 });
  assertRefused(() => optimizer.learningRate, TypeError, /Promise/, /not awaited/);
  assertRefused(
    () => new Adam().minimize(async () => ({ loss: 1, grads: [] })),
    TypeError,
    /Promise/,
    /not awaited/,
  );
  assertRefused(() => Adam.fromConfig(Promise.resolve({})), TypeError, /not awaited/);
  assertRefused(() => optimizers.deserialize(Promise.resolve({})), TypeError, /not awaited/);
});

test('schedules and constraints that have no method say so when they are given', () => {
  class Nothing extends schedules.LearningRateSchedule {}
  class Nor extends constraints.Constraint {}
  assertRefused(() => new Adam({ learningRate: new Nothing() }), TypeError, /at\(step\)/, /Nothing/);
  assertRefused(() => new Variable(1, { constraint: new Nor() }), TypeError, /apply\(values\)/, /Nor/);
  const cosine = new schedules.CosineDecay({ initialLearningRate: 1, decaySteps: 1 });
  const piecewise = new schedules.PiecewiseConstantDecay({ boundaries: [1], values: [1, 2] });
  for (const schedule of [cosine, piecewise])
    for (const step of [undefined, null, '1', {}, Number.NaN, 1n])
      assertRefused(() => schedule.at(step), TypeError, /\.at takes a number/);
});

function detached(array) {
  structuredClone(array.buffer, { transfer: [array.buffer] });
  return array;
}

/** Errors of the language or of the bindings, which say nothing to a user. */
const unclear =
  /is not a function|not iterable|Cannot read|Cannot convert|Cannot perform|Cannot destructure|is not defined|Binding|Cannot pass|stack size|Invalid typed array|reading '/;

test('whatever is given to whatever method: words, not accidents', () => {
  const odd = () => [
    undefined,
    null,
    0,
    -1,
    1.5,
    Number.NaN,
    '',
    'x',
    true,
    Symbol('s'),
    1n,
    [],
    {},
    () => {},
    new Map(),
    floats(),
    [null],
    [[]],
    [{}],
    floats(1),
    detached(floats(1)),
    [detached(floats(1, 2)), detached(floats())],
  ];
  const make = () => {
    const variables = [new Variable([1, 2], { name: 'a' }), floats(3, 4)];
    const optimizer = new AdamW({ learningRate: 0.1, useEma: true });
    optimizer.build(variables);
    optimizer.apply([floats(1, 1), floats(1, 1)]);
    return { optimizer, variables };
  };
  const wrapped = () => {
    const { optimizer, variables } = make();
    return { optimizer: new LossScaleOptimizer(optimizer), variables };
  };
  const methods = {
    apply: 2,
    applyGradients: 1,
    minimize: 2,
    build: 1,
    setWeights: 1,
    loadOwnVariables: 1,
    saveOwnVariables: 1,
    loadState: 1,
    addVariable: 1,
    addVariableFromReference: 2,
    assign: 2,
    assignAdd: 2,
    assignSub: 2,
    updateStep: 3,
    finalizeVariableValues: 1,
    excludeFromWeightDecay: 1,
    statelessApply: 3,
    record: 2,
  };
  let refused = 0;
  const attempt = (what, call) => {
    try {
      call();
    } catch (error) {
      refused++;
      assert.doesNotMatch(error.message, unclear, what);
      assert.ok(
        [TypeError, RangeError, Error].includes(error.constructor),
        `${what}: ${error.constructor.name}`,
      );
    }
  };
  for (const start of [make, wrapped])
    for (const [name, count] of Object.entries(methods))
      for (let at = 0; at < count; at++)
        for (const [k, value] of odd().entries()) {
          const { optimizer, variables } = start();
          const good =
            {
              apply: [[floats(1, 1), floats(1, 1)], variables],
              minimize: [() => ({ loss: 0, grads: [floats(1, 1), floats(1, 1)] }), variables],
              assign: [variables[1], [1, 2]],
              assignAdd: [variables[1], 1],
              assignSub: [variables[1], 1],
              updateStep: [floats(1, 1), variables[0], 0.1],
              addVariableFromReference: [variables[0], {}],
              statelessApply: [
                optimizer.getWeights(),
                [floats(1, 1), floats(1, 1)],
                [floats(1, 1), floats(1, 1)],
              ],
              record: [{ beginComputePass() {} }, [floats(1, 1), floats(1, 1)]],
            }[name] ?? [];
          const given = good.with ? [...good] : [];
          given[at] = value;
          attempt(`${name}, argument ${at}, value ${k} (${typeof value})`, () => optimizer[name](...given));
          optimizer.dispose();
          variables[0].dispose();
        }
  for (const [what, call] of Object.entries({
    'new Variable': (x) => new Variable(x),
    'Variable, shape': (x) => new Variable(2, { shape: x }),
    'Variable, constraint': (x) => new Variable(2, { constraint: x }),
    'Variable.assign': (x) => new Variable(2).assign(x),
    'new Adam': (x) => new Adam(x),
    'Adam, learningRate': (x) => new Adam({ learningRate: x }),
    'Adam, name': (x) => new Adam({ name: x }),
    'Adam.fromConfig': (x) => Adam.fromConfig(x),
    'LossScaleOptimizer.fromConfig': (x) => LossScaleOptimizer.fromConfig(x),
    'LossScaleOptimizer.fromConfig, inner': (x) => LossScaleOptimizer.fromConfig({ inner_optimizer: x }),
    'new LossScaleOptimizer': (x) => new LossScaleOptimizer(x),
    'AdamMultilr, patternLrs': (x) => new AdamMultilr({ patternLrs: x }),
    'optimizers.get': (x) => optimizers.get(x),
    'optimizers.serialize': (x) => optimizers.serialize(x),
    'optimizers.deserialize': (x) => optimizers.deserialize(x),
    'deserialize, config': (x) => optimizers.deserialize({ class_name: 'Adam', config: x }),
    'deserialize, customObjects': (x) => optimizers.deserialize({ class_name: 'Adam' }, x),
    'SparseGradient, indices': (x) => new SparseGradient({ indices: x, values: [1] }),
    'SparseGradient, values': (x) => new SparseGradient({ indices: [0], values: x }),
    'MaxNorm, axis': (x) => new constraints.MaxNorm({ axis: x }),
    'MaxNorm.fromConfig': (x) => constraints.MaxNorm.fromConfig(x),
    'CosineDecay.fromConfig': (x) => schedules.CosineDecay.fromConfig(x),
  }))
    for (const [k, value] of odd().entries())
      attempt(`${what}, value ${k} (${typeof value})`, () => call(value));
  assert.ok(refused > 500, `${refused} calls were refused`);
});

test('nothing is left of a build that fails, however it fails', () => {
  const variables = Array.from({ length: 50 }, (_, k) => new Variable(20_000, { name: `v${k}` }));
  const bytes = () => variables[0].value.buffer.byteLength;
  const attempts = [
    () =>
      new AdamMultilr({ patternLrs: [{ patterns: ['v'], lr: () => assert.fail('the rate throws') }] }).apply(
        variables.map(() => new Float32Array(20_000)),
        variables,
      ),
    () =>
      new Adam().apply(
        variables.map(() => new Float32Array(19_999)),
        variables,
      ),
    () =>
      new LossScaleOptimizer(new Adam({ learningRate: () => assert.fail('the rate throws') })).apply(
        variables.map(() => new Float32Array(20_000)),
        variables,
      ),
  ];
  for (const attempt of attempts) assert.throws(attempt);
  const before = bytes();
  for (let k = 0; k < 20; k++) for (const attempt of attempts) assert.throws(attempt);
  assert.equal(bytes(), before);
  assertSameBits(variables[7].value, new Float32Array(20_000));
});

test('a class that is called without `new` is named, and so is what is missing', () => {
  const classes = Object.entries({ ...simdescent, ...schedules, ...constraints });
  const named = classes.filter(([name]) => /^[A-Z]/.test(name));
  assert.ok(named.length > 30);
  for (const [name, type] of named)
    assert.throws(type, { name: 'TypeError', message: new RegExp(`\\b${name}\\b.*'new'`) });
});

test('the names that classes have in the minified text leave its source map right', () => {
  const dist = new URL('../../dist/', import.meta.url);
  let found = 0;
  for (const file of readdirSync(dist).filter((name) => name.endsWith('.js'))) {
    const map = JSON.parse(readFileSync(new URL(`${file}.map`, dist), 'utf8'));
    const where = new SourceMap(map);
    const text = readFileSync(new URL(file, dist), 'utf8');
    const original = (place) => {
      const before = text.slice(0, place).split('\n');
      const found = where.findEntry(before.length - 1, before.at(-1).length);
      const source = map.sourcesContent[map.sources.indexOf(found.originalSource)];
      return source.split('\n')[found.originalLine].slice(found.originalColumn);
    };
    for (const { index, 1: name } of text.matchAll(/class (\w+)(?: extends [\w$]+)?\{(?=static)/g)) {
      if (name.length < 3) continue; // named by the minifier
      const place = text.indexOf('static name', index);
      assert.match(original(place), new RegExp(`^static .*\\bname\\b.*'${name}'`), `${file}: ${name}`);
      found++;
    }
  }
  assert.ok(found > 30, `${found} classes`);
});
