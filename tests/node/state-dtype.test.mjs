// State in fewer bits (`stateDtype`): training goes on as with float32, files give back every bit, threads and places have
// the same, and what cannot be is refused before anything has happened.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as all from '../../dist/index.js';
import { jaxOptimizer } from '../../dist/jax.js';

const { Adam, Adamax, init, LossScaleOptimizer, MultiOptimizer, optimizers, Variable } = all;
const classes = { ...all };
await init();

const size = 5000;
const made = [];
function variable(name = 'w', n = size) {
  const v = new Variable(n, { name });
  made.push(v);
  return v;
}

/** A class of problem with a known minimum: each weight towards its own target, noisy gradients. */
function noise(seed) {
  let x = seed >>> 0 || 1;
  return () => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) / 2 ** 32 - 0.5;
  };
}

function train(optimizer, w, steps, seed = 1) {
  if (!optimizer.built) optimizer.build([w]);
  const next = noise(seed);
  for (let t = 0; t < steps; t++) {
    for (let i = 0; i < w.size; i++) w.gradient[i] = w.value[i] - Math.sin(i) + 0.1 * next();
    optimizer.step();
  }
}

const distance = (w) => {
  let sum = 0;
  for (let i = 0; i < w.size; i++) sum += (w.value[i] - Math.sin(i)) ** 2;
  return Math.sqrt(sum / w.size);
};

const elementwise = [
  'Adadelta',
  'Adagrad',
  'Adam',
  'AdamW',
  'Adamax',
  'Ftrl',
  'Lamb',
  'Lion',
  'Nadam',
  'RAdam',
  'RMSprop',
  'SGD',
  'ScheduleFreeAdamW',
]; // prettier-ignore

for (const dtype of ['bfloat16', 'int8'])
  for (const name of elementwise)
    test(`${name} with state of ${dtype} goes where it goes with float32`, () => {
      const options = {
        learningRate: name === 'Adadelta' ? 5 : 0.02,
        ...(name === 'SGD' && { momentum: 0.9 }),
      };
      const ends = ['float32', dtype].map((stateDtype) => {
        const w = variable();
        const optimizer = new classes[name]({ ...options, stateDtype });
        const before = distance(w);
        train(optimizer, w, 200);
        const end = distance(w) / before;
        optimizer.dispose();
        return end;
      });
      assert.ok(ends[1] < ends[0] + 0.05, `${ends}`);
    });

test('it takes the memory that it says: a quarter or half of the slots', () => {
  const perElement = (stateDtype) => {
    const n = 1 << 20;
    const w = variable('w', n);
    const optimizer = new Adam({ stateDtype });
    optimizer.build([w]);
    train(optimizer, w, 1);
    const { length } = optimizer.serializeState();
    optimizer.dispose();
    w.dispose();
    return length / n;
  };
  assert.ok(Math.abs(perElement('float32') - 8) < 0.01);
  assert.ok(Math.abs(perElement('bfloat16') - 4) < 0.01);
  assert.ok(Math.abs(perElement('int8') - 2 * (1 + 4 / 256)) < 0.01);
});

test('small and excluded variables keep float32', () => {
  const [small, embedding, kernel] = [variable('small', 100), variable('embedding'), variable('kernel')];
  const optimizer = new Adam({ stateDtype: { dtype: 'int8', minSize: 200, exclude: ['^emb'] } });
  optimizer.build([small, embedding, kernel]);
  const header = headerOf(optimizer.serializeState());
  assert.equal(header['small/momentum'].dtype, 'F32');
  assert.equal(header['embedding/momentum'].dtype, 'F32');
  assert.equal(header['kernel/momentum'].dtype, 'U8');
  assert.equal(header['kernel/momentum/absmax'].dtype, 'F32');
});

function headerOf(bytes) {
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  return JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
}

for (const dtype of ['bfloat16', 'int8'])
  for (const name of elementwise)
    test(`${name}: a saved state of ${dtype} goes on with every bit`, () => {
      // An odd size, so that nothing in the file is aligned by chance.
      const make = () => {
        const w = variable('a/w', 4099);
        return [w, new classes[name]({ stateDtype: dtype, ...(name === 'SGD' && { momentum: 0.9 }) })];
      };
      const [w, optimizer] = make();
      train(optimizer, w, 5);
      const saved = optimizer.serializeState();
      const [w2, optimizer2] = make();
      optimizer2.build([w2]);
      w2.value.set(w.value);
      optimizer2.loadState(saved);
      assert.deepEqual(optimizer2.serializeState(), saved);
      train(optimizer, w, 3, 9);
      train(optimizer2, w2, 3, 9);
      assert.deepEqual(w2.value, w.value);
      assert.deepEqual(optimizer2.serializeState(), optimizer.serializeState());
    });

test('float32 files open in fewer bits, bfloat16 files as float32, and weights are float32', () => {
  const of = (stateDtype) => {
    const w = variable('w');
    const optimizer = new Adam({ stateDtype });
    optimizer.build([w]);
    return [optimizer, w];
  };
  const [full, w] = of('float32');
  train(full, w, 20);
  const [, , m, v] = full.getWeights();
  for (const dtype of ['bfloat16', 'int8']) {
    const [narrow] = of(dtype);
    narrow.loadState(full.serializeState());
    const [iteration, , m2, v2] = narrow.getWeights();
    assert.equal(iteration, 20);
    assert.ok(m2 instanceof Float32Array && m2.length === size);
    const off = (a, b) => Math.max(...a.map((x, i) => Math.abs(x - b[i]))) / Math.max(...a.map(Math.abs));
    assert.ok(off(m, m2) < (dtype === 'int8' ? 0.01 : 0.004), `${off(m, m2)}`);
    assert.ok(off(v, v2) < (dtype === 'int8' ? 0.01 : 0.004), `${off(v, v2)}`);
  }
  const [half] = of('bfloat16');
  half.loadState(full.serializeState());
  const [wide] = of('float32');
  wide.loadState(half.serializeState());
  assert.deepEqual(wide.getWeights(), half.getWeights());
  const [eight] = of('int8');
  assert.throws(() => wide.loadState(eight.serializeState()), /U8.*stateDtype: 'int8'/);
  assert.throws(() => half.loadState(eight.serializeState()), /BF16 .* here, U8/);
});

test('a damaged file changes nothing', () => {
  const make = () => {
    const optimizer = new Adam({ stateDtype: 'int8' });
    const w = variable();
    train(optimizer, w, 3);
    return optimizer;
  };
  const optimizer = make();
  const saved = optimizer.serializeState();
  const length = Number(new DataView(saved.buffer).getBigUint64(0, true));
  const broken = (change) => {
    const header = headerOf(saved);
    change(header);
    const text = new TextEncoder().encode(JSON.stringify(header).padEnd(length));
    if (text.length !== length) throw new Error('the header has grown');
    const bytes = saved.slice();
    bytes.set(text, 8);
    return bytes;
  };
  const negative = saved.slice();
  const at = 8 + length + headerOf(saved)['w/momentum/absmax'].data_offsets[0];
  new DataView(negative.buffer).setFloat32(at, -1, true);
  const files = [
    [broken((h) => delete h['w/momentum/absmax']), /no 'w\/momentum\/absmax'/],
    [broken((h) => (h['w/momentum'].shape = [4999])), /shape \[5000\] here/],
    [broken((h) => (h['w/momentum'].dtype = 'I8')), /I8/],
    [negative, /never below zero/],
  ];
  const before = optimizer.serializeState();
  for (const [bytes, message] of files) {
    assert.throws(() => optimizer.loadState(bytes), message);
    assert.deepEqual(optimizer.serializeState(), before);
  }
});

test('weights may be set: to the nearest, and slots that begin with a value have it', () => {
  const w = variable();
  const optimizer = new all.Adagrad({ initialAccumulatorValue: 0.1, stateDtype: 'bfloat16' });
  optimizer.build([w]);
  assert.equal(optimizer.getWeights()[2][17], 0.10009765625);
  optimizer.setWeights([3, 0.5, new Float32Array(size).fill(1 + 2 ** -8)]);
  assert.equal(optimizer.getWeights()[2][0], 1);
  assert.throws(() => optimizer.setWeights([3, 0.5, new Float32Array(size).fill(-1)]), /never below zero/);
});

test('what is not finite shows, and only in its block', () => {
  const w = variable();
  const optimizer = new Adam({ stateDtype: 'int8' });
  optimizer.build([w]);
  w.gradient.fill(1);
  w.gradient[300] = Number.NaN;
  optimizer.step();
  const [, , m] = optimizer.getWeights();
  assert.ok(m.slice(256, 512).every(Number.isNaN));
  assert.ok(m.slice(0, 256).every((x) => Math.abs(x - 0.1) < 1e-6) && Number.isFinite(m[512]));
});

test('plain arrays, accumulation, averages and clips step as variables do', () => {
  for (const stateDtype of ['bfloat16', 'int8']) {
    const options = {
      stateDtype,
      useEma: true,
      gradientAccumulationSteps: 2,
      globalClipnorm: 1,
      weightDecay: 0.01,
    };
    const n = 40_000;
    const w = variable('w', n);
    const array = new Float32Array(n);
    const [a, b] = [new Adam(options), new Adam(options)];
    const next = noise(3);
    for (let t = 0; t < 6; t++) {
      const g = Float32Array.from({ length: n }, next);
      a.apply([g], [w]);
      b.apply([g], [array]);
    }
    assert.deepEqual(array, w.value);
    const [x, y] = [a.getWeights(), b.getWeights()];
    assert.deepEqual(y, x);
    a.dispose();
    b.dispose();
  }
});

test('a failed call puts every bit back', () => {
  class Fails extends all.constraints.Constraint {
    apply(w) {
      if (this.fails) throw new Error('no');
      return w;
    }
  }
  const constraint = new Fails();
  const w = new Variable(size, { name: 'w', constraint });
  made.push(w);
  const optimizer = new Adam({ stateDtype: 'int8' });
  const next = noise(5);
  optimizer.build([w]);
  for (let t = 0; t < 4; t++) optimizer.apply([Float32Array.from({ length: size }, next)]);
  const before = optimizer.serializeState();
  constraint.fails = true;
  assert.throws(() => optimizer.apply([Float32Array.from({ length: size }, next)]), /no/);
  assert.deepEqual(optimizer.serializeState(), before);
});

test('it is in the config, and comes back', () => {
  assert.equal('state_dtype' in new Adam().getConfig(), false);
  assert.equal('state_dtype' in new Adam({ stateDtype: 'float32' }).getConfig(), false);
  const short = new Adam({ stateDtype: 'int8' });
  assert.equal(short.getConfig().state_dtype, 'int8');
  const long = new Adamax({ state_dtype: { dtype: 'bfloat16', min_size: 0, exclude: ['bias'] } });
  assert.deepEqual(long.getConfig().state_dtype, { dtype: 'bfloat16', min_size: 0, exclude: ['bias'] });
  const again = optimizers.deserialize(JSON.parse(JSON.stringify(optimizers.serialize(long))));
  assert.deepEqual(again.getConfig(), long.getConfig());
  assert.deepEqual(again.stateDtype, { dtype: 'bfloat16', minSize: 0, exclude: ['bias'] });
});

test('it is fixed once built', () => {
  const optimizer = new Adam();
  optimizer.stateDtype = 'int8';
  train(optimizer, variable(), 1);
  const before = optimizer.serializeState();
  assert.throws(() => {
    optimizer.stateDtype = 'float32';
  }, /set it before the optimizer is built/);
  assert.deepEqual(optimizer.serializeState(), before);
});

test('what it cannot be is said', () => {
  const refused = [
    ['int4', RangeError, /'float32', 'bfloat16' or 'int8', got "int4"/],
    [8, TypeError, /got number 8/],
    [null, TypeError, /got null/],
    [{ dtype: 'int8', minsize: 1 }, TypeError, /unknown option 'minsize'.*Did you mean 'minSize'/],
    [{ dtype: 'int8', minSize: -1 }, RangeError, /minSize must be a finite number from 0 on/],
    [{ dtype: 'int8', minSize: '1' }, TypeError, /minSize/],
    [{ dtype: 'int8', exclude: 'a' }, TypeError, /exclude must be an array/],
    [{ dtype: 'int8', exclude: ['('] }, RangeError, /no regular expression/],
  ];
  for (const [stateDtype, type, message] of refused)
    assert.throws(
      () => new Adam({ stateDtype }),
      (e) => e instanceof type && message.test(e.message),
      `${stateDtype}`,
    );
  for (const name of ['Adafactor', 'Muon'])
    assert.throws(() => new classes[name]({ stateDtype: 'bfloat16' }), /reads whole variables/);
  assert.throws(() => new Adamax({ stateDtype: 'int8', legacySparse: true }), /legacySparse/);
  assert.throws(() => new LossScaleOptimizer(new Adam(), { stateDtype: 'int8' }), /inner/);
  assert.throws(() => jaxOptimizer(new Adam({ stateDtype: 'int8' })), /'int8', and .* arrays of jax-js/);
  const within = new LossScaleOptimizer(new Adam({ stateDtype: 'int8' }), { initialScale: 8 });
  train(within, variable(), 2);
  const several = new MultiOptimizer(() => new Adam({ stateDtype: 'int8' }));
  const w = variable();
  several.build([w]);
  several.apply([new Float32Array(size).fill(1)]);
  const tensors = Object.values(headerOf(several.serializeState()));
  assert.equal(tensors.filter(({ dtype: of }) => of === 'U8').length, 2);
});

test('everything is given back', () => {
  for (const v of made) v.dispose();
});
