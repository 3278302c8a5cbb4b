// Every optimizer, in every variant and under random mixes of the common options: the same bits wherever variables
// and gradients lie and however many threads there are, state that goes out and in at any step, configs that come
// back as they were, and bad input that is refused by name and changes nothing.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { before, test } from 'node:test';
import { promisify } from 'node:util';
import { AdamW, init, LossScaleOptimizer, optimizers, Variable } from '../../dist/index.js';
import { every, stored } from './every.mjs';
import { assertSameBits, assertSameSnapshot, randomFloats, root, snapshot } from './helpers.mjs';
import { again, assertSameArrays, mix, outcome, places, sparseAndDense } from './mixes.mjs';

before(() => init());
console.warn = () => {}; // gradients that are missing, on purpose

const steps = 6;
const mixes = [1, 2, 3]; // for each variant, others than for the next

/** One thing after another, each with the variant's and the mix' name in its message. */
function overAll(check, seeds = mixes, variants = every) {
  variants.forEach((variant, k) => {
    for (const seed of seeds) {
      const chosen = mix(100 * k + seed);
      const text = JSON.stringify({ ...chosen.options, learningRate: chosen.rate });
      try {
        check(variant, chosen);
      } catch (error) {
        error.message = `${variant.name} with ${text}: ${error.message}`;
        throw error;
      }
    }
  });
}

/** The same with state in fewer bits, too. */
function overAllStored(check) {
  overAll(check);
  overAll(check, [4], stored);
}

test('the same bits, wherever variables and gradients lie', () => {
  overAllStored((variant, { make }) => {
    let expected = null;
    for (const [where, begin] of Object.entries(places)) {
      const optimizer = make(variant);
      const run = begin(optimizer);
      for (let t = 0; t < steps; t++) run.step(t);
      const found = outcome(optimizer, run);
      if (expected) assertSameArrays(found, expected, where);
      else assert.ok(found.some((values) => values.length > 1000 && values.every(Number.isFinite)));
      expected ??= found;
      optimizer.dispose();
      run.end();
    }
  });
});

test('a sparse gradient is the dense one that it stands for', () => {
  overAllStored((variant, { make, options }) => {
    if (options.clipnorm || options.globalClipnorm) return; // norms are of the rows given, summed in another order
    const kinds = [0, 1].map(() => {
      const variables = [new Variable(randomFloats(6000, 1), { shape: [1500, 4] }), new Variable([1, 2, 3])];
      return { variables, optimizer: make(variant) };
    });
    for (let t = 0; t < 4; t++) {
      const both = sparseAndDense(1500, 4, 50 + t);
      kinds.forEach(({ variables, optimizer }, k) => {
        optimizer.apply([both[k], t % 2 ? null : randomFloats(3, t)], variables);
      });
    }
    const [sparse, dense] = kinds.map(({ variables, optimizer }) => [
      ...variables.map(({ value }) => value),
      ...optimizer.getWeights(),
    ]);
    assertSameArrays(sparse, dense, 'sparse');
    for (const { variables, optimizer } of kinds)
      for (const each of [optimizer, ...variables]) each.dispose();
  });
});

const ways = {
  'getWeights, setWeights': (from, to) => to.setWeights(from.getWeights()),
  'serializeState, loadState': (from, to) => to.loadState(from.serializeState()),
  'saveOwnVariables, loadOwnVariables'(from, to) {
    const store = {};
    from.saveOwnVariables(store);
    to.loadOwnVariables(store);
  },
};

test('state that goes out and in at some step goes on with the same bits', () => {
  const list = Object.entries(ways);
  let turn = 0;
  overAll((variant, { make }) => {
    const kinds = Object.entries(places);
    const [where, begin] = kinds[turn % kinds.length];
    const [way, move] = list[turn++ % list.length];
    const [first, second] = [make(variant), make(variant)];
    const [run, other] = [begin(first), begin(second)];
    const cut = 1 + (turn % 4);
    for (let t = 0; t < cut; t++) run.step(t);
    if (!second.built) other.step(0); // a memory's variables are known from the first step on
    move(first, second);
    for (const [k, values] of run.values().entries()) other.set(k, values);
    for (let t = cut; t < cut + 3; t++) for (const each of [run, other]) each.step(t);
    assertSameArrays(outcome(second, other), outcome(first, run), `${way}, ${where}, cut at ${cut}`);
    for (const each of [first, second]) each.dispose();
    for (const each of [run, other]) each.end();
  });
});

test('one thread and two leave the same bits', async () => {
  const program = (threads) => `
    const { init, Variable } = await import('${root}dist/index.js');
    const { every, stored } = await import('${root}tests/node/every.mjs');
    const { mix } = await import('${root}tests/node/mixes.mjs');
    const { randomFloats } = await import('${root}tests/node/helpers.mjs');
    const { createHash } = await import('node:crypto');
    if ((await init({ threads: ${threads} })).threads !== ${threads}) throw new Error('threads');
    const sizes = [130_001, 5, 70_000];
    const grads = [0, 1].map((t) => sizes.map((n, k) => randomFloats(n, 10 * t + k)));
    [...every, ...stored].forEach((variant, k) => {
      const hash = createHash('sha256');
      const optimizer = mix(7 * k + 5).make(variant);
      const variables = sizes.map((n, i) => new Variable(randomFloats(n, 90 + i)));
      optimizer.build(variables);
      for (let t = 0; t < 4; t++) {
        variables.forEach((v, i) => v.gradient.set(grads[t % 2][i]));
        optimizer.step();
      }
      for (const v of variables) hash.update(v.value.slice());
      for (const x of optimizer.getWeights()) hash.update(typeof x === 'number' ? String(x) : x);
      for (const each of [optimizer, ...variables]) each.dispose();
      console.log(variant.name, hash.digest('hex'));
    });`;
  const run = async (threads) => {
    const flags = ['--input-type=module', '-e', program(threads)];
    return (await promisify(execFile)(process.execPath, flags, { timeout: 60_000 })).stdout.split('\n');
  };
  const [one, two] = [await run(1), await run(2)];
  assert.equal(one.length, every.length + stored.length + 1);
  assert.deepEqual(two, one);
});

test('a config comes back as it was, in both spellings and by name', () => {
  overAll(
    (variant, { make, rate }) => {
      if (rate === 'function') return; // which no config can hold
      const optimizer = make(variant);
      const config = optimizer.getConfig();
      assert.deepEqual(again(optimizer).getConfig(), config);
      assert.equal(again(optimizer).constructor, optimizer.constructor);
      const { Class, options } = variant;
      const own = new Class(options);
      const snake = Class.fromConfig(own.getConfig());
      for (const [name, value] of Object.entries(options)) assert.deepEqual(snake[name], value, name);
      const named = optimizers.get(Class.className.toLowerCase());
      assert.equal(named.constructor, Class);
      assert.deepEqual(named.getConfig(), new Class().getConfig());
    },
    [1],
  );
});

const small = [5, 17];
const gradientsAt = (t) => small.map((n, k) => randomFloats(n, 300 + 10 * t + k));
const negated = (g) => g.map((x) => -x);
const clamped = (g) => g.map((x) => Math.min(Math.max(x, -0.25), 0.25));

/** Weights and slots after six calls, or as many as `feed` gives gradients for. */
function trained(optimizer, feed) {
  const arrays = small.map((n, k) => randomFloats(n, 200 + k));
  optimizer.build(arrays);
  for (let t = 0; t < 6; t++) for (const grads of feed(t)) optimizer.apply(grads);
  const slots = optimizer.variables.filter(
    ({ path }) => !/average$|gradient_accumulator$|iteration$/.test(path),
  );
  const found = [...arrays, ...slots.map(({ value }) => (typeof value === 'number' ? value : value.slice()))];
  optimizer.dispose();
  return found;
}

const meanings = {
  'lossScaleFactor divides': [
    { lossScaleFactor: 1024 },
    (t) => [gradientsAt(t).map((g) => g.map((x) => x * 1024))],
  ],
  'maximize negates': [{ maximize: true }, (t) => [gradientsAt(t).map(negated)]],
  'accumulation takes the mean': [
    { gradientAccumulationSteps: 2 },
    // (g + d) + (g - d), where every sum is exact
    (t) => [1, -1].map((d) => gradientsAt(t).map((g) => g.map((x) => Math.fround(x + d * 2 ** -3)))),
    (t) => [
      gradientsAt(t).map((g) =>
        g.map((x) => Math.fround(Math.fround(x + 2 ** -3) + Math.fround(x - 2 ** -3)) / 2),
      ),
    ],
  ],
  'clipvalue clamps': [{ clipvalue: 0.25 }, (t) => [gradientsAt(t)], (t) => [gradientsAt(t).map(clamped)]],
  'averages beside the weights change nothing': [{ useEma: true }, (t) => [gradientsAt(t)]],
};

test('what an option means is what it does to the gradients, for every rule', () => {
  for (const { name, Class, options } of every) {
    const plain = trained(new Class(options), (t) => [gradientsAt(t)]);
    for (const [meaning, [option, feed, same]] of Object.entries(meanings)) {
      // tf.train.adamax counts calls for its decay, and has no accumulation
      if (options.decay && option.gradientAccumulationSteps) continue;
      const expected = same ? trained(new Class(options), same) : plain;
      assertSameArrays(trained(new Class({ ...options, ...option }), feed), expected, `${name}: ${meaning}`);
    }
  }
});

test('a step that is not finite changes nothing but the scale, whatever the rule has as state', () => {
  for (const { name, Class, options } of every) {
    const wrapped = () => new LossScaleOptimizer(new Class(options), { initialScale: 1024 });
    const scaled = (t, scale) => gradientsAt(t).map((g) => g.map((x) => x * scale));
    const expected = trained(new Class(options), (t) => [gradientsAt(t)]);
    const found = trained(wrapped(), (t) =>
      t === 2 ? [scaled(t, 1024), scaled(t, Number.NaN)] : [scaled(t, t < 2 ? 1024 : 512)],
    );
    assertSameArrays(found.slice(0, 2), expected.slice(0, 2), name);
  }
});

test('statelessApply and a constraint that throws leave everything as it was', () => {
  for (const { name, Class, options } of every) {
    let throws = false;
    const constraint = (w) => {
      if (throws) throw new Error('on purpose');
      return w;
    };
    const variables = small.map(
      (n, k) => new Variable(randomFloats(n, 200 + k), { path: `v${k}`, constraint }),
    );
    const optimizer = new Class(options);
    optimizer.apply(gradientsAt(0), variables);
    const kept = snapshot(optimizer, variables);
    const values = variables.map(({ value }) => value.slice());
    const [weights, state] = optimizer.statelessApply(optimizer.getWeights(), gradientsAt(1), values);
    assertSameSnapshot(snapshot(optimizer, variables), kept);
    throws = true;
    assert.throws(() => optimizer.apply(gradientsAt(1)), /on purpose/, name);
    assertSameSnapshot(snapshot(optimizer, variables), kept);
    throws = false;
    optimizer.apply(gradientsAt(1));
    assertSameArrays(
      [...weights, ...state],
      [...variables.map(({ value }) => value), ...optimizer.getWeights()],
      name,
    );
    for (const each of [optimizer, ...variables]) each.dispose();
  }
});

test('updateStep is the rule alone: a plain step of that update at that rate, and no count', () => {
  for (const { name, Class, options } of [...every, ...stored]) {
    const makeUp = () => {
      const variable = new Variable(randomFloats(17, 201), { path: 'v' });
      const optimizer = new Class({ ...options, learningRate: 0.02, weightDecay: 0 }); // AdamW decays by default
      optimizer.build([variable]);
      return [optimizer, variable];
    };
    const [[plain, expected], [alone, found]] = [makeUp(), makeUp()];
    found.gradient.set(gradientsAt(0)[1]);
    plain.apply([gradientsAt(0)[1]]);
    alone.updateStep(found.gradient, found, 0.02);
    // the groups of AdamMultilr and the decay of the rate are no part of the rule
    if (!options.patternLrs) assertSameArrays([found.value], [expected.value], name);
    assert.equal(alone.iterations, 0);
    for (const each of [plain, expected, alone, found]) each.dispose();
  }
});

test('an option that is set between steps is that of an optimizer made with it', () => {
  const live = {
    beta1: 0.8,
    beta2: 0.95,
    rho: 0.7,
    momentum: 0.5,
    epsilon: 1e-4,
    beta: 0.2,
    weightDecay: 0.1,
  };
  for (const { name, Class, options } of [...every, ...stored]) {
    const [array, other] = [randomFloats(17, 1), new Float32Array(17)];
    const optimizer = new Class(options);
    for (let t = 0; t < 2; t++) optimizer.apply([gradientsAt(t)[1]], [array]);
    const changes = Object.fromEntries(
      Object.entries(live).filter(([key]) => key in optimizer && (key !== 'momentum' || optimizer.momentum)),
    );
    Object.assign(optimizer, changes);
    const fresh = new Class({ ...options, ...changes });
    fresh.build([other]);
    fresh.loadState(optimizer.serializeState());
    other.set(array);
    for (let t = 2; t < 4; t++) for (const each of [optimizer, fresh]) each.apply([gradientsAt(t)[1]]);
    assertSameArrays([other, ...fresh.getWeights()], [array, ...optimizer.getWeights()], name);
    for (const each of [optimizer, fresh]) each.dispose();
  }
});

/** Wrong kinds, by the kind of the value that is there; and values out of range, by the option's name. */
const wrong = {
  number: ['1', {}, [1], true, Number.NaN, Number.POSITIVE_INFINITY],
  boolean: [1, 'true', {}],
  string: [1, 'none of these', {}],
  nothing: ['1', {}, [], true, Number.NaN],
  object: [1, 'text', { patterns: 1 }],
};
const outside = {
  momentum: [-0.1],
  rho: [-0.1, 1.1],
  beta1: [-0.1, 1.1],
  beta2: [-0.1, 1.1],
  epsilon: [-1e-9],
  dampening: [-1, 2],
  decay: [-1],
  lrDecay: [-1],
  momentumDecay: [-1],
  initialAccumulatorValue: [-1],
  l1RegularizationStrength: [-1],
  l2RegularizationStrength: [-1],
  l2ShrinkageRegularizationStrength: [-1],
  learningRatePower: [0.5],
  warmupSteps: [-1, 1.5],
  emaOverwriteFrequency: [-1, 1.5],
  lossScaleFactor: [0, -1],
  gradientAccumulationSteps: [1, -2, 2.5],
};
const rarely = ['maximize', 'compat', 'decay', 'lrDecay', 'dampening', 'legacySparse', 'momentumDecay'];
const camelCase = (name) => name.replace(/_(.)/g, (_, c) => c.toUpperCase());
const snakeCase = (name) =>
  name.replace(/(?<=[a-z])[A-Z]|(?<=[a-z]{2})[0-9]|(?<=[0-9])[A-Z]/g, (c) => `_${c.toLowerCase()}`);

/** The options of a class, as they are on a fresh optimizer. */
function optionsOf(Class) {
  const optimizer = new Class();
  const names = new Set([...Object.keys(optimizer.getConfig()).map(camelCase), ...rarely]);
  return [...names].filter((name) => name in optimizer).map((name) => [name, optimizer[name]]);
}

function assertRefusedByName(call, name, what) {
  try {
    call();
  } catch (error) {
    assert.ok(error instanceof TypeError || error instanceof RangeError, `${what}: ${error.stack}`);
    assert.ok(error.message.match(name), `${what}: '${error.message}' does not name ${name}`);
    return;
  }
  assert.fail(`${what} was accepted`);
}

test('what an option cannot be is refused by its name, by constructors, configs and properties', () => {
  for (const Class of new Set(every.map((variant) => variant.Class))) {
    const array = randomFloats(5, 1);
    const optimizer = new Class();
    optimizer.apply([randomFloats(5, 2)], [array]);
    const kept = [snapshot(optimizer, [array]), optimizer.getConfig()];
    for (const [name, value] of optionsOf(Class)) {
      const kind = value === null ? 'nothing' : typeof value;
      const list = [...wrong[kind], ...(outside[name] ?? [])];
      for (const bad of list.filter((x) => !(name === 'name' && x === 'none of these'))) {
        const what = `${Class.name} { ${name}: ${String(bad)} }`;
        assertRefusedByName(() => new Class({ [name]: bad }), name, what);
        const spelled = name === 'learningRate' ? /learningRate|learning_rate/ : snakeCase(name);
        assertRefusedByName(() => Class.fromConfig({ [snakeCase(name)]: bad }), spelled, what);
        if (name === 'name' || name === 'patternLrs') continue; // fixed once constructed
        assertRefusedByName(
          () => {
            optimizer[name] = bad;
          },
          name,
          what,
        );
      }
    }
    for (const [call, pattern] of [
      [() => new Class({ learningRat: 1 }), /learningRat.*learningRate/],
      [() => new Class({ learningRate: 1, learning_rate: 1 }), /two spellings/],
      [() => new Class({ clipnorm: 1, clipvalue: 1 }), /only one/],
      [() => new Class(3), /options must be a plain object/],
    ])
      if (!(Class.name === 'AdamMultilr' && String(pattern).includes('only one')))
        assert.throws(call, { message: pattern }, `${Class.name}: ${call}`);
    assertSameSnapshot(snapshot(optimizer, [array]), kept[0]);
    assert.deepEqual(optimizer.getConfig(), kept[1]);
    optimizer.dispose();
  }
});

test('gradients that do not fit are refused, and change nothing', () => {
  overAll(
    (variant, { make }) => {
      const optimizer = make(variant);
      const variables = [new Variable(randomFloats(6, 1), { path: 'a', shape: [3, 2] }), randomFloats(5, 2)];
      const good = () => [randomFloats(6, 3), randomFloats(5, 4)];
      optimizer.apply(good(), variables);
      const kept = snapshot(optimizer, variables);
      for (const bad of [
        [good()[0]],
        [...good(), good()[0]],
        [good()[0], new Float32Array(4)],
        [good()[0], [1, 2, 3, 4, 5]],
        [good()[0], new Float64Array(5)],
        [null, null],
        [good()[0], Number.NaN],
        'gradients',
      ])
        assert.throws(() => optimizer.apply(bad), { name: /TypeError|RangeError/ }, String(bad));
      assertSameSnapshot(snapshot(optimizer, variables), kept);
      for (const each of [optimizer, variables[0]]) each.dispose();
    },
    [4],
  );
});

test('a state that does not fit is refused, and changes nothing', () => {
  const made = every.map(({ name, Class, options }) => {
    const array = randomFloats(5, 1);
    const optimizer = new Class(options);
    optimizer.apply([randomFloats(5, 2)], [array]);
    const { variables } = optimizer;
    const layout = variables.map(({ path, shape }) => `${path.slice(path.indexOf('/'))} [${shape}]`);
    return { name, array, optimizer, layout: layout.sort().join(), state: optimizer.serializeState() };
  });
  for (const { name, array, optimizer, layout } of made) {
    const kept = snapshot(optimizer, [array]);
    const weights = optimizer.getWeights();
    for (const other of made)
      if (other.layout !== layout)
        assert.throws(() => optimizer.loadState(other.state), `${name} took a state of ${other.name}`);
    for (const bad of [
      weights.slice(1),
      [...weights, 0],
      weights.map((x) => (typeof x === 'number' ? x : x.subarray(1))).concat(weights.length > 2 ? [] : [0]),
      weights.map((x) => (typeof x === 'number' ? 'x' : x)),
      [-1, ...weights.slice(1)],
      null,
    ]) {
      assert.throws(() => optimizer.setWeights(bad), { name: /TypeError|RangeError/ }, `${name}: ${bad}`);
      assert.throws(() => optimizer.loadOwnVariables(bad), { name: /TypeError|RangeError/ }, name);
    }
    const state = optimizer.serializeState();
    for (const cut of [0, 7, state.length - 1])
      assert.throws(() => optimizer.loadState(state.subarray(0, cut)), `${name}: ${cut} bytes`);
    assertSameSnapshot(snapshot(optimizer, [array]), kept);
  }
  for (const { optimizer } of made) optimizer.dispose();
});

test("compat: 'torch': decoupled decay is one multiplication, w * fl(1 - rate * decay)", () => {
  const [learningRate, weightDecay] = [0.0625, 0.3];
  const kept = Math.fround(1 - learningRate * weightDecay);
  const before = Float32Array.of(...randomFloats(9, 4), -0, 0);
  const array = before.slice();
  new AdamW({ compat: 'torch', learningRate, weightDecay }).apply([new Float32Array(11)], [array]);
  assertSameBits(
    array,
    before.map((w) => Math.fround(w * kept)),
  );
});
