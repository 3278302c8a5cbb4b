// Random programs of an app of TensorFlow.js against the same steps on variables of the engine, which have the bits of the
// plain model: gradients of every kind and in any order, also variables and what shares their data, layers frozen, other
// backends, state out and in, averages put in place, bad calls in between. After every call every bit is compared, and
// whoever shared a variable's data must still have what it had.
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { LossScaleOptimizer, RAdam, SparseGradient, Variable } from '../../dist/index.js';
import { tfOptimizer } from '../../dist/tfjs.js';
import { every, stored } from '../node/every.mjs';
import { assertSameBits, randomFloats } from '../node/helpers.mjs';
import { everywhere } from '../node/tfjs/each.mjs';
import { tf } from '../node/tfjs/setup.mjs';
import { asCode, assertSameState } from './sequences.mjs';

const kinds = [...every, ...stored];
const shapes = [[1], [3], [7, 2], [40, 3], [], [130, 8], [5000], [0]];
const backend = fc.constantFrom(...everywhere);

const settings = fc.record({
  kind: fc.nat(kinds.length - 1),
  backend,
  variables: fc.array(fc.record({ shape: fc.constantFrom(...shapes), seed: fc.nat(999) }), {
    minLength: 1,
    maxLength: 4,
  }),
  options: fc.record({
    gradientAccumulationSteps: fc.constantFrom(null, null, 2, 3),
    average: fc.constantFrom({}, {}, { useEma: true, emaMomentum: 0.5, emaOverwriteFrequency: 2 }),
    clip: fc.constantFrom({}, { clipnorm: 0.5 }, { globalClipnorm: 0.5 }, { clipvalue: 0.2 }),
    scale: fc.constantFrom({}, { lossScaleFactor: 3 }, { skipNonFinite: true }, 'dynamic'),
    monitor: fc.constantFrom(null, null, true, { perVariable: true }),
  }),
});

const gradient = fc.record({
  kind: fc.constantFrom('dense', 'dense', 'dense', 'null', 'sparse', 'nan', 'variable', 'clone', 'reshaped'),
  seed: fc.nat(999),
});
const call = (name, fields) => fc.record({ call: fc.constant(name), ...fields });
const v = fc.nat(3);
const calls = fc.array(
  fc.oneof(
    {
      weight: 8,
      arbitrary: call('apply', {
        grads: fc.array(gradient, { minLength: 4, maxLength: 4 }),
        order: fc.nat(3),
        tidy: fc.boolean(),
      }),
    },
    { weight: 2, arbitrary: call('minimize', { seed: fc.nat(999), tidy: fc.boolean() }) },
    { weight: 2, arbitrary: call('switch', { backend }) },
    { weight: 1, arbitrary: call('assign', { v, seed: fc.nat(999), kept: fc.boolean() }) },
    { weight: 1, arbitrary: call('share', { v }) },
    { weight: 1, arbitrary: call('freeze', { v }) },
    { weight: 1, arbitrary: call('state', { way: fc.constantFrom('weights', 'bytes') }) },
    { weight: 1, arbitrary: call('finalize', {}) },
    { weight: 2, arbitrary: call('bad', { v, which: fc.nat(99) }) },
  ),
  { minLength: 1, maxLength: 20, size: 'max' },
);

const sizeOf = (shape) => shape.reduce((a, b) => a * b, 1);
const floatsOf = (tensor) => Float32Array.from(tensor.dataSync());

class World {
  constructor({ kind, variables, options: { average, clip, scale, ...options } }) {
    const { Class, options: own } = kinds[kind];
    this.isDynamic = scale === 'dynamic';
    const all = {
      learningRate: 0.01,
      ...own,
      ...options,
      ...average,
      ...clip,
      ...(this.isDynamic ? {} : scale),
    };
    this.make = () => {
      const optimizer = new Class(all);
      if (!this.isDynamic) return optimizer;
      return new LossScaleOptimizer(optimizer, { initialScale: 8, dynamicGrowthSteps: 2 });
    };
    this.options = all;
    /** tfjs' files have no place for that. */
    this.countsByVariable = own.compat === 'torch' || Class === RAdam;
    this.variables = variables.map(({ shape, seed }, k) => {
      const values = randomFloats(sizeOf(shape), seed);
      const path = `layer/v${k}`;
      return {
        shape,
        isFrozen: false,
        theirs: tf.tidy(() => tf.variable(tf.tensor(values, shape), true, path)),
        plain: new Variable(values, { path, shape }),
      };
    });
    /** Tensors that share, or shared, a variable's data; and what they hold. */
    this.shared = [];
    this.plain = this.make();
    this.plain.build(this.variables.map(({ plain }) => plain));
    this.ours = tfOptimizer(this.make());
    this.ours.build(this.variables.map(({ theirs }) => theirs));
  }

  /** As both sides take it. */
  gradient({ kind, seed }, { shape, isFrozen }) {
    if (kind === 'null' || isFrozen) return [null, null];
    const other = this.variables.find((each, k) => k >= seed % 4 && String(each.shape) === String(shape));
    if (kind === 'sparse' && shape.length === 2) {
      const indices = [seed % shape[0], (seed * 7) % shape[0]];
      const sparse = new SparseGradient({ indices, values: randomFloats(2 * shape[1], seed) });
      return [sparse, sparse];
    }
    if (['variable', 'clone', 'reshaped'].includes(kind) && other) {
      const { theirs, plain } = other;
      const ways = {
        variable: () => theirs,
        clone: () => theirs.clone(),
        reshaped: () => theirs.reshape(shape),
      };
      return [ways[kind](), plain.value.slice()];
    }
    const dense = randomFloats(sizeOf(shape), seed);
    if (kind === 'nan' && (this.isDynamic || this.options.skipNonFinite) && dense.length)
      dense[seed % dense.length] = Number.NaN;
    return [tf.tensor(dense, shape), dense];
  }

  apply({ grads, order, tidy }) {
    const made = this.variables.map((variable, k) => {
      const [theirs, plain] = this.gradient(grads[k], variable);
      return { variable, theirs, plain };
    });
    made.push(...made.splice(0, order % made.length));
    if (made.every(({ plain }) => plain === null)) return;
    const list = made.map(({ variable, theirs }) => ({ name: variable.theirs.name, tensor: theirs }));
    const step = () =>
      this.ours.applyGradients(order % 2 ? list : Object.fromEntries(list.map((g) => [g.name, g.tensor])));
    const { numTensors } = tf.memory();
    if (tidy) tf.tidy(step);
    else step();
    assert.equal(tf.memory().numTensors, numTensors, 'tensors');
    const own = this.variables.map(({ theirs }) => theirs);
    for (const { theirs } of made) if (theirs?.dispose && !own.includes(theirs)) theirs.dispose();
    this.plain.apply(
      made.map(({ plain }) => plain),
      made.map(({ variable }) => variable.plain),
    );
  }

  minimize({ seed, tidy }) {
    const living = this.variables.filter(({ isFrozen, plain }) => !isFrozen && plain.size > 0);
    if (living.length === 0) return;
    const list = living.map(({ theirs }) => theirs);
    const loss = () =>
      list
        .map((w, k) => w.mul(tf.tensor(randomFloats(w.size, seed + k), w.shape)).sum())
        .reduce((a, b) => a.add(b));
    const scale = this.plain.scaleLoss(1);
    const { value, grads } = tf.tidy(() => this.ours.computeGradients(() => loss().mul(scale), list));
    const minimize = () => this.ours.minimize(loss, tidy, list);
    const cost = tidy ? tf.tidy(minimize) : minimize();
    const given = this.variables.map(({ theirs }) => grads[theirs.name] && floatsOf(grads[theirs.name]));
    tf.dispose([value, grads, cost]);
    this.plain.apply(
      given,
      this.variables.map(({ plain }) => plain),
    );
  }

  switch({ backend }) {
    return tf.setBackend(backend);
  }

  assign({ v, seed, kept }) {
    const { theirs, plain, shape } = this.variables[v % this.variables.length];
    const values = randomFloats(sizeOf(shape), seed);
    const tensor = tf.tensor(values.slice(), shape);
    theirs.assign(tensor);
    plain.assign(values);
    if (kept) this.shared.push({ tensor, values });
    else tensor.dispose();
  }

  share({ v }) {
    const { theirs } = this.variables[v % this.variables.length];
    this.shared.push({ tensor: theirs.clone(), values: floatsOf(theirs) });
  }

  freeze({ v }) {
    const variable = this.variables[v % this.variables.length];
    variable.isFrozen = !variable.isFrozen;
  }

  async state({ way }) {
    const last = this.ours;
    if (way === 'weights' && !this.countsByVariable) {
      this.ours = tfOptimizer(this.make());
      await this.ours.setWeights(await last.getWeights());
      this.ours.build(this.variables.map(({ theirs }) => theirs));
      this.plain.setWeights(this.plain.getWeights()); // int8 is quantized anew
      last.dispose();
    } else this.ours.optimizer.loadState(this.ours.optimizer.serializeState());
  }

  finalize() {
    this.ours.finalizeVariableValues();
    this.plain.finalizeVariableValues(this.variables.map(({ plain }) => plain));
  }

  bad({ v, which }) {
    const { theirs, shape } = this.variables[v % this.variables.length];
    const apply = (tensor) => this.ours.applyGradients({ [theirs.name]: tensor });
    const twice = () => [0, 1].map(() => ({ name: theirs.name, tensor: tf.zeros(shape) }));
    const disposed = () => {
      const tensor = tf.zeros(shape);
      tensor.dispose();
      return tensor;
    };
    const calls = [
      () => apply(tf.zeros([...shape, 2])),
      () => apply(tf.zeros(shape, 'int32')),
      () => apply(new Float32Array(sizeOf(shape))),
      () => apply(disposed()),
      () => this.ours.applyGradients(twice()),
      () => this.ours.applyGradients({ nobody: tf.zeros([1]) }),
      () => this.ours.applyGradients([]),
    ];
    tf.tidy(() => {
      assert.throws(calls[which % calls.length]);
    });
  }

  check() {
    for (const { theirs, plain } of this.variables) assertSameBits(floatsOf(theirs), plain.value, plain.path);
    for (const { tensor, values } of this.shared) assertSameBits(floatsOf(tensor), values, 'shared data');
    const { optimizer } = this.ours;
    assert.equal(optimizer.rawIterations, this.plain.rawIterations);
    if (optimizer.report) assert.deepEqual(optimizer.report, this.plain.report);
    assertSameState(optimizer.getWeights(), this.plain.getWeights());
  }

  end() {
    for (const each of [this.ours, this.plain]) each.dispose();
    for (const { theirs, plain } of this.variables) for (const each of [theirs, plain]) each.dispose();
    for (const { tensor } of this.shared) tensor.dispose();
  }
}

/** @throws with what was found, shrunk, as code. @returns how many programs and calls were run */
export async function runUnderTfjs({ runs, milliseconds, seed }) {
  const told = { sequences: 0, calls: 0 };
  const property = fc.asyncProperty(settings, calls, async (setting, list) => {
    await tf.setBackend(setting.backend);
    const { numTensors } = tf.memory();
    const world = new World(setting);
    told.sequences++;
    try {
      for (const each of list) {
        await world[each.call](each);
        world.check();
        told.calls++;
      }
    } finally {
      world.end();
    }
    assert.equal(tf.memory().numTensors, numTensors, 'tensors are left');
  });
  const found = await fc.check(property, { numRuns: runs, seed, interruptAfterTimeLimit: milliseconds });
  if (found.failed && found.counterexample) throw new Error(asCode(found), { cause: found.errorInstance });
  return told;
}
