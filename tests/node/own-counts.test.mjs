// compat: 'torch' counts the updates of each variable, as PyTorch does: one without a gradient stays where it is. What
// a step must give is what an optimizer for each variable gives that is called when there is a gradient, bit for bit.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import {
  Adagrad,
  Adam,
  AdamW,
  init,
  LossScaleOptimizer,
  MultiOptimizer,
  Nadam,
  OptimizerMap,
  SGD,
  Variable,
} from '../../dist/index.js';
import { openTorch, saveTorch } from '../../dist/torch.js';
import { every } from './every.mjs';
import {
  assertSameBits,
  assertSameSnapshot,
  generator,
  randomFloats,
  snapshot,
  valuesOf,
  warningsOf,
} from './helpers.mjs';

before(() => init());

const sizes = [5, 20_001, 64];
/** Which of three variables has a gradient at step t: all, then each goes without now and then; the last begins late. */
const has = (t, k) => [t !== 2 && t !== 5, t !== 3, t > 1 && t !== 5][k];
const gradientsAt = (t) => sizes.map((n, k) => (has(t, k) ? randomFloats(n, 10 * t + k) : null));
const initial = (k) => randomFloats(sizes[k], k + 90);
const variable = (k) => new Variable(initial(k), { path: `v${k}` });
const steps = [0, 1, 2, 3, 4, 5, 6, 7];

function train(optimizer, variables, from = 0, to = steps.length) {
  for (const t of steps.slice(from, to)) optimizer.apply(gradientsAt(t), variables);
  return optimizer;
}

const ofTorch = every.filter(({ Class, options }) => options.compat === 'torch' || Class.name === 'RAdam');
ofTorch.push({ name: 'AdamW', Class: AdamW, options: { compat: 'torch', weightDecay: 0.1, amsgrad: true } });

for (const { name, Class, options } of ofTorch)
  test(`${name}: as an optimizer for each variable`, () => {
    const alone = sizes.map((_, k) => {
      const [one, optimizer] = [variable(k), new Class(options)];
      for (const t of steps) if (has(t, k)) optimizer.apply([gradientsAt(t)[k]], [one]);
      return one.value.slice();
    });
    const mixed = [variable(0), initial(1), variable(2)];
    for (const variables of [sizes.map((_, k) => variable(k)), sizes.map((_, k) => initial(k)), mixed]) {
      const optimizer = train(new Class(options), variables);
      variables.forEach((one, k) => {
        assertSameBits(valuesOf(one), alone[k], `variable ${k}`);
      });
      assert.equal(optimizer.iterations, steps.length);
    }
  });

test('with accumulation an update counts for those that have a gradient at its last call', () => {
  const options = { compat: 'torch', gradientAccumulationSteps: 2 };
  const [both, alone] = [
    [variable(0), variable(2)],
    [variable(0), variable(2)],
  ];
  const [one, first, last] = [new Adam(options), new Adam(options), new Adam(options)];
  one.build(both);
  for (let t = 0; t < 6; t++) {
    const [g, , h] = [0, 1, 2].map((k) => randomFloats(sizes[k], 10 * t + k));
    one.apply([g, t > 1 ? h : null]);
    first.apply([g], [alone[0]]);
    if (t > 1) last.apply([h], [alone[1]]);
  }
  both.forEach(({ value }, k) => {
    assertSameBits(value, alone[k].value, `variable ${k}`);
  });
});

const make = () => new Nadam({ compat: 'torch', learningRate: 0.01 });
const trained = (to) => {
  const variables = sizes.map((_, k) => variable(k));
  return { variables, optimizer: train(make(), variables, 0, to) };
};
const copiesOf = (variables) => variables.map(({ value, path }) => new Variable(value, { path }));

test('the counts are state only where they differ: listed, saved, loaded and set', () => {
  const even = make();
  even.build(sizes.map((_, k) => variable(k)));
  const common = even.variables.length;
  const { variables, optimizer } = trained(6);
  const paths = optimizer.variables.slice(common).map(({ path, value }) => [path, value]);
  assert.deepEqual(
    paths.filter(([path]) => path.endsWith('_step')),
    [
      ['nadam/v0_step', 4],
      ['nadam/v1_step', 5],
      ['nadam/v2_step', 3],
    ],
  );
  assert.equal(paths.length, 6); // and the product of each
  for (const pass of [
    (to) => to.loadState(optimizer.serializeState()),
    (to) => to.setWeights(optimizer.getWeights()),
  ]) {
    const [copies, again] = [copiesOf(variables), make()];
    again.build(copies);
    pass(again);
    assertSameSnapshot(snapshot(again, copies), snapshot(optimizer, variables));
    const reference = trained(steps.length);
    train(again, copies, 6);
    copies.forEach(({ value }, k) => {
      assertSameBits(value, reference.variables[k].value, `variable ${k}`);
    });
  }
  const empty = even.serializeState();
  optimizer.loadState(empty); // one in which all are even
  assert.equal(optimizer.variables.length, common);
  assert.deepEqual(optimizer.serializeState(), empty);
});

test('to set the count of calls, or to leave compat, makes the counts the same again', () => {
  const { optimizer } = trained(6);
  optimizer.iterations = 6;
  const all = optimizer.variables.filter(({ path }) => path.endsWith('_step'));
  assert.deepEqual(all, []);
});

test('updateStep is of the variable’s own count', () => {
  const { variables, optimizer } = trained(6);
  const reference = trained(6);
  const g = randomFloats(sizes[2], 3);
  optimizer.updateStep(g, variables[2], 0.01);
  reference.optimizer.apply([null, null, g]);
  assertSameBits(variables[2].value, reference.variables[2].value);
});

test('a step that a constraint of the user’s own breaks off has counted nothing', () => {
  let fails = false;
  const constraint = (value) => {
    if (fails) throw new Error('no');
    return value;
  };
  const variables = [variable(0), new Variable(initial(2), { path: 'v2', constraint })];
  const optimizer = make();
  const apply = (t) => optimizer.apply([gradientsAt(t)[0], randomFloats(sizes[2], t)], variables);
  for (let t = 0; t < 4; t++) apply(t); // at 2 the first goes without
  const earlier = snapshot(optimizer, variables);
  fails = true;
  assert.throws(() => apply(4), /no/);
  assertSameSnapshot(snapshot(optimizer, variables), earlier);
});

test('within a MultiOptimizer each optimizer counts for its own', () => {
  const inner = () => new OptimizerMap(new Adam({ compat: 'torch' }), { v2: make() }); // each gets a gradient at every call
  const [variables, optimizer] = [sizes.map((_, k) => variable(k)), new MultiOptimizer(inner())];
  train(optimizer, variables, 2, 5);
  assert.equal(optimizer.variables.filter(({ path }) => path.endsWith('_step')).length, 2);
  const [copies, again] = [copiesOf(variables), new MultiOptimizer(inner())];
  again.build(copies);
  again.loadState(optimizer.serializeState());
  for (const [one, its] of [
    [optimizer, variables],
    [again, copies],
  ])
    train(one, its, 6);
  assertSameSnapshot(snapshot(again, copies), snapshot(optimizer, variables));
});

test('within a MultiOptimizer an optimizer none of whose gradients are there is passed over: undefined is none, too', () => {
  const [nulls, undefineds] = [null, undefined].map((none) => {
    const [optimizer, variables] = [
      new MultiOptimizer(new OptimizerMap(new Adam({ compat: 'torch' }), { v2: make() })),
      sizes.map((_, k) => variable(k)),
    ];
    for (const t of steps)
      optimizer.apply(
        gradientsAt(t).map((g) => g ?? none),
        variables,
      );
    return snapshot(optimizer, variables);
  });
  assertSameSnapshot(undefineds, nulls);
});

test('drawn sequences: state that is read, carried elsewhere and taken back leaves every count as it is', () => {
  const carried = {
    bytes: (to, from) => to.loadState(from.serializeState()),
    weights: (to, from) => to.setWeights(from.getWeights()),
  };
  for (let seed = 0; seed < 120; seed++) {
    const next = generator(seed);
    const one = (...list) => list[Math.floor(next() * list.length)];
    const kinds = [one(...ofTorch), one(...ofTorch)];
    const options = { gradientAccumulationSteps: one(null, 2, 3) };
    const [several, scaled] = [one(false, true), one(false, true)];
    let broken = false;
    const constraint = (values) => {
      if (broken) throw new Error('broken');
      return values;
    };
    const create = () => {
      const [first, second] = kinds.map(({ Class, options: own }) => new Class({ ...own, ...options }));
      const inner = several ? new MultiOptimizer(new OptimizerMap(first, { 'v[13]': second })) : first;
      return scaled ? new LossScaleOptimizer(inner, { initialScale: 4 }) : inner;
    };
    const built = (values) => {
      const variables = values.map((value, k) => new Variable(value, { path: `v${k}`, constraint }));
      const optimizer = create();
      optimizer.build(variables);
      return { optimizer, variables };
    };
    const lengths = [3, 5, 2, 4];
    const values = lengths.map((n, k) => randomFloats(n, k));
    const reference = built(values);
    let { optimizer, variables } = built(values);
    for (let t = 0; t < 8; t++) {
      const grads = lengths.map((n, k) => (next() < 0.3 ? null : randomFloats(n, 10 * t + k)));
      if (grads.every((g) => g === null)) continue;
      const what = one('bytes', 'weights', 'stateless', 'broken', 'nothing');
      const earlier = snapshot(optimizer, variables);
      if (what === 'stateless')
        optimizer.statelessApply(
          optimizer.getWeights(),
          grads,
          variables.map(({ value }) => value),
        );
      if (what === 'broken') {
        broken = true;
        assert.throws(() => optimizer.apply(grads), /broken/);
        broken = false;
      }
      if (carried[what]) {
        const from = { optimizer, variables };
        ({ optimizer, variables } = built(variables.map(({ value }) => value.slice())));
        carried[what](optimizer, from.optimizer);
        from.optimizer.dispose();
      }
      assertSameSnapshot(snapshot(optimizer, variables), { ...earlier, report: null });
      for (const each of [reference.optimizer, optimizer]) each.apply(grads);
      assertSameSnapshot(snapshot(optimizer, variables), snapshot(reference.optimizer, reference.variables));
    }
    reference.optimizer.dispose();
    optimizer.dispose();
  }
});

test('a missing gradient is no mistake in PyTorch: nothing is said of it', () => {
  const silent = new Variable(3, { path: 'silent' }); // of no other test: what was said once is not said again
  const warn = (compat) =>
    warningsOf(() => new SGD({ compat }).apply([null, new Float32Array(5)], [silent, variable(0)]));
  assert.deepEqual(warn('torch'), []);
  assert.match(warn('keras').join(), /'silent'/);
});

test('saveTorch and openTorch keep the step of each parameter, and what has none has no state, but in Adagrad', () => {
  for (const { name, Class, options: own } of ofTorch) {
    const options = {
      ...own,
      learningRate: 0.01,
      ...(Class === SGD && { momentum: 0.9, dampening: own.nesterov ? 0 : 0.5 }),
      ...(Class === Adagrad && { initialAccumulatorValue: 0.5 }),
    };
    const variables = sizes.map((_, k) => variable(k));
    const optimizer = new Class(options);
    train(optimizer, variables, 0, 2); // the last has had no gradient yet
    const saved = saveTorch(optimizer, variables);
    const isThere = Buffer.from(saved).includes('"state.2.'); // torch's Adagrad makes its state beforehand
    assert.equal(isThere, Class === Adagrad, name);
    const [copies, others] = [copiesOf(variables), copiesOf(variables)];
    const again = openTorch(saved, copies);
    if (Class !== SGD) assert.deepEqual(again.getWeights(), optimizer.getWeights(), name); // it counts nothing there
    const without = isThere ? Buffer.from(withoutState(saved, 2)) : saved; // as files of before have it
    const late = openTorch(without, others);
    for (const [one, its] of [
      [optimizer, variables],
      [again, copies],
      [late, others],
    ])
      train(one, its, 2);
    for (const its of [copies, others])
      its.forEach(({ value }, k) => {
        assertSameBits(value, variables[k].value, `${name}, variable ${k}`);
      });
  }
});

test('groups of different rates come back with these rates, to the bit in float32', () => {
  const rates = [1, 2, 3, 5, 7, 9].flatMap((m) => [-1, -2, -3, -4].map((e) => Number(`${m}e${e}`)));
  const variables = [variable(0), variable(1)];
  const again = variables.map(({ path }, k) => new Variable(sizes[k], { path }));
  for (const first of rates)
    for (const second of rates.slice(0, 8)) {
      const of = (learningRate) => new Adam({ compat: 'torch', learningRate });
      const optimizer = new MultiOptimizer(new OptimizerMap(of(second), { v0: of(first) }));
      optimizer.build(variables);
      const saved = saveTorch(optimizer, variables);
      const opened = openTorch(saved, again, { name: 'Adam' });
      const [one, other] = [0, 1].map((k) =>
        Math.fround((opened.groups?.[k].rateFactor ?? 1) * opened.learningRate),
      );
      assert.deepEqual([one, other], [Math.fround(first), Math.fround(second)], `${first}, ${second}`);
      for (const each of [optimizer, opened]) each.dispose();
    }
});

/** A file of safetensors whose last tensors, those of this parameter, are cut off. */
function withoutState(bytes, index) {
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  const header = JSON.parse(Buffer.from(bytes.subarray(8, 8 + length)));
  const gone = Object.keys(header).filter((name) => name.startsWith(`state.${index}.`));
  const end = Math.min(...gone.map((name) => header[name].data_offsets[0]));
  for (const name of gone) delete header[name];
  const text = Buffer.from(JSON.stringify(header).padEnd(length));
  return Buffer.concat([bytes.subarray(0, 8), text, bytes.subarray(8 + length, 8 + length + end)]);
}
