// Options as live properties: whatever an option is set to, it is taken, refused and done as in the constructor, for
// every option of every optimizer; and what an optimizer tells of its options is not a way to change them.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import * as all from '../../dist/index.js';
import { assertRefused, assertSameBits, randomFloats } from './helpers.mjs';

before(() => all.init());

const { Adam, AdamMultilr, Muon, Variable } = all;
const classes = Object.values(all).filter(
  (C) => C.prototype instanceof all.Optimizer && !/^(LossScale|Multi)Optimizer$/.test(C.name),
);

/** All options of a class, as it says itself. */
function optionsOf(Class) {
  try {
    new Class({ '?': 0 });
  } catch ({ message }) {
    const names = message.match(/Known: (.*)\./)[1].split(', ');
    return names.filter((name) => !/^(name|jitCompile|mesh|isLegacyOptimizer|patternLrs)$/.test(name));
  }
}

const shared = [undefined, null, Number.NaN, Number.POSITIVE_INFINITY, -1, 0, 0.25, 1, 2, 3, 1e39];
const others = ['', '0.1', 1n, true, false, [], {}, new Date(), () => 0.25, [0.25], new Float32Array(1)];
/** Of those with values of their own. */
const own = {
  stateDtype: ['bfloat16', { dtype: 'int8', minSize: 2, exclude: ['bias'] }],
  monitor: [{ every: 2, perVariable: true }, { every: 0 }],
  groups: [[{ paths: ['a/kernel', 's'], rateFactor: 0.5 }]],
  compat: ['torch', 'tfjs', 'keras'],
  excludeLayers: [['a/.*']],
  learningRate: [new all.schedules.CosineDecay({ initialLearningRate: 1, decaySteps: 10 })],
};
const valuesOf = (option) => [...shared, ...others, ...(own[option] ?? [])];

const shapes = { 'a/kernel': [5, 4], 'a/bias': [7], s: [], 'embedding/table': [6, 3] };

function scene() {
  return Object.entries(shapes).map(([path, shape], k) => {
    const size = shape.reduce((a, b) => a * b, 1);
    return new Variable(randomFloats(size, 40 + k), { path, shape });
  });
}

/** Where five steps lead. */
function trained(optimizer, variables) {
  for (let step = 0; step < 5; step++)
    optimizer.apply(variables.map(({ size }, k) => randomFloats(size, 100 * step + k)));
  const values = variables.map(({ value }) => value.slice());
  const state = optimizer.getWeights().map((x) => (typeof x === 'number' ? [x] : x));
  optimizer.dispose();
  for (const variable of variables) variable.dispose();
  return [...values, ...state];
}

function thrown(f) {
  try {
    f();
  } catch (error) {
    return error;
  }
  return null;
}

for (const Class of classes)
  test(`${Class.name}: an option set later is an option given to the constructor`, () => {
    let compared = 0;
    for (const option of optionsOf(Class))
      for (const value of valuesOf(option)) {
        const what = `${Class.name}.${option} = ${typeof value === 'bigint' ? value : JSON.stringify(value)}`;
        let given;
        const refused = thrown(() => {
          given = new Class({ [option]: value });
        });
        const later = new Class();
        const before = later[option];
        const error = thrown(() => {
          later[option] = value;
        });
        if (option === 'learningRate' && value === undefined) {
          // A rate there must be: whoever sets none has made a mistake.
          assert.match(error.message, /learningRate must be a number, .*, got undefined/);
          assert.equal(later.learningRate, before);
          continue;
        }
        assert.equal(error?.constructor, refused?.constructor, `${what}: ${error ?? refused}`);
        if (refused) {
          assert.ok(refused instanceof TypeError || refused instanceof RangeError, `${what}: ${refused}`);
          assert.match(error.message, new RegExp(option), what);
          assert.deepEqual(later[option], before, what);
          continue;
        }
        assert.deepEqual(later[option], given[option], what);
        // Once built it is as before, or says that it comes too late.
        const [w, x, y] = [scene(), scene(), scene()];
        const built = new Class();
        given.build(w);
        later.build(x);
        built.build(y);
        const late = thrown(() => {
          built[option] = value;
        });
        const expected = trained(given, w);
        const got = { 'before build': trained(later, x) };
        if (late) assert.match(late.message, /set it before the optimizer is built/, what);
        else got['after build'] = trained(built, y);
        for (const [when, values] of Object.entries(got)) {
          for (const k of expected.keys()) assertSameBits(values[k], expected[k], `${what}, ${when}: ${k}`);
          compared++;
        }
      }
    assert.ok(compared > 50);
  });

test('an option that is fixed may be set to what it is', () => {
  const groups = [{ paths: ['w'], rateFactor: 2, decays: true }];
  const optimizer = new Muon({ excludeLayers: ['b'], groups, useEma: true });
  optimizer.build([new Variable(4, { path: 'w', shape: [2, 2] })]);
  optimizer.excludeLayers = ['b'];
  optimizer.groups = groups;
  optimizer.useEma = true;
  optimizer.stateDtype = 'float32';
  for (const [option, value] of [
    ['excludeLayers', ['c']],
    ['groups', null],
    ['useEma', false],
  ])
    assertRefused(
      () => {
        optimizer[option] = value;
      },
      Error,
      new RegExp(`${option} decides what building makes`),
    );
});

test('the values of options are nobody else’s to change', () => {
  const changes = {
    excludeLayers: (list) => list.push('('),
    groups: (list) => list.push({ paths: ['b'] }),
    'a group': () => {
      given.groups[0].rateFactor = Number.NaN;
    },
    'its paths': () => given.groups[0].paths.push('b'),
  };
  const given = new Muon({ excludeLayers: ['a'], groups: [{ paths: ['a'], rateFactor: 2 }] });
  for (const [option, change] of Object.entries(changes))
    assert.throws(() => change(given[option]), TypeError);
  assert.throws(() => new Muon().excludeLayers.push('a'), TypeError); // which would be the default of all others
  assert.throws(() => new AdamMultilr().patternLrs.push({ patterns: ['a'], lr: 1 }), TypeError);
  given.getConfig().exclude_layers.push('(');
  given.getConfig().groups[0].paths.push('b');
  assert.deepEqual(given.getConfig().exclude_layers, ['a']);
  assert.deepEqual(given.groups, [{ paths: ['a'], rateFactor: 2, decays: true }]);
});

test('what is within an option is checked as options are', () => {
  const at = (option, value) => () => new Adam({ weightDecay: 0.1, [option]: value });
  const group = (more) => at('groups', [{ paths: ['a'], ...more }]);
  const narrow = (more) => at('stateDtype', { dtype: 'int8', ...more });
  assertRefused(
    group({ rateFactor: 1, rate_factor: 2 }),
    TypeError,
    /groups\[0\]: 'rateFactor'.*two spellings/,
  );
  assertRefused(narrow({ minSize: 1, min_size: 1 }), TypeError, /stateDtype: 'minSize'.*two spellings/);
  assertRefused(
    at('monitor', { perVariable: true, per_variable: true }),
    TypeError,
    /monitor: 'perVariable'.*two spellings/,
  );
  assert.deepEqual(new Adam({ monitor: { per_variable: true } }).monitor, { every: 1, perVariable: true });
  assertRefused(
    group({ ratefactor: 1 }),
    TypeError,
    /unknown option 'ratefactor'. Did you mean 'rateFactor'/,
  );
  assertRefused(narrow({ min: 1 }), TypeError, /stateDtype: unknown option 'min'/);
  for (const name of ['rateFactor', 'weightDecay']) {
    for (const value of ['1', null, 1n, [], {}])
      assertRefused(group({ [name]: value }), TypeError, new RegExp(`groups\\[0\\]\\.${name}`));
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, 1e39])
      assertRefused(group({ [name]: value }), RangeError, new RegExp(`groups\\[0\\]\\.${name}`), /float32/);
  }
  for (const value of [[], new Date(), new Map(), undefined, 1])
    assertRefused(at('groups', [value]), TypeError, /groups\[0\] must be \{ paths/);
  assertRefused(at('groups', new Array(1)), TypeError, /groups\[0\] must be/, /undefined/);
  assertRefused(group({ paths: new Array(1) }), TypeError, /groups\[0\]\.paths/);
  assertRefused(narrow({ minSize: Number.POSITIVE_INFINITY }), RangeError, /minSize.*Infinity/); // no JSON has it
});
