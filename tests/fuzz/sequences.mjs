// Random sequences of public calls against the plain model: several optimizers over shared variables, in the engine and
// out of it, gradients of every kind, options changed midway, state out and in, disposal, growth, and bad calls in
// between. After every call every bit of every variable and of all state is compared. fast-check shrinks what fails.
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Adam, Adamax, AdamW, LossScaleOptimizer, SparseGradient, Variable } from '../../dist/index.js';
import { assertSameBits, generator } from '../node/helpers.mjs';
import { Model } from './model.mjs';

const classes = { adam: [Adam, AdamW], adamax: [Adamax] };
const shapes = [[1], [3], [8], [5, 2], [17], [9, 15], [260, 4], [0]];

const rate = fc.constantFrom(0, 0.125, 0.1, 0.01, -0.3);
const options = fc.record({
  learningRate: rate,
  beta1: fc.constantFrom(0.5, 0.75, 0),
  beta2: fc.constantFrom(0.5, 0.75),
  epsilon: fc.constantFrom(1e-7, 0.5),
  weightDecay: fc.constantFrom(null, null, 0, 0.25),
  lossScaleFactor: fc.constantFrom(null, null, 4, 3),
  gradientAccumulationSteps: fc.constantFrom(null, null, 2, 3),
  useEma: fc.boolean(),
  emaMomentum: fc.constantFrom(0.99, 0.5),
  emaOverwriteFrequency: fc.constantFrom(null, null, 1, 2),
  clip: fc.constantFrom({}, {}, { clipnorm: 0.7 }, { globalClipnorm: 0.7 }, { clipvalue: 0.2 }),
});

const variable = (...shapes) =>
  fc.record({
    shape: fc.constantFrom(...shapes),
    kind: fc.constantFrom('Variable', 'array', 'part'),
    seed: fc.nat(999),
  });
const small = (constraints) => fc.array(variable(...shapes), constraints);
/** As large as a pool of threads takes notice of, and cut into parts of which the last is a shorter one. */
const large = fc
  .tuple(variable([530_001], [2, 270_000]), small({ maxLength: 2 }))
  .map(([first, rest]) => [first, ...rest]);

const worlds = (variables) =>
  fc.record({
    variables,
    optimizers: fc.array(
      fc.record({
        rule: fc.constantFrom('adam', 'adamax'),
        which: fc.nat(1),
        options,
        scaled: fc.boolean(),
        excluded: fc.nat(15),
      }),
      { minLength: 1, maxLength: 3 },
    ),
  });

const gradient = fc.record({
  kind: fc.constantFrom(
    'dense',
    'dense',
    'dense',
    'null',
    'sparse',
    'own',
    'alias',
    'state',
    'special',
    'subclass',
  ),
  seed: fc.nat(999),
});
const o = fc.nat(2);
const v = fc.nat(3);
const call = (name, fields) => fc.record({ call: fc.constant(name), ...fields });
const grads = fc.array(gradient, { minLength: 4, maxLength: 4 });

export const calls = fc.array(
  fc.oneof(
    { weight: 10, arbitrary: call('apply', { o, grads, rows: fc.option(fc.nat(15)), frozen: fc.boolean() }) },
    { weight: 3, arbitrary: call('again', { o }) },
    { weight: 2, arbitrary: call('set', { o, seed: fc.nat(99), rate }) },
    { weight: 1, arbitrary: call('iterations', { o, count: fc.nat(20) }) },
    { weight: 1, arbitrary: call('assign', { v, seed: fc.nat(999) }) },
    { weight: 1, arbitrary: call('updateStep', { o, v, rate, seed: fc.nat(999) }) },
    { weight: 1, arbitrary: call('finalize', { o }) },
    {
      weight: 2,
      arbitrary: call('state', { o, way: fc.constantFrom('weights', 'live', 'bytes', 'store', 'anew') }),
    },
    { weight: 1, arbitrary: call('stateless', { o, grads }) },
    { weight: 1, arbitrary: call('grow', { megabytes: fc.nat(8) }) },
    { weight: 1, arbitrary: call('disposeVariable', { v }) },
    { weight: 1, arbitrary: call('disposeOptimizer', { o }) },
    { weight: 3, arbitrary: call('bad', { o, which: fc.nat(99), v }) },
  ),
  { minLength: 1, maxLength: 25, size: 'max' },
);

const floatsOf = (size, seed) => {
  const random = generator(seed);
  return Float32Array.from({ length: size }, () => 2 * random() - 1);
};
const special = [Number.NaN, Number.POSITIVE_INFINITY, -0, 1e-42, 3e38, -1e20];

class Tensor extends Float32Array {
  constructor(shape) {
    if (!Array.isArray(shape)) throw new TypeError('Tensor takes a shape');
    super(shape.reduce((a, b) => a * b, 1));
  }
}

export class World {
  constructor({ variables, optimizers }) {
    const flat = new Float32Array(variables.reduce((sum, { shape }) => sum + size(shape), 0));
    let at = 0;
    this.variables = variables.map(({ shape, kind, seed }, k) => {
      const n = size(shape);
      const values = floatsOf(n, seed);
      let real = values.slice();
      if (kind === 'Variable') real = new Variable(real, { name: `v${k}`, path: `layer/v${k}`, shape });
      if (kind === 'part') {
        real = flat.subarray(at, at + n);
        real.set(values);
      }
      at += n;
      const rows = kind === 'Variable' ? shape[0] : n; // an array is a list of numbers
      return {
        real,
        rows,
        model: { values, width: shape.length > 1 && rows < n ? shape[1] : 1, gone: false },
      };
    });
    this.optimizers = optimizers.map((config) => this.make(config));
  }

  make({ rule, which, options: { clip, ...options }, scaled, excluded }) {
    const Kind = classes[rule][which % classes[rule].length];
    const given = { ...options, ...clip };
    if (!given.useEma) given.emaOverwriteFrequency = null;
    if (scaled) given.lossScaleFactor = null;
    if (Kind === AdamW) given.weightDecay ??= 0.004;
    const config = { rule, options: given, scaled };
    const create = () => {
      const inner = new Kind(given);
      const real = scaled ? new LossScaleOptimizer(inner, { initialScale: 8, dynamicGrowthSteps: 2 }) : inner;
      real.excludeFromWeightDecay({
        varList: living.filter((_, k) => excluded & (1 << k)).map(({ real }) => real),
      });
      real.build(living.map(({ real }) => real));
      return { real, inner };
    };
    const living = this.variables.filter(({ model }) => !model.gone);
    const model = new Model(config);
    model.build(living.map(({ model }, k) => new Shared(model, Boolean(excluded & (1 << k)))));
    return { ...create(), create, model, variables: living, last: null };
  }

  /** The real gradient, and a plain copy of it for the model. */
  gradient({ kind, seed }, variable, optimizer) {
    const { model, rows, real } = variable;
    const n = model.values.length;
    const dense = floatsOf(n, seed);
    if (kind === 'null') return [null, null];
    if (kind === 'sparse' && rows > 0) {
      const indices = Array.from({ length: 1 + (seed % 4) }, (_, k) => (seed * (k + 1)) % rows);
      const values = floatsOf(indices.length * model.width, seed);
      return [new SparseGradient({ indices, values }), { indices, values }];
    }
    if (kind === 'own' && real instanceof Variable) {
      real.gradient.set(dense);
      return [real.gradient, dense];
    }
    if (kind === 'special' && n) dense[seed % n] = special[seed % special.length];
    if (kind === 'subclass') {
      const tensor = new Tensor([n]);
      dense.forEach((x, i) => {
        tensor[i] = x;
      });
      return [tensor, dense];
    }
    if (kind === 'alias') {
      const others = this.variables.filter((other) => !other.model.gone && other.model.values.length === n);
      const view = valuesOf(others[seed % others.length].real);
      return [view, view.slice()];
    }
    if (kind === 'state' && n && !optimizer.variables.some(({ model }) => model.gone)) {
      const states = optimizer.real.variables.map(({ value }) => value).filter((x) => x.length === n);
      if (states.length) return [states[seed % states.length], states[seed % states.length].slice()];
    }
    return [dense, dense.slice()];
  }

  run({ call, ...given }) {
    const target = this.optimizers[given.o % this.optimizers.length];
    const variable = this.variables[given.v % this.variables.length];
    this[call](target, given, variable);
    this.check();
  }

  apply(target, { grads, rows, frozen }) {
    const all = target.variables.map((_, k) => k);
    let chosen = rows === null ? all : all.filter((k) => rows & (1 << k));
    const isAll = rows === null && !target.variables.some(({ model }) => model.gone);
    if (!isAll) chosen = chosen.filter((k) => !target.variables[k].model.gone);
    const made = chosen.map((k) => this.gradient(grads[k], target.variables[k], target));
    const real = made.map(([g]) => g);
    if (frozen) Object.freeze(real);
    if (real.every((g) => g === null)) {
      if (real.length)
        assert.throws(
          () =>
            target.real.apply(
              real,
              chosen.map((k) => target.variables[k].real),
            ),
          RangeError,
        );
      return;
    }
    if (isAll) target.real.apply(real);
    else
      target.real.apply(
        real,
        chosen.map((k) => target.variables[k].real),
      );
    target.model.apply(
      made.map(([, g]) => g),
      chosen,
    );
    target.last = isAll && { real, epoch: this.epoch };
  }

  /** The same list of gradients once more: what most loops do, and a path of its own. */
  again(target) {
    const { last } = target;
    if (!last || target.variables.some(({ model }) => model.gone)) return;
    const copy = (g) =>
      g instanceof SparseGradient
        ? { indices: [...g.indices], values: g.values.slice() }
        : g && Float32Array.from(g);
    if (
      last.real.some(
        (g) => g instanceof Float32Array && g.buffer.byteLength === 0 && g.length === 0 && g.buffer.detached,
      )
    )
      return;
    const fits = last.real.every(
      (g, k) => !(g instanceof Float32Array) || g.length === target.variables[k].model.values.length,
    );
    if (!fits) {
      assert.throws(() => target.real.apply(last.real), RangeError); // the memory has grown from under a view
      return;
    }
    const copies = last.real.map(copy);
    target.real.apply(last.real);
    target.model.apply(copies);
  }

  set(target, { seed, rate }) {
    const { inner, model } = target;
    const change = (name, value) => {
      inner[name] = value;
      model.options[name] = value;
    };
    if (seed % 4 === 0) change('learningRate', rate);
    else if (seed % 4 === 1 && model.options.weightDecay !== null) change('weightDecay', rate);
    else if (seed % 4 === 2) change('emaMomentum', 0.75);
    else change('epsilon', 0.25);
  }

  iterations({ real, model }, { count }) {
    real.iterations = count;
    model.raw = count * (model.options.gradientAccumulationSteps ?? 1);
  }

  assign(_target, { seed }, { real, model }) {
    const values = floatsOf(model.values.length, seed);
    if (model.gone) {
      assert.throws(() => real.assign(values), /disposed/);
      return;
    }
    if (real instanceof Variable) real.assign(values);
    else real.set(values);
    model.values.set(values);
  }

  updateStep(target, { rate, seed }, variable) {
    const row = target.variables.indexOf(variable);
    const g = floatsOf(variable.model.values.length, seed);
    if (row < 0 || variable.model.gone) {
      assert.throws(() => target.real.updateStep(g, variable.real, rate));
      return;
    }
    target.real.updateStep(g, variable.real, rate);
    target.model.updateStep(g, row, rate);
  }

  finalize(target) {
    const list = target.variables.map(({ real }) => real);
    if (target.model.options.useEma && target.variables.some(({ model }) => model.gone)) {
      assert.throws(() => target.real.finalizeVariableValues(list), /disposed/);
      return;
    }
    target.real.finalizeVariableValues(list);
    target.model.finalize();
  }

  state(target, { way }) {
    const { real } = target;
    if (target.variables.some(({ model }) => model.gone)) {
      assert.throws(() => real.getWeights(), /disposed/);
      return;
    }
    if (way === 'weights') real.setWeights(real.getWeights());
    else if (way === 'live') real.setWeights(real.variables);
    else if (way === 'bytes') real.loadState(real.serializeState());
    else if (way === 'store') {
      const store = {};
      real.saveOwnVariables(store);
      real.loadOwnVariables(store);
    } else {
      const bytes = real.serializeState();
      Object.assign(target, target.create());
      for (const name of ['weightDecay', 'emaMomentum', 'epsilon'])
        target.inner[name] = target.model.options[name];
      target.real.loadState(bytes);
      real.dispose();
      target.last = null;
    }
  }

  stateless(target, { grads }) {
    const { real, model, variables } = target;
    if (variables.some(({ model }) => model.gone)) return;
    const made = variables.map((variable, k) => this.gradient(grads[k], variable, target));
    if (made.every(([g]) => g === null)) return;
    const views = variables.map(({ real }) => valuesOf(real));
    const copy = Object.assign(
      new Model({ rule: 'adam', options: {} }),
      structuredClone({ ...model, rule: null, variables: null }),
    );
    copy.rule = model.rule;
    copy.variables = model.variables.map(({ values, width, excluded }) => ({
      values: values.slice(),
      width,
      excluded,
    }));
    const scaling = real instanceof LossScaleOptimizer ? [real.dynamicScale, real.stepCounter] : null;
    const [trained, state] = real.statelessApply(
      real.variables,
      made.map(([g]) => g),
      views,
    );
    copy.apply(made.map(([, g]) => g));
    trained.forEach((values, k) => {
      assertSameBits(values, copy.variables[k].values, `stateless variable ${k}`);
    });
    assertSameState(state, copy.weights());
    if (scaling) assert.deepEqual([real.dynamicScale, real.stepCounter], scaling);
  }

  grow(_target, { megabytes }) {
    new Variable(megabytes << 18).dispose();
  }

  disposeVariable(_target, _given, { real, model }) {
    if (!(real instanceof Variable)) return;
    real.dispose();
    model.gone = true;
  }

  disposeOptimizer(target) {
    if (this.optimizers.length === 1) return;
    target.real.dispose();
    assert.throws(() => target.real.apply([], []), /disposed/);
    this.optimizers.splice(this.optimizers.indexOf(target), 1);
  }

  bad({ real, inner, variables }, { which }, variable) {
    const g = variables.map(({ model }) => new Float32Array(model.values.length));
    const list = variables.map(({ real }) => real);
    const calls = [
      () => real.apply([...g, new Float32Array(1)]),
      () => real.apply(g.with(g.length - 1, new Float32Array(g.at(-1).length + 1)), list),
      () => real.apply(g.with(0, new Float64Array(g[0].length)), list),
      () => real.apply([g[0], g[0]], [list[0], list[0]]),
      () => real.apply([new Float32Array(2)], [new Float32Array(2)]),
      () =>
        real.apply(
          g.map(() => null),
          list,
        ),
      () => real.setWeights([1]),
      () => real.setWeights(real.getWeights().with(-1, 'x')),
      () => real.loadState(new Uint8Array(20)),
      () => real.build([...list, new Float32Array(1)]),
      () => real.updateStep(new Float32Array(variable.model.values.length + 1), variable.real, 0.1),
      () => Object.assign(inner, { learningRate: Number.NaN }),
      () => Object.assign(inner, { beta1: 2 }),
      () => Object.assign(inner, { useEma: !inner.useEma }),
      () => Object.assign(inner, { lr: 1 }),
      () => Object.assign(real, { iterations: 1.5 }),
      () =>
        real.finalizeVariableValues(inner.useEma ? [...list, list[0]] : null) ??
        (inner.useEma || assert.fail('no averages')),
      () => real.statelessApply([], g, g),
      () => new SparseGradient({ indices: [-1], values: [1] }),
      () => real.excludeFromWeightDecay({ varNames: ['v'] }),
    ];
    assert.throws(calls[which % calls.length]);
  }

  check() {
    this.variables.forEach(({ real, model }, k) => {
      if (!model.gone) assertSameBits(valuesOf(real), model.values, `variable ${k}`);
    });
    this.optimizers.forEach(({ real, model, variables }, k) => {
      assert.equal(real.rawIterations, model.raw, `iterations of optimizer ${k}`);
      if (!variables.some(({ model }) => model.gone)) assertSameState(real.getWeights(), model.weights());
    });
  }

  dispose() {
    for (const { real } of this.optimizers) real.dispose();
    for (const { real } of this.variables) if (real instanceof Variable) real.dispose();
  }
}

/** A model's variable as one optimizer sees it. */
class Shared {
  constructor(model, excluded) {
    Object.assign(this, { model, excluded, values: model.values, width: model.width });
  }
  get gone() {
    return this.model.gone;
  }
}

const listOf = (value) => (typeof value === 'number' ? [value] : value);
const size = (shape) => shape.reduce((a, b) => a * b, 1);
const valuesOf = (real) => (real instanceof Variable ? real.value : real);

/** Two lists as getWeights gives them. */
export function assertSameState(got, expected) {
  assert.equal(got.length, expected.length, 'state variables');
  got.forEach((value, k) => {
    assertSameBits(listOf(value), listOf(expected[k]), `state ${k}`);
  });
}

/**
 * @param isLarge whether each world has a variable that threads share, where there are any
 * @throws with what was found, shrunk, as code. @returns how many sequences and calls were run
 */
export function runSequences({ runs, milliseconds, seed, isLarge = false }) {
  const told = { sequences: 0, calls: 0 };
  const variables = isLarge ? large : small({ minLength: 1, maxLength: 4 });
  const property = fc.property(worlds(variables), calls, (setting, list) => {
    const world = new World(setting);
    told.sequences++;
    try {
      world.check();
      for (const each of list) {
        world.run(each);
        told.calls++;
      }
    } finally {
      world.dispose();
    }
  });
  const found = fc.check(property, { numRuns: runs, seed, interruptAfterTimeLimit: milliseconds });
  if (found.failed && found.counterexample) throw new Error(asCode(found), { cause: found.errorInstance });
  return told;
}

/** A failing sequence as a program. */
export function asCode({ counterexample: [setting, list], errorInstance, seed }) {
  return [
    `${errorInstance?.message}, after ${list.length} calls (seed ${seed}):`,
    `const world = new World(${JSON.stringify(setting)});`,
    ...list.map((each) => `world.run(${JSON.stringify(each)});`),
    errorInstance?.stack,
  ].join('\n');
}
