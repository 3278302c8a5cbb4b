// Random sequences of calls on a GPU against the same ones in the engine, which has the bits of the plain model: variables
// born there or moved there and back, gradients of every kind and place, options changed midway, state out and in,
// disposal, bad calls in between. After every call variables and state are near (tests/gpu/case.mjs says how near), and
// then made the same, so that a difference does not grow from call to call. State in fewer bits has the engine's codes or
// their neighbours (tests/gpu/codes.mjs): where that cannot be made the same any more, a sequence ends.
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Adafactor, Adam, Adamax, Muon, RMSprop, SGD, SparseGradient, Variable } from '../../dist/index.js';
import { openGpu } from '../gpu/adapter.mjs';
import { compareCodes, tensorsOf } from '../gpu/codes.mjs';
import { assertNear, bufferWith } from '../gpu/helpers.mjs';
import { randomFloats } from '../node/helpers.mjs';
import { asCode } from './sequences.mjs';

const classes = { Adam, Adamax, RMSprop, SGD, Adafactor, Muon };
const shapes = [[1], [8], [5, 2], [17], [9, 15], [1200, 4], [0]];
/**
 * Where it is not that of all. Adafactor: numpy, and so the engine, adds the rows of a matrix one after another, each time
 * with a rounding of half of 2 ** -23; the GPU by halves.
 */
const tolerances = { Adafactor: 1200 * 2 ** -24 };
/** Those that read whole variables have none of it. */
const whole = ['Adafactor', 'Muon'];
const rate = fc.constantFrom(0.125, 0.1, 0.01, -0.3);

const settings = fc.record({
  variables: fc.array(
    fc.record({ shape: fc.constantFrom(...shapes), isBornThere: fc.boolean(), seed: fc.nat(999) }),
    { minLength: 1, maxLength: 4 },
  ),
  kind: fc.constantFrom(...Object.keys(classes)),
  options: fc.record({
    learningRate: rate,
    weightDecay: fc.constantFrom(null, 0, 0.25),
    lossScaleFactor: fc.constantFrom(null, 4, 3),
    gradientAccumulationSteps: fc.constantFrom(null, null, 2, 3),
    clip: fc.constantFrom({}, {}, { clipnorm: 0.7 }, { globalClipnorm: 0.7 }, { clipvalue: 0.2 }),
    average: fc.constantFrom({}, { useEma: true, emaMomentum: 0.5, emaOverwriteFrequency: 2 }),
    stateDtype: fc.constantFrom(
      'float32',
      { dtype: 'bfloat16', minSize: 0 },
      { dtype: 'int8', minSize: 0 },
      { dtype: 'int8', minSize: 100, exclude: ['v1'] },
    ),
  }),
});

const gradient = fc.record({
  kind: fc.constantFrom('array', 'array', 'null', 'sparse', 'buffer', 'part'),
  seed: fc.nat(999),
});
const call = (name, fields) => fc.record({ call: fc.constant(name), ...fields });
const calls = fc.array(
  fc.oneof(
    {
      weight: 8,
      arbitrary: call('apply', {
        grads: fc.array(gradient, { minLength: 4, maxLength: 4 }),
        rows: fc.nat(15),
      }),
    },
    { weight: 1, arbitrary: call('set', { rate, seed: fc.nat(1) }) },
    { weight: 2, arbitrary: call('offload', { minSize: fc.constantFrom(0, 10, 1000) }) },
    { weight: 2, arbitrary: call('onload', {}) },
    { weight: 1, arbitrary: call('assign', { v: fc.nat(3), seed: fc.nat(999) }) },
    { weight: 1, arbitrary: call('state', {}) },
    { weight: 1, arbitrary: call('dispose', { v: fc.nat(3) }) },
    { weight: 1, arbitrary: call('bad', { v: fc.nat(3) }) },
  ),
  { minLength: 1, maxLength: 12, size: 'max' },
);

const sizeOf = (shape) => shape.reduce((a, b) => a * b, 1);

class World {
  constructor(gpu, { variables, kind, options: { clip, average, stateDtype, ...options } }) {
    this.gpu = gpu;
    this.isNarrow = stateDtype !== 'float32' && !whole.includes(kind);
    this.tolerance = tolerances[kind];
    this.pairs = variables.map(({ shape, isBornThere, seed }, k) => {
      const values = randomFloats(sizeOf(shape), seed);
      const named = { path: `layer/v${k}`, shape };
      const here = new Variable(values, named);
      return { here, there: isBornThere ? gpu.variable(values, named) : new Variable(values, named), shape };
    });
    const make = (side, narrow = this.isNarrow && { stateDtype }) => {
      const optimizer = new classes[kind]({ ...options, ...clip, ...average, ...narrow });
      optimizer.build(this.pairs.map((pair) => pair[side]));
      return optimizer;
    };
    [this.here, this.there] = [make('here'), make('there')];
    /** What a file of fewer bits is in float32. */
    this.widen = (file) => {
      const optimizer = make('here', null);
      optimizer.loadState(file);
      const wide = optimizer.serializeState();
      optimizer.dispose();
      return tensorsOf(wide);
    };
  }

  /** Whether the two can have different codes from now on. */
  get isOver() {
    return this.isNarrow && this.living.length < this.pairs.length && this.isApart;
  }

  get living() {
    return this.pairs.filter(({ isGone }) => !isGone);
  }

  gradient({ kind, seed }, { shape, there }) {
    const size = sizeOf(shape);
    const dense = randomFloats(size, seed);
    if (kind === 'null') return [null, null];
    if (kind === 'sparse' && shape.length > 1) {
      const indices = [seed % shape[0], (seed * 7) % shape[0]];
      const both = { indices, values: randomFloats(2 * shape[1], seed) };
      return [new SparseGradient(both), new SparseGradient(both)];
    }
    if (there.placement !== 'gpu' || size === 0) return [dense, dense];
    if (kind === 'buffer') return [dense, bufferWith(this.gpu, dense)];
    if (kind !== 'part') return [dense, dense];
    const offset = 4 * (seed % 3);
    const longer = new Float32Array(size + offset / 4);
    longer.set(dense, offset / 4);
    return [dense, { buffer: bufferWith(this.gpu, longer), offset, size: size * 4 }];
  }

  async apply({ grads, rows }) {
    const chosen = this.living.filter((_, k) => rows & (1 << k));
    const made = chosen.map((pair, k) => this.gradient(grads[k], pair));
    if (made.every(([g]) => g === null)) return;
    this.isApart = this.living.length < this.pairs.length;
    this.here.apply(
      made.map(([g]) => g),
      chosen.map(({ here }) => here),
    );
    await this.there.apply(
      made.map(([, g]) => g),
      chosen.map(({ there }) => there),
    );
  }

  set({ rate, seed }) {
    for (const optimizer of [this.here, this.there])
      if (seed) optimizer.learningRate = rate;
      else if (optimizer.weightDecay !== null) optimizer.weightDecay = 0.1;
  }

  offload({ minSize }) {
    return this.there.offload(this.gpu, { minSize });
  }

  onload() {
    return this.there.onload();
  }

  assign({ v, seed }) {
    const pair = this.living[v % this.living.length];
    const values = randomFloats(sizeOf(pair.shape), seed);
    for (const side of ['here', 'there']) pair[side].assign(values);
  }

  async state() {
    if (this.living.length < this.pairs.length) return;
    this.there.loadState(await this.there.readState());
  }

  dispose({ v }) {
    if (this.living.length === 1) return;
    const pair = this.living[v % this.living.length];
    pair.isGone = true;
    pair.here.dispose();
    pair.there.dispose();
  }

  async bad({ v }) {
    const { there, shape } = this.living[v % this.living.length];
    const wrong = new Float32Array(sizeOf(shape) + 1);
    for (const call of [
      () => this.there.apply([wrong], [there]),
      () => this.there.apply([bufferWith(this.gpu, new Float32Array(wrong.length + 8))], [there]),
      () => there.assign(wrong),
    ])
      await assert.rejects(async () => call());
  }

  async check() {
    await this.gpu.sync();
    for (const { here, there } of this.living)
      assertNear(await there.read(), here.value, here.path, this.tolerance);
    assert.equal(this.there.rawIterations, this.here.rawIterations);
    for (const { here, there } of this.living) there.assign(here.value);
    if (this.living.length < this.pairs.length) return;
    const [expected, got] = [this.here.serializeState(), await this.there.readState()];
    assert.equal(got.length, expected.length);
    const [ours, theirs] = [got, expected].map(tensorsOf);
    assert.deepEqual([...ours.keys()], [...theirs.keys()]);
    const floats = (tensors) =>
      Float32Array.from(
        [...tensors.values()].flatMap(({ dtype, values }) => (dtype === 'F32' ? [...values] : [])),
      );
    assertNear(floats(ours), floats(theirs), 'state', this.tolerance);
    compareCodes(ours, theirs, 'state', () => [got, expected].map(this.widen));
    this.there.loadState(expected);
  }

  end() {
    for (const each of [this.here, this.there]) each.dispose();
    for (const { here, there } of this.living) for (const each of [here, there]) each.dispose();
  }
}

/** @throws with what was found, shrunk, as code. @returns how many sequences and calls were run */
export async function runOnGpu({ runs, milliseconds, seed }) {
  const told = { sequences: 0, calls: 0 };
  const gpu = await openGpu();
  const property = fc.asyncProperty(settings, calls, async (setting, list) => {
    const world = new World(gpu, setting);
    told.sequences++;
    try {
      await world.check();
      for (const each of list) {
        if (world.isOver) break;
        await world[each.call](each);
        await world.check();
        told.calls++;
      }
    } finally {
      world.end();
    }
  });
  const found = await fc.check(property, { numRuns: runs, seed, interruptAfterTimeLimit: milliseconds });
  gpu.dispose();
  if (found.failed && found.counterexample) throw new Error(asCode(found), { cause: found.errorInstance });
  return told;
}
