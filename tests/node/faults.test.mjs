// Memory that is refused in the middle of a call: growth of the engine's memory fails, as where the machine has no more,
// and the room that is left is varied until every allocation of every call was the one that did not fit. What was
// refused has changed nothing and kept nothing, and the same call works once there is room.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import * as sd from '../../dist/index.js';
import { assertSameSnapshot, randomFloats, snapshot } from './helpers.mjs';

const gapSize = 1 << 20; // floats, of which a call may have a part
let refusing = false;
const filling = [];
let gap;

function attempt(call) {
  try {
    return { value: call() };
  } catch (error) {
    assert.equal(error.constructor, RangeError, error.stack);
    assert.match(error.message, /^No memory for .* Nothing was changed\.$/s);
    return { error };
  }
}

before(async () => {
  await sd.init();
  const { grow } = WebAssembly.Memory.prototype;
  WebAssembly.Memory.prototype.grow = function (...args) {
    if (refusing) throw new RangeError('refused by the test');
    return grow.apply(this, args);
  };
});

/** From now on there is the gap, and nothing else but what the engine keeps for small things. */
function fill() {
  gap = new sd.Variable(gapSize);
  refusing = true;
  for (let size = 1 << 22; size >= 1; size >>= 1)
    for (let made; ; filling.push(made)) {
      made = attempt(() => new sd.Variable(size)).value;
      if (!made) break;
    }
}

function empty() {
  refusing = false;
  for (const variable of [gap, ...filling.splice(0)]) variable.dispose();
}

/** Calls with so many floats of room. */
function within(floats, call) {
  gap.dispose();
  const plug = new sd.Variable(gapSize - floats);
  try {
    return call();
  } finally {
    plug.dispose();
    gap = new sd.Variable(gapSize); // an error if anything was kept
  }
}

const sizes = [40_000, 3, 0, 9_000];
const matrices = [[200, 200], [3], [30, 300]];
const variablesOf = (shapes) =>
  shapes.map((shape, k) => {
    const size = [shape].flat().reduce((a, b) => a * b, 1);
    return new sd.Variable(randomFloats(size, k), { shape: [shape].flat(), path: `v${k}` });
  });
const gradientsOf = (variables) => variables.map(({ size }, k) => randomFloats(size, 100 + k));

const all = { useEma: true, gradientAccumulationSteps: 2, globalClipnorm: 1, weightDecay: 0.01 };
const optimizers = {
  SGD: () => new sd.SGD({ momentum: 0.9 }),
  Adam: () => new sd.Adam({ ...all, amsgrad: true }),
  Lamb: () => new sd.Lamb(all),
  Adafactor: () => new sd.Adafactor(),
  Muon: () => new sd.Muon({ useEma: true }),
  LossScaleOptimizer: () => new sd.LossScaleOptimizer(new sd.Adamax({ useEma: true })),
  MultiOptimizer: () =>
    new sd.MultiOptimizer(new sd.OptimizerMap(new sd.Adam(all), { v0: new sd.Lion(), v3: new sd.SGD() })),
};

/** Each: what there is before, the call, and how what it made is given back. */
const calls = {
  'new Variable': () => ({ call: () => new sd.Variable(50_000), undo: (made) => made.dispose() }),
  gradient: () => {
    const [v] = variablesOf([50_000]);
    return { variables: [v], call: () => v.gradient };
  },
  addVariable: () => {
    const optimizer = new sd.Adam();
    return { optimizer, call: () => optimizer.addVariable({ shape: [50_000] }) };
  },
};
calls['build of 3,000 variables'] = () => {
  const variables = variablesOf(Array(3000).fill(5));
  const optimizer = new sd.Adam(all);
  return { variables, optimizer, call: () => optimizer.build(variables) };
};
for (const [name, make] of Object.entries(optimizers)) {
  const prepared = (use) => () => {
    const variables = variablesOf(name === 'Muon' ? matrices : sizes);
    const optimizer = make();
    return { variables, optimizer, call: use(optimizer, variables, gradientsOf(variables)) };
  };
  const built = (use) =>
    prepared((optimizer, variables, grads) => {
      optimizer.apply(grads, variables);
      optimizer.apply(grads);
      return use(optimizer, variables, grads);
    });
  calls[`${name}: build`] = prepared((o, variables) => () => o.build(variables));
  calls[`${name}: the first apply`] = prepared((o, variables, grads) => () => o.apply(grads, variables));
  calls[`${name}: apply`] = built((o, _, grads) => () => o.apply(grads));
  calls[`${name}: step`] = built((o, variables, grads) => {
    for (const [k, v] of variables.entries()) v.gradient.set(grads[k]);
    return () => o.step();
  });
  calls[`${name}: statelessApply`] = built((o, variables, grads) => {
    const values = variables.map(({ value }) => value.slice());
    const state = o.getWeights();
    return () => void o.statelessApply(state, grads, values);
  });
  calls[`${name}: state out and in`] = built((o) => () => {
    o.loadState(o.serializeState());
    o.setWeights(o.getWeights());
  });
}

let refused = 0;
for (const [name, prepare] of Object.entries(calls))
  test(`${name}: refused at each allocation, then made`, () => {
    const { variables = [], optimizer, call, undo = () => {} } = prepare();
    fill();
    const seen = () => optimizer && snapshot(optimizer, variables);
    const before = seen();
    let done = false;
    for (let floats = 0; !done && floats < gapSize; floats += 2_500) {
      const { error } = within(floats, () => {
        const found = attempt(call);
        if (!found.error) {
          undo(found.value);
          optimizer?.dispose();
          for (const v of variables) v.dispose();
        }
        return found;
      });
      done = !error;
      if (error) refused++;
      if (error && before) assertSameSnapshot(seen(), before);
    }
    empty();
    assert.ok(done, 'there was never enough room');
  });

test('and something was refused', (t) => {
  t.diagnostic(`${refused} refusals`);
  assert.ok(refused > 100, `${refused}`);
});
