// Functions of the user's own in the middle of a call: rates, constraints, losses that throw, dispose of what the call
// is about, or call again. A call that throws has changed nothing; what is disposed in between is freed afterwards.
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import {
  Adam,
  AdamMultilr,
  init,
  LossScaleOptimizer,
  MultiOptimizer,
  OptimizerMap,
  SGD,
  Variable,
} from '../../dist/index.js';
import { assertRefused, assertSameBits, assertSameSnapshot, randomFloats, snapshot } from './helpers.mjs';

before(() => init());

const several = (o) => new MultiOptimizer(new OptimizerMap(o, { b: new SGD({ momentum: 0.5 }) }));
const wraps = {
  Adam: (o) => o,
  LossScaleOptimizer: (o) => new LossScaleOptimizer(o),
  MultiOptimizer: several,
  'both of these': (o) => new LossScaleOptimizer(several(o)),
};
/** Who has the learning rate. */
const rated = (o) => rated.of(o.innerOptimizer ?? o);
rated.of = (o) => o.optimizers?.[1] ?? o;
const rates = {
  'a number': () => 0.1,
  'a function': () => () => 0.1,
  'a large number': () => 3e38,
};
const configs = [
  {},
  { useEma: true, emaOverwriteFrequency: 1 },
  { gradientAccumulationSteps: 2 },
  { clipnorm: 1 },
];

/** Two Variables and an array; what the first one's constraint does is set from outside. */
function model(config, wrap) {
  const hook = { act: null };
  const constraint = (values) => {
    hook.act?.();
    return values;
  };
  const variables = [
    new Variable(randomFloats(5, 1), { name: 'a', constraint }),
    new Variable(randomFloats(40_000, 2), { name: 'b' }),
    randomFloats(7, 3),
  ];
  const grads = () => [randomFloats(5, 4), randomFloats(40_000, 5), randomFloats(7, 6)];
  return { hook, variables, grads, optimizer: wrap(new Adam(config)) };
}

for (const [what, wrap] of Object.entries(wraps)) {
  describe(`${what}:`, () => {
    for (const [kind, rate] of Object.entries(rates))
      test(`a constraint that throws leaves everything as it was; the rate is ${kind}`, () => {
        for (const config of configs) {
          const { hook, variables, grads, optimizer } = model({ ...config, learningRate: rate() }, wrap);
          hook.act = () => assert.fail('mine');
          const start = variables.map((v) => (v.value ?? v).slice());
          assert.throws(() => optimizer.apply(grads(), variables), /mine/);
          assert.equal(optimizer.built, false);
          variables.forEach((v, k) => {
            assertSameBits(v.value ?? v, start[k]);
          });
          hook.act = null;
          optimizer.apply(grads(), variables);
          const known = snapshot(optimizer, variables);
          hook.act = () => assert.fail('mine');
          assert.throws(() => optimizer.apply(grads()), /mine/);
          assertSameSnapshot(snapshot(optimizer, variables), known);
        }
      });

    test('a constraint that disposes something: the step ends, and then it is disposed', () => {
      const acts = {
        'its own variable': ({ variables }) => variables[0].dispose(),
        'another variable': ({ variables }) => variables[1].dispose(),
        'the optimizer': ({ optimizer }) => optimizer.dispose(),
        everything: ({ variables, optimizer }) => {
          optimizer.dispose();
          for (const v of variables.slice(0, 2)) v.dispose();
        },
      };
      for (const [act, dispose] of Object.entries(acts))
        for (const throws of [false, true]) {
          const m = model({ learningRate: 0.1 }, wrap);
          m.optimizer.apply(m.grads(), m.variables);
          const bystander = new Variable(randomFloats(100, 9));
          const before = m.variables[2].slice();
          m.hook.act = () => {
            dispose(m);
            if (throws) assert.fail('mine');
          };
          if (throws) assert.throws(() => m.optimizer.apply(m.grads()), /mine/, act);
          else m.optimizer.apply(m.grads());
          const stepped = m.variables[2].some((x, i) => x !== before[i]);
          assert.equal(stepped, !throws, act);
          const fresh = [new Variable(randomFloats(5, 7)), new Variable(randomFloats(40_000, 8))];
          m.hook.act = null;
          assertRefused(() => m.optimizer.apply(m.grads()), Error, /disposed/);
          assertSameBits(bystander.value, randomFloats(100, 9));
          assertSameBits(fresh[0].value, randomFloats(5, 7));
          assertSameBits(fresh[1].value, randomFloats(40_000, 8));
        }
    });

    test('a constraint that calls the optimizer again is refused, and the step with it', () => {
      const calls = [
        (o, m) => o.apply(m.grads()),
        (o) => o.setWeights(o.getWeights()),
        (o) => Object.assign(o, { iterations: 0 }),
        (o) => o.loadState(o.serializeState()),
        (o) => Object.assign(rated(o), { learningRate: 1 }),
      ];
      for (const call of calls) {
        const m = model({ learningRate: 0.1 }, wrap);
        m.optimizer.apply(m.grads(), m.variables);
        const known = snapshot(m.optimizer, m.variables);
        m.hook.act = () => call(m.optimizer, m);
        assertRefused(() => m.optimizer.apply(m.grads()), Error, /before apply has ended/);
        assertSameSnapshot(snapshot(m.optimizer, m.variables), known);
      }
    });

    test('a rate that disposes the optimizer, or a variable, or throws: nothing has been stepped', () => {
      const rates = {
        disposed: (m) => m.optimizer.dispose(),
        "'b' has been disposed": (m) => m.variables[1].dispose(),
        mine: () => assert.fail('mine'),
      };
      for (const first of [true, false])
        for (const [message, act] of Object.entries(rates)) {
          let now = () => {};
          const learningRate = () => {
            now();
            return 0.1;
          };
          const m = model({ learningRate }, wrap);
          if (!first) m.optimizer.apply(m.grads(), m.variables);
          const before = m.variables[2].slice();
          now = () => act(m);
          assert.throws(() => m.optimizer.apply(m.grads(), m.variables), new RegExp(message));
          assertSameBits(m.variables[2], before);
          assert.equal(m.optimizer.built, !first && message !== 'disposed');
        }
    });
  });
}

test('a build of a subclass that disposes the optimizer: the first call says so', () => {
  class Fleeting extends Adam {
    build(variables) {
      super.build(variables);
      this.dispose();
    }
  }
  const variable = new Variable([1]);
  assertRefused(() => new Fleeting().apply([Float32Array.of(1)], [variable]), Error, /has been disposed/);
  assertSameBits(variable.value, [1]);
});

test('rates by pattern are the user’s functions as well', () => {
  let rate = () => 0.1;
  const variables = [new Variable([1], { name: 'bias' }), new Variable([1], { name: 'kernel' })];
  const optimizer = new AdamMultilr({ patternLrs: [{ patterns: ['bias'], lr: () => rate() }] });
  const grads = [Float32Array.of(1), Float32Array.of(1)];
  optimizer.apply(grads, variables);
  const before = snapshot(optimizer, variables);
  for (const bad of [() => assert.fail('mine'), () => 'x', () => 1e39, async () => 1]) {
    rate = bad;
    assert.throws(() => optimizer.apply(grads));
    rate = () => 0.1;
    assertSameSnapshot(snapshot(optimizer, variables), before);
  }
});

describe('the dynamic scale', () => {
  const make = (options, inner = {}) => {
    const variable = new Variable([1, 2]);
    const optimizer = new LossScaleOptimizer(new Adam({ learningRate: 0.1, ...inner }), options);
    optimizer.build([variable]);
    return { variable, optimizer };
  };
  const good = () => Float32Array.of(1, -3);
  const bad = () => Float32Array.of(1, Number.NaN);

  test('falls as in Keras to the smallest float32, and the step that would make it 0 throws', () => {
    const { variable, optimizer } = make({ initialScale: 2 });
    for (let k = 1; k <= 150; k++) {
      optimizer.apply([bad()]);
      assert.equal(optimizer.dynamicScale, 2 ** (1 - k));
    }
    const before = snapshot(optimizer, [variable]);
    for (let k = 0; k < 3; k++)
      assertRefused(() => optimizer.apply([bad()]), Error, /not finite at any scale/);
    assertSameSnapshot(snapshot(optimizer, [variable]), before);
    optimizer.apply([Float32Array.of(2 ** -149, 2 ** -149)]);
    assert.ok(variable.value.every(Number.isFinite));
  });

  test('grows as in Keras to the largest power of two that float32 has, and stays there', () => {
    const { optimizer } = make({ initialScale: 2 ** 120, dynamicGrowthSteps: 1 });
    for (let k = 1; k <= 20; k++) {
      optimizer.apply([good()]);
      assert.equal(optimizer.dynamicScale, 2 ** Math.min(120 + k, 127));
      assert.equal(optimizer.stepCounter, 0);
    }
  });

  test('is refused in a state where it is no finite number above zero', () => {
    const { optimizer } = make({});
    const weights = optimizer.getWeights();
    const at = optimizer.variables.findIndex(({ path }) => path.endsWith('dynamic_scale'));
    for (const scale of [0, -1, Number.NaN, Number.POSITIVE_INFINITY, 1e39, 1e-60])
      assertRefused(() => optimizer.setWeights(weights.with(at, scale)), RangeError, /dynamic_scale/);
    assert.deepEqual(optimizer.getWeights(), weights);
  });

  test('a growth interval lowered below the counter lets it grow no more, as in Keras', () => {
    const { optimizer } = make({ initialScale: 4, dynamicGrowthSteps: 5 });
    for (let k = 0; k < 4; k++) optimizer.apply([good()]);
    optimizer.dynamicGrowthSteps = 2;
    for (let k = 5; k < 9; k++) {
      optimizer.apply([good()]);
      assert.deepEqual([optimizer.stepCounter, optimizer.dynamicScale], [k, 4]);
    }
    optimizer.apply([bad()]);
    assert.deepEqual([optimizer.stepCounter, optimizer.dynamicScale], [0, 2]);
    for (let k = 0; k < 2; k++) optimizer.apply([good()]);
    assert.deepEqual([optimizer.stepCounter, optimizer.dynamicScale], [0, 4]);
  });

  test("an inner lossScaleFactor set after wrapping divides once more, as Keras' does", () => {
    const { variable, optimizer } = make({ initialScale: 3 }, { compat: 'keras' });
    optimizer.innerOptimizer.lossScaleFactor = 7;
    const plain = new Variable([1, 2]);
    const other = new Adam({ learningRate: 0.1 });
    other.build([plain]);
    for (let k = 0; k < 5; k++) {
      const g = randomFloats(2, k);
      optimizer.apply([g]);
      other.apply([g.map((x) => Math.fround(Math.fround(x / 3) / 7))]);
      assertSameBits(variable.value, plain.value);
    }
    assert.deepEqual(
      [...optimizer.variables[6].value].map(Math.fround),
      [...other.variables[2].value].map(Math.fround),
    );
  });
});
