// MultiOptimizer and OptimizerMap: which variable goes where, the same bits as separate optimizers, one state and one
// config for all of them, and calls that are refused and have changed nothing in any.
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import {
  Adadelta,
  Adam,
  AdamW,
  constraints,
  init,
  Lamb,
  LossScaleOptimizer,
  MultiOptimizer,
  Nadam,
  OptimizerMap,
  optimizers,
  RMSprop,
  SGD,
  SparseGradient,
  schedules,
  Variable,
} from '../../dist/index.js';
import { memoryOptimizer } from '../../dist/memory.js';
import {
  assertRefused,
  assertSameBits,
  assertSameSnapshot,
  randomFloats,
  snapshot,
  valuesOf,
} from './helpers.mjs';

before(() => init());

const paths = ['encoder/dense/kernel', 'encoder/dense/bias', 'head/kernel', 'scale'];
const sizes = [6000, 7, 40, 1];
const resident = (options = {}) =>
  paths.map(
    (path, k) => new Variable(randomFloats(sizes[k], k), { path, name: path.split('/').pop(), ...options }),
  );
const gradients = (seed) => sizes.map((size, k) => randomFloats(size, 100 * seed + k));

/** Three optimizers, and which of the variables above are whose: the second pattern gets none. */
const makers = {
  'encoder/.*': () => new SGD({ momentum: 0.9, nesterov: true, globalClipnorm: 1, name: 'first' }),
  'decoder/.*': () => new Nadam({ name: 'second' }),
  scale: () => new Adadelta({ useEma: true, emaOverwriteFrequency: 2, name: 'third' }),
};
const usual = () => new AdamW({ weightDecay: 0.1, gradientAccumulationSteps: 2 });
const shares = { 'encoder/.*': [0, 1], 'decoder/.*': [], scale: [3] };
const mapOf = () =>
  new OptimizerMap(
    usual(),
    Object.fromEntries(Object.entries(makers).map(([pattern, make]) => [pattern, make()])),
  );
const multi = (options) => new MultiOptimizer(mapOf(), options);

const list = (value) => (typeof value === 'number' ? [value] : value);

const assertSameLists = (got, expected) => {
  expected.forEach((values, k) => {
    assertSameBits(list(got[k]), list(values), String(k));
  });
};

const end = (...lists) => {
  for (const each of lists.flat()) each.dispose();
};

describe('a map', () => {
  const named = (name) => new SGD({ name });
  const map = () =>
    new OptimizerMap(named('usual'), {
      'encoder/.*': named('all'),
      'encoder/bias': named('bias'),
      'head|tail': named('end'),
    });
  for (const [path, name] of [
    ['encoder/kernel', 'all'],
    ['encoder/bias', 'bias'], // though the pattern matches as well
    ['model/encoder/kernel', 'usual'], // the whole path, not a part of it
    ['head', 'end'],
    ['tail', 'end'],
    ['headtail', 'usual'],
    ['encoder', 'usual'],
  ])
    test(`${path} is stepped by '${name}'`, () => assert.equal(map().get(path).name, name));

  test('two patterns that match are refused, and named', () => {
    const both = map().set('.*kernel', named('kernels'));
    assertRefused(
      () => both.get('encoder/kernel'),
      RangeError,
      /encoder\/kernel.*'encoder\/\.\*', '\.\*kernel'/,
    );
    assert.equal(both.get('encoder/bias').name, 'bias');
    const optimizer = new MultiOptimizer(both);
    const variable = new Variable([1], { path: 'encoder/kernel' });
    assertRefused(() => optimizer.build([variable]), RangeError, /more than one pattern/);
    assert.ok(!optimizer.built);
    end(variable);
  });

  test('is read and written as a map', () => {
    const m = map();
    assert.equal(m.size, 3);
    assert.deepEqual(m.keys(), ['encoder/.*', 'encoder/bias', 'head|tail']);
    assert.deepEqual([...m].map(([key, { name }]) => `${key} ${name}`).at(-1), 'head|tail end');
    assert.ok(m.has('head|tail') && !m.has('head'));
    assert.ok(m.delete('head|tail') && !m.delete('head|tail'));
    assert.equal(m.get('head'), m.defaultOptimizer);
    assert.deepEqual(
      m.values().map(({ name }) => name),
      ['all', 'bias'],
    );
  });

  const wrong = {
    'no default': [() => new OptimizerMap(), TypeError, /defaultOptimizer.*undefined/],
    'a class': [() => new OptimizerMap(Adam), TypeError, /defaultOptimizer/],
    'a list': [() => new OptimizerMap(usual(), [usual()]), TypeError, /optimizerMap/],
    'no optimizer': [() => new OptimizerMap(usual(), { a: 'adam' }), TypeError, /'a'.*"adam"/],
    'no string': [() => mapOf().set(/a/, usual()), TypeError, /a key is a string/],
    'a key again': [() => mapOf().set('scale', usual()), RangeError, /'scale' is there already/],
    'no regular expression': [() => mapOf().set('(', usual()), RangeError, /no regular expression/],
    'half of one on each side': [() => mapOf().set('a)(b', usual()), RangeError, /no regular expression/],
    "Python's end": [() => mapOf().set('a\\Z', usual()), RangeError, /leave \\A and \\Z out/],
    'a loss scale inside': [
      () => new OptimizerMap(usual(), { a: new LossScaleOptimizer(usual()) }),
      TypeError,
      /cannot be a LossScaleOptimizer; put it round/,
    ],
    'one of several inside': [() => new OptimizerMap(multi()), TypeError, /cannot be a MultiOptimizer/],
    'no path': [() => mapOf().get(3), TypeError, /a path is a string/],
  };
  for (const [what, row] of Object.entries(wrong)) test(`${what}: refused`, () => assertRefused(...row));
});

describe('the steps', () => {
  for (const [what, variables, lossScaleFactor] of [
    ['Variables', resident, null],
    ['Variables, a loss scale', resident, 1024],
  ])
    test(`${what}: those of separate optimizers, bit for bit`, () => {
      const [mine, theirs] = [variables(), variables()];
      const one = multi({ lossScaleFactor });
      const separate = [...Object.values(makers).map((make) => make()), usual()];
      for (const each of separate) each.lossScaleFactor = lossScaleFactor;
      const rows = [...Object.values(shares), [2]];
      for (let call = 0; call < 7; call++) {
        const grads = gradients(call);
        if (call === 3) grads[1] = null;
        if (call === 4) grads[0] = new SparseGradient({ indices: [1, 5, 1], values: randomFloats(3, 9) });
        one.apply(grads, call === 0 || call % 2 ? mine : undefined);
        rows.forEach((own, k) => {
          if (own.length)
            separate[k].apply(
              own.map((row) => grads[row]),
              own.map((row) => theirs[row]),
            );
        });
        assertSameLists(mine.map(valuesOf), theirs.map(valuesOf));
      }
      assert.equal(one.iterations, 7);
      assert.equal(one.rawIterations, 7);
      assert.deepEqual(
        one.optimizers.map(({ rawIterations }) => rawIterations),
        [7, 0, 7, 7],
      );
      assert.equal(one.optimizers[3].iterations, 3); // it accumulates
      const state = one.variables.slice(2);
      const expected = separate.flatMap((each) => each.variables);
      assert.deepEqual(
        state.map(({ path }) => path),
        expected.map(({ path }) => path),
      );
      assertSameLists(state.map(valuesOf), expected.map(valuesOf));
      one.finalizeVariableValues(mine);
      separate[2].finalizeVariableValues([theirs[3]]);
      assertSameLists(mine.map(valuesOf), theirs.map(valuesOf));
      end(one, separate, mine, theirs);
    });

  test('plain arrays, by a function; another order; without variables; in pairs', () => {
    const arrays = [new Float32Array([1, 2]), new Float32Array([3])];
    const [first, second] = [new SGD({ learningRate: 0.5 }), new SGD({ learningRate: 2, name: 'second' })];
    const seen = [];
    const one = new MultiOptimizer((v) => (seen.push(v) && v === arrays[0] ? first : second));
    assert.deepEqual(one.optimizers, []);
    one.build(arrays);
    assert.deepEqual(seen, arrays);
    assert.deepEqual(one.optimizers, [first, second]);
    one.apply([new Float32Array([1, 1]), new Float32Array([1])]);
    assert.deepEqual(
      arrays.map((a) => [...a]),
      [[0.5, 1.5], [1]],
    );
    one.apply([new Float32Array([1]), new Float32Array([1, 1])], arrays.toReversed());
    assert.deepEqual(
      arrays.map((a) => [...a]),
      [[0, 1], [-1]],
    );
    assert.equal(
      one.applyGradients([
        [new Float32Array(1), arrays[1]],
        [new Float32Array([2, 0]), arrays[0]],
      ]),
      3,
    );
    assert.deepEqual(
      arrays.map((a) => [...a]),
      [[-1, 1], [-1]],
    );
    one.updateStep(new Float32Array([1]), arrays[1], 1);
    assert.deepEqual([...arrays[1]], [-2]);
    end(one);
  });

  test('plain arrays: the bits of Variables, and paths as if there were one optimizer', () => {
    const arrays = sizes.map((size, k) => randomFloats(size, k));
    const variables = resident();
    const inner = Object.values(makers).map((make) => make());
    const [rest, other] = [usual(), multi()];
    const one = new MultiOptimizer((v) => [inner[0], inner[0], rest, inner[2]][arrays.indexOf(v)]);
    for (let call = 0; call < 4; call++) {
      one.apply(gradients(call), arrays);
      other.apply(gradients(call), variables);
      assertSameLists(arrays, variables.map(valuesOf));
    }
    const names = one.variables.map(({ path }) => path);
    assert.ok(names.includes('first/variable_momentum') && names.includes('first/variable_1_momentum'));
    assert.ok(names.includes('third/variable_3_accumulated_grad'), names.join(' '));
    end(one, other, variables);
  });

  test("the variables' own gradients, and values instead of stored ones", () => {
    const variables = resident();
    const one = multi();
    one.build(variables);
    for (const [k, v] of variables.entries()) v.gradient.set(gradients(1)[k]);
    const before = snapshot(one, variables);
    const [values, state] = one.statelessApply(
      one.getWeights(),
      variables.map((v) => v.gradient),
      variables.map((v) => v.value),
    );
    assertSameSnapshot(snapshot(one, variables), before);
    one.step();
    assertSameLists(variables.map(valuesOf), values);
    assertSameLists(one.getWeights(), state);
    end(one, variables);
  });

  test('weight decay leaves alone what the whole excludes, and what one of them excludes', () => {
    const variables = [0, 1, 2, 3].map((k) => new Variable([1], { path: `p/v${k}`, name: `v${k}` }));
    const inner = new SGD({ learningRate: 0.5, weightDecay: 0.5 });
    inner.excludeFromWeightDecay({ varNames: ['v3'] });
    const one = new MultiOptimizer(new OptimizerMap(inner));
    one.excludeFromWeightDecay({ varList: [variables[0]], varNames: ['v1$'] });
    one.apply(
      variables.map(() => new Float32Array(1)),
      variables,
    );
    assert.deepEqual(
      variables.map((v) => v.value[0]),
      [1, 1, 0.75, 1],
    );
    assertRefused(() => one.excludeFromWeightDecay({}), Error, /before build/);
    end(one, variables);
  });

  test('round it, dynamic loss scaling: not finite in one share, and none is stepped', () => {
    const variables = resident();
    const one = multi({ lossScaleFactor: 8 });
    const scaled = new LossScaleOptimizer(one, { initialScale: 16 });
    assert.deepEqual(
      one.optimizers.map((each) => each.lossScaleFactor),
      [null, null, null, null],
    );
    const grads = gradients(1);
    scaled.apply(grads, variables);
    const [other, twins] = [multi({ lossScaleFactor: 16 }), resident()];
    other.apply(grads, twins);
    assertSameLists(variables.map(valuesOf), twins.map(valuesOf));
    const before = snapshot(one, variables);
    scaled.apply(gradients(2).with(3, new Float32Array([Infinity])));
    assertSameSnapshot(snapshot(one, variables), before);
    assert.equal(scaled.dynamicScale, 8);
    assert.throws(() => scaled.learningRate, /each of its `optimizers`/);
    assert.equal(optimizers.get(optimizers.serialize(scaled)).innerOptimizer.optimizers.length, 4);
    end(scaled, other, variables, twins);
  });
});

describe('options and configs', () => {
  test('the loss scale factor is that of all, also later, and also none', () => {
    const inner = new SGD({ lossScaleFactor: 3 });
    const one = new MultiOptimizer(new OptimizerMap(inner));
    assert.equal(inner.lossScaleFactor, null);
    one.lossScaleFactor = 5;
    assert.equal(inner.lossScaleFactor, 5);
    assert.equal(one.scaleLoss(2), 10);
    assertRefused(() => Object.assign(one, { lossScaleFactor: -1 }), RangeError, /lossScaleFactor/);
    assert.deepEqual([one.lossScaleFactor, inner.lossScaleFactor], [5, 5]);
    end(one);
  });

  test('learningRate says what to do instead', () => {
    const one = multi();
    assertRefused(() => one.learningRate, TypeError, /read that of each of its `optimizers`/);
    assertRefused(
      () => Object.assign(one, { learningRate: 1 }),
      TypeError,
      /set that of each of its `optimizers`/,
    );
    one.optimizers[0].learningRate = 0.5;
    assert.equal(one.optimizers[0].learningRate, 0.5);
    end(one);
  });

  test('there and back', () => {
    const map = mapOf().set(
      'last',
      new Adam({
        learningRate: new schedules.ExponentialDecay({
          initialLearningRate: 0.1,
          decaySteps: 10,
          decayRate: 0.5,
        }),
      }),
    );
    const one = new MultiOptimizer(map, { lossScaleFactor: 2, name: 'all' });
    const written = JSON.parse(JSON.stringify(optimizers.serialize(one)));
    assert.deepEqual(Object.keys(written.config), ['optimizer_map', 'loss_scale_factor', 'name']);
    const { module, class_name, config } = written.config.optimizer_map;
    assert.deepEqual([module, class_name], ['keras.optimizers', 'OptimizerMap']);
    assert.deepEqual(Object.keys(config.optimizer_map), [...Object.keys(makers), 'last']);
    for (const again of [
      optimizers.get(written),
      optimizers.deserialize({ ...written, class_name: 'keras>multioptimizer' }),
      MultiOptimizer.fromConfig(written.config),
      MultiOptimizer.fromConfig({ optimizerMap: map, lossScaleFactor: 2, name: 'all' }),
      new MultiOptimizer(OptimizerMap.fromConfig(one.optimizerMap.getConfig()), {
        lossScaleFactor: 2,
        name: 'all',
      }),
    ]) {
      assert.ok(again instanceof MultiOptimizer);
      assert.deepEqual(optimizers.serialize(again), written);
      assert.deepEqual(
        again.optimizers.map(({ name }) => name),
        one.optimizers.map(({ name }) => name),
      );
      again.dispose();
    }
    end(one);
  });

  test('classes of your own within it', () => {
    class Mine extends SGD {
      static className = 'Mine';
    }
    const written = optimizers.serialize(new MultiOptimizer(new OptimizerMap(new Mine())));
    assert.throws(() => optimizers.get(written), /Unknown optimizer 'Mine'/);
    assert.ok(optimizers.get(written, { Mine }).optimizers[0] instanceof Mine);
  });

  const wrong = {
    nothing: [() => new MultiOptimizer(), TypeError, /OptimizerMap or a function/],
    'an optimizer': [() => new MultiOptimizer(usual()), TypeError, /OptimizerMap or a function/],
    'by name': [() => optimizers.get('MultiOptimizer'), TypeError, /OptimizerMap or a function/],
    'a config without a default': [
      () => MultiOptimizer.fromConfig({ optimizer_map: { class_name: 'OptimizerMap', config: {} } }),
      TypeError,
      /default_optimizer/,
    ],
    'a config with something else': [
      () => OptimizerMap.fromConfig({ ...mapOf().getConfig(), map: {} }),
      TypeError,
      /takes \{ default_optimizer, optimizer_map \}/,
    ],
    'an option of the inner ones': [
      () => multi({ weightDecay: 0.1 }),
      RangeError,
      /set weightDecay on the inner/,
    ],
    'a learning rate': [() => multi({ learningRate: 0.1 }), RangeError, /set learningRate on the inner/],
    'an unknown option': [() => multi({ rate: 1 }), TypeError, /unknown option 'rate'/],
    'a loss scale of 0': [() => multi({ lossScaleFactor: 0 }), RangeError, /lossScaleFactor/],
    'a function, to be saved': [
      () => new MultiOptimizer(usual).getConfig(),
      Error,
      /a function cannot be saved/,
    ],
    'an adapter': [
      () =>
        memoryOptimizer(multi(), {
          memory: new WebAssembly.Memory({ initial: 1 }),
          allocate: () => 8,
          free() {},
        }),
      TypeError,
      /one optimizer for all/,
    ],
  };
  for (const [what, row] of Object.entries(wrong)) test(`${what}: refused`, () => assertRefused(...row));
});

describe('the state', () => {
  const trained = () => {
    const variables = resident();
    const one = multi();
    for (let call = 0; call < 3; call++) one.apply(gradients(call), variables);
    return { one, variables };
  };

  const ways = {
    bytes: [(o) => o.serializeState(), (o, bytes) => o.loadState(bytes)],
    weights: [(o) => o.getWeights(), (o, weights) => o.setWeights(weights)],
    "Keras' store": [
      (o) => {
        const store = {};
        o.saveOwnVariables(store);
        return store;
      },
      (o, store) => o.loadOwnVariables(store),
    ],
  };
  for (const [what, [save, load]] of Object.entries(ways))
    test(`${what}: goes on with the same bits`, () => {
      const { one, variables } = trained();
      const twins = variables.map(({ value, path, name }) => new Variable(value.slice(), { path, name }));
      const other = new MultiOptimizer(mapOf(), { name: 'another' });
      other.build(twins);
      load(other, save(one));
      assert.equal(other.iterations, 3);
      for (let call = 3; call < 6; call++) {
        one.apply(gradients(call));
        other.apply(gradients(call));
      }
      assertSameLists(variables.map(valuesOf), twins.map(valuesOf));
      assert.deepEqual([...other.serializeState()], [...one.serializeState()]);
      end(one, other, variables, twins);
    });

  test('two optimizers of one name keep their states apart', async () => {
    const variables = resident();
    const make = () =>
      new MultiOptimizer(new OptimizerMap(new Adam(), { 'head/.*': new Adam({ learningRate: 1 }) }));
    const [one, other] = [make(), make()];
    one.apply(gradients(1), variables);
    other.build(variables);
    other.loadState(await one.readState());
    assert.deepEqual(other.getWeights(), one.getWeights());
    assert.deepEqual(
      other.optimizers.map((each) => each.learningRate),
      [1, Math.fround(0.001)],
    );
    end(one, other, variables);
  });

  test('one that does not fit changes nothing in any', () => {
    const { one, variables } = trained();
    const before = snapshot(one, variables);
    const weights = one.getWeights();
    assertRefused(() => one.setWeights(weights.slice(1)), RangeError, /has \d+ variables/);
    assertRefused(() => one.setWeights(weights.with(-1, new Float32Array(3))), RangeError, /40 elements/);
    assertRefused(() => one.loadState(new Uint8Array(9)), RangeError, /./);
    assertSameSnapshot(snapshot(one, variables), before);
    end(one, variables);
  });
});

describe('a call that is refused', () => {
  /** Built, stepped once, and then called; all of it must be as before. */
  const untouched = (call, Type, pattern, { make = multi, variables = resident() } = {}) => {
    const one = make();
    one.apply(gradients(1), variables);
    const before = snapshot(one, variables);
    assertRefused(() => call(one, variables), Type, pattern);
    assertSameSnapshot(snapshot(one, variables), before);
    one.apply(gradients(2));
    const twins = resident();
    const other = make();
    other.apply(gradients(1), twins);
    other.apply(gradients(2));
    assertSameLists(variables.map(valuesOf), twins.map(valuesOf));
    end(one, other, variables, twins);
  };

  const wrong = {
    'no list': [(o) => o.apply(7), TypeError, /array of gradients/],
    'one too few': [(o) => o.apply(gradients(2).slice(1)), RangeError, /3 gradients for 4/],
    'not all variables': [
      (o, v) => o.apply(gradients(2).slice(1), v.slice(1)),
      RangeError,
      /all of its 4 variables/,
    ],
    'one twice': [(o, v) => o.apply(gradients(2).with(1, null), v.with(1, v[0])), RangeError, /given twice/],
    'an unknown variable': [
      (o, v) => o.apply(gradients(2), v.with(0, new Float32Array(3))),
      Error,
      /Unknown variable/,
    ],
    'no variable': [(o, v) => o.apply(gradients(2), v.with(0, 'w')), TypeError, /must be a Variable/],
    'a size in the last share': [
      (o) => o.apply(gradients(2).with(2, new Float32Array(3))),
      RangeError,
      /head\/kernel/,
    ],
    'no gradient at all': [(o) => o.apply([null, null, null, null]), RangeError, /No gradients/],
    'no gradient in the last share': [(o) => o.apply(gradients(2).with(2, null)), RangeError, /No gradients/],
    'to finalize some': [(o, v) => o.finalizeVariableValues(v.slice(1)), RangeError, /4 built variables/],
    'to finalize one twice': [(o, v) => o.finalizeVariableValues(v.with(1, v[0])), RangeError, /given twice/],
  };
  for (const [what, row] of Object.entries(wrong)) test(what, () => untouched(...row));

  test('a constraint that throws after the first share was stepped', () => {
    let throws = false;
    const constraint = (w) => {
      if (throws) throw new Error('not today');
      return w;
    };
    const variables = resident();
    variables[2].dispose();
    variables[2] = new Variable(randomFloats(40, 2), { path: paths[2], name: 'kernel', constraint });
    untouched(
      (o) => {
        throws = true;
        try {
          o.apply(gradients(2));
        } finally {
          throws = false;
        }
      },
      Error,
      /not today/,
      { variables },
    );
  });

  test('a learning rate that throws in the last share', () => {
    let throws = false;
    const rate = () => {
      if (throws) throw new Error('no rate');
      return 0.1;
    };
    untouched(
      (o) => {
        throws = true;
        try {
          o.apply(gradients(2));
        } finally {
          throws = false;
        }
      },
      Error,
      /no rate/,
      {
        make: () =>
          new MultiOptimizer(new OptimizerMap(new SGD({ learningRate: rate }), { scale: new Adam() })),
      },
    );
  });

  test('the first one gives back what it has built and changed', () => {
    const variables = resident();
    const [first, second] = [new SGD({ lossScaleFactor: 3 }), new Adam({ lossScaleFactor: 4 })];
    const one = new MultiOptimizer((v) => (v.path === 'scale' ? second : first));
    assertRefused(
      () => one.apply(gradients(1).with(3, new Float32Array(2)), variables),
      RangeError,
      /'scale'/,
    );
    assert.ok(!one.built && !first.built && !second.built);
    assert.deepEqual(one.optimizers, []);
    assert.deepEqual([first.lossScaleFactor, second.lossScaleFactor, one.iterations], [3, 4, 0]);
    one.apply(gradients(1), variables);
    assert.deepEqual([first.lossScaleFactor, second.lossScaleFactor, one.iterations], [null, null, 1]);
    end(one, variables);
  });

  const unbuilt = {
    'an optimizer that is built': [
      (v) => {
        const inner = new SGD();
        inner.build(v);
        return new MultiOptimizer(new OptimizerMap(new Adam(), { scale: inner }));
      },
      Error,
      /built with variables already/,
    ],
    'a function that gives none': [
      () => new MultiOptimizer(() => 'sgd'),
      TypeError,
      /'encoder\/dense\/kernel'.*"sgd"/,
    ],
    'a function that gives one of several': [
      () => new MultiOptimizer(() => multi()),
      TypeError,
      /cannot be a MultiOptimizer/,
    ],
    'a loss scale': [
      () => new MultiOptimizer(() => new LossScaleOptimizer(usual())),
      TypeError,
      /cannot be a LossScaleOptimizer/,
    ],
    'one whose building fails last': [
      () => {
        class Broken extends RMSprop {
          build() {
            throw new Error('cannot be built');
          }
        }
        return new MultiOptimizer(new OptimizerMap(new Broken(), { 'encoder/.*': new Adam() }));
      },
      Error,
      /cannot be built/,
    ],
  };
  for (const [what, [make, ...expected]] of Object.entries(unbuilt))
    test(`build: ${what}`, () => {
      const variables = resident();
      const one = make(variables);
      const built = one.optimizers.map((each) => each.built);
      assertRefused(() => one.build(variables), ...expected);
      assertRefused(() => one.apply(gradients(1), variables), ...expected);
      assert.ok(!one.built);
      assert.deepEqual(
        one.optimizers.map((each) => each.built),
        built,
      );
      assertRefused(() => one.apply(gradients(1)), Error, /is not built/);
      end(one, variables);
    });
});

describe('lifetimes', () => {
  test('a disposed variable: the others go on, also where a share is empty then', () => {
    const [mine, theirs] = [resident(), resident()];
    const [one, other] = [multi(), multi()];
    one.apply(gradients(1), mine);
    other.apply(gradients(1), theirs);
    mine[3].dispose();
    mine[0].dispose();
    assertRefused(() => one.apply(gradients(2)), Error, /'encoder\/dense\/kernel' has been disposed/);
    assertRefused(() => one.getWeights(), Error, /has been disposed/);
    const left = [1, 2];
    one.apply(
      left.map((k) => gradients(2)[k]),
      left.map((k) => mine[k]),
    );
    assert.equal(one.iterations, 2);
    assert.deepEqual(
      one.optimizers.map((each) => each.rawIterations),
      [2, 0, 1, 2],
    );
    other.apply(gradients(2).with(0, null), theirs);
    for (const k of left) assertSameBits(mine[k].value, theirs[k].value, paths[k]);
    end(one, other, mine, theirs);
  });

  test('dispose takes the inner ones with it, and can be called again', () => {
    const variables = resident();
    const one = multi();
    const inner = one.optimizers;
    one.apply(gradients(1), variables);
    one.dispose();
    one.dispose();
    for (const each of [one, ...inner]) {
      assert.ok(!each.built);
      assertRefused(() => each.apply(gradients(1), variables), Error, /has been disposed/);
    }
    assert.equal(variables[0].value.length, sizes[0]);
    end(variables);
  });

  test('one of them disposed by itself: the whole cannot be called any more, and says so', () => {
    const variables = resident();
    const one = multi();
    one.apply(gradients(1), variables);
    const values = variables.map((v) => v.value.slice());
    one.optimizers[0].dispose();
    for (const call of [
      () => one.apply(gradients(1)),
      () => one.apply(gradients(1), variables),
      () => one.build(variables),
      () => one.serializeState(),
    ])
      assertRefused(call, Error, /'first' has been disposed/);
    assertSameLists(variables.map(valuesOf), values);
    end(one, variables);
  });

  test('building again with the same does nothing, and with others is refused; constraints hold; a rule of two passes', () => {
    const variables = resident({ constraint: new constraints.MinMaxNorm({ maxValue: 0.5 }) });
    const one = new MultiOptimizer(new OptimizerMap(new Lamb(), { 'head/.*': new SGD() }));
    one.build(variables);
    one.build(variables);
    assertRefused(
      () => one.build(variables.toReversed()),
      Error,
      /is built already, with 4 variables: variables\[0\] was/,
    );
    assertRefused(
      () => one.build(variables.slice(1)),
      Error,
      /is built already, with 4 variables: 3 were given now/,
    );
    one.apply(gradients(1));
    for (const v of variables) assert.ok(Math.abs(v.value[0]) <= 1);
    assert.equal(one.iterations, 1);
    end(one, variables);
  });

  test('the count can be set, before and after building, and is that of all', () => {
    const byFunction = () => {
      const map = mapOf();
      return new MultiOptimizer((variable) => map.get(variable.path));
    };
    for (const isBuilt of [true, false])
      for (const make of [multi, byFunction]) {
        const [variables, one] = [resident(), make()];
        if (isBuilt) one.build(variables);
        one.iterations = 6;
        one.apply(gradients(1), variables);
        assert.equal(one.iterations, 7);
        const stepped = one.optimizers.filter(({ built }) => built);
        assert.deepEqual(
          stepped.map(({ rawIterations }) => rawIterations),
          [7, 7, 7],
        );
        assertRefused(() => Object.assign(one, { iterations: -1 }), RangeError, /iterations must be/);
        end(one, variables);
      }
  });

  test('a count beyond that of Keras goes on, and is saved as the largest that Keras has', () => {
    const most = 2 ** 31 - 1;
    const [variables, one] = [resident(), multi()];
    one.build(variables);
    one.iterations = most;
    one.apply(gradients(1));
    assert.equal(one.iterations, most + 1);
    assert.equal(one.variables[0].value, most);
    one.loadState(one.serializeState());
    assert.equal(one.iterations, most);
    end(one, variables);
  });
});

describe('functions and arrays of the user', () => {
  /** The loss a·b: each gradient is the other's value, which the first of the optimizers changes before the second. */
  test('gradients that are values or state of what another optimizer steps count as copies', () => {
    const pair = (kind) => ['a', 'b'].map((path, k) => kind(randomFloats(50, k), path));
    const kinds = {
      Variables: (values, path) => new Variable(values, { path }),
      arrays: (values) => values,
    };
    for (const [kind, make] of Object.entries(kinds)) {
      const ways = [(x) => x, (x) => x.slice()].map((view) => {
        const variables = pair(make);
        const [first, second] = [new Adam({ learningRate: 0.1 }), new SGD({ learningRate: 0.1 })];
        const one = new MultiOptimizer((v) => (v === variables[0] ? first : second));
        one.build(variables);
        for (let k = 0; k < 3; k++) {
          const [a, b] = variables.map(valuesOf);
          const grads = [view(b), view(a)];
          if (k < 2) one.apply(grads);
          else one.apply(grads.toReversed(), variables.toReversed());
        }
        const state = first.variables.find(({ path }) => /momentum$/.test(path));
        one.apply([randomFloats(50, 7), view(state.value)]);
        return { one, variables, values: variables.map((v) => valuesOf(v).slice()) };
      });
      assertSameLists(ways[0].values, ways[1].values);
      for (const { one, variables } of ways) {
        one.dispose();
        if (kind === 'Variables') end(variables);
      }
    }
  });

  test('a learning rate that calls the optimizer again: one call after the other', () => {
    const [variables, others] = [resident(), resident()];
    const act = { now: null };
    const learningRate = () => {
      const { now } = act;
      act.now = null;
      now?.();
      return 0.1;
    };
    const make = (rate) =>
      new MultiOptimizer(new OptimizerMap(new SGD(), { scale: new Adam({ learningRate: rate }) }));
    const [one, other] = [make(learningRate), make(() => 0.1)];
    one.build(variables);
    other.build(others);
    act.now = () => one.apply(gradients(2));
    one.apply(gradients(1));
    other.apply(gradients(2));
    other.apply(gradients(1));
    assertSameLists(variables.map(valuesOf), others.map(valuesOf));
    assert.equal(one.iterations, 2);
    end(one, other, variables, others);
  });

  test('what is excluded from decay, by the whole and by one, is saved with it', () => {
    const make = () => {
      const inner = new AdamW({ weightDecay: 0.5 });
      return new MultiOptimizer(new OptimizerMap(inner, { scale: new SGD({ weightDecay: 0.5 }) }));
    };
    const [variables, others] = [resident(), resident()];
    const one = make();
    one.excludeFromWeightDecay({ varList: [variables[3]] });
    one.optimizers[1].excludeFromWeightDecay({ varNames: ['bias'] });
    const saved = JSON.parse(JSON.stringify(optimizers.serialize(one)));
    const other = optimizers.deserialize(saved);
    assert.deepEqual(optimizers.serialize(other), saved);
    one.apply(gradients(1), variables);
    other.apply(gradients(1), others);
    assertSameLists(others.map(valuesOf), variables.map(valuesOf));
    const plain = make();
    const decayed = resident();
    plain.apply(gradients(1), decayed);
    for (const [k, differs] of [false, true, false, true].entries())
      assert.equal(decayed[k].value[0] !== variables[k].value[0], differs, paths[k]);
    const unknown = make();
    unknown.excludeFromWeightDecay({ varList: [decayed[3]] });
    assertRefused(() => unknown.build(variables), RangeError, /not among the 4 variables built/);
    end(one, other, plain, unknown, variables, others, decayed);
  });
});
