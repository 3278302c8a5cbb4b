// Bad input. Each call must be refused with the right class of error and a message that names the argument and
// what came; and it must leave the optimizer and the variables as they were, bit for bit.
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import {
  Adam,
  init,
  Lamb,
  LossScaleOptimizer,
  optimizers,
  SparseGradient,
  schedules,
  Variable,
} from '../../dist/index.js';
import { assertRefused, assertSameBits, assertSameSnapshot, randomFloats, snapshot } from './helpers.mjs';

before(() => init());

const OPTIONS = {
  learningRate: 0.01,
  weightDecay: 0.1,
  useEma: true,
  gradientAccumulationSteps: 2,
  clipnorm: 1,
};

/** An optimizer that has made three of its steps on a resident and a plain variable. */
function trained(wrap = (optimizer) => optimizer) {
  const variables = [
    new Variable(randomFloats(6, 1), { path: 'dense/kernel', shape: [2, 3] }),
    randomFloats(3, 2),
  ];
  const optimizer = wrap(new Adam(OPTIONS));
  for (let k = 0; k < 3; k++) optimizer.apply([randomFloats(6, 10 + k), randomFloats(3, 20 + k)], variables);
  return { optimizer, variables };
}

const good = () => [randomFloats(6, 30), randomFloats(3, 31)];
const sparse = (indices, values) => new SparseGradient({ indices, values });

/** what: [call(optimizer, variables), class of the error, ...patterns of its message] */
const refusals = {
  'a gradient that is too short': [
    (o, v) => o.apply([randomFloats(5, 1), good()[1]], v),
    RangeError,
    /dense\/kernel/,
    /5/,
    /6/,
  ],
  'a gradient that is too long, behind a good one': [
    (o, v) => o.apply([good()[0], randomFloats(4, 1)], v),
    RangeError,
    /4/,
    /3/,
  ],
  'a gradient of length 1 (nothing is broadcast)': [
    (o, v) => o.apply([randomFloats(1, 1), good()[1]], v),
    RangeError,
    /1/,
    /6/,
  ],
  'a Float64Array as gradient': [
    (o, v) => o.apply([new Float64Array(6), good()[1]], v),
    TypeError,
    /Float64Array/,
    /Float32Array/,
  ],
  'an array of numbers as gradient': [
    (o, v) => o.apply([[1, 2, 3, 4, 5, 6], good()[1]], v),
    TypeError,
    /Array/,
    /Float32Array/,
  ],
  'rows of numbers as values of a Variable': [
    () =>
      new Variable([
        [1, 2],
        [3, 4],
      ]),
    TypeError,
    /an Array of length 2 at \[0\]; give all rows as one array, and a shape\.$/,
  ],
  'a text among the values of a Variable': [() => new Variable([1, 'a']), TypeError, /"a" at \[1\]\.$/],
  'an object as gradient': [(o, v) => o.apply([{}, good()[1]], v), TypeError, /Object/, /Float32Array/],
  'a string as gradient': [(o, v) => o.apply(['gradient', good()[1]], v), TypeError, /"gradient"/],
  'a variable as gradient': [(o, v) => o.apply([v[0], good()[1]], v), TypeError, /Variable/],
  'too few gradients': [(o, v) => o.apply([good()[0]], v), RangeError, /1/, /2/],
  'too many gradients': [(o, v) => o.apply([...good(), randomFloats(3, 3)], v), RangeError, /3/, /2/],
  'too few gradients without variables': [(o) => o.apply([good()[0]]), RangeError, /1/, /2/],
  'no array of gradients': [(o, v) => o.apply(good()[0], v), TypeError, /Float32Array/],
  'nothing instead of gradients': [(o, v) => o.apply(undefined, v), TypeError, /undefined/],
  'only null gradients': [(o, v) => o.apply([null, null], v), RangeError, /gradient/i],
  'the same variable twice': [
    (o, v) => o.apply([good()[0], good()[0]], [v[0], v[0]]),
    RangeError,
    /dense\/kernel/,
  ],
  'a variable that it was not built with': [
    (o) => o.apply([randomFloats(2, 1)], [new Variable(2, { name: 'stranger' })]),
    Error,
    /stranger/,
  ],
  'an array that it was not built with, although its numbers are the same': [
    (o, v) => o.apply([good()[1]], [v[1].slice()]),
    Error,
    /variable/i,
  ],
  'another kind of variable': [(o) => o.apply([good()[0]], [new Float64Array(6)]), TypeError, /Float64Array/],
  'pairs that are no pairs': [(o) => o.applyGradients([good()[0]]), TypeError, /pair|\[gradient, variable\]/],
  'no pairs at all': [(o) => o.applyGradients([]), RangeError, /gradient|pair/],
  'sparse rows beyond the variable': [
    (o, v) => o.apply([sparse([0, 2], randomFloats(6, 1)), null], v),
    RangeError,
    /2/,
  ],
  'sparse values that do not fill their rows': [
    (o, v) => o.apply([sparse([0, 1], randomFloats(5, 1)), null], v),
    RangeError,
    /5|6/,
  ],
  'a learning rate that is text': [
    (o) => Object.assign(o, { learningRate: '0.1' }),
    TypeError,
    /learningRate/,
    /"0.1"/,
  ],
  'the class of a schedule as learning rate': [
    (o) => Object.assign(o, { learningRate: schedules.CosineDecay }),
    TypeError,
    /made with new, got the class CosineDecay/,
  ],
  'no gradient for any variable': [(o, v) => o.apply([null, null], v), RangeError, /Variable\.gradient/],
  'a learning rate that is NaN': [
    (o) => Object.assign(o, { learningRate: NaN }),
    RangeError,
    /learningRate/,
    /NaN/,
  ],
  'an option set to the wrong kind': [
    (o) => Object.assign(o, { weightDecay: '0.1' }),
    TypeError,
    /weightDecay/,
  ],
  'a state of another count': [(o) => o.setWeights(o.getWeights().slice(1)), RangeError, /\d/],
  'a state of another shape': [
    (o) =>
      o.setWeights(o.getWeights().map((w) => (typeof w === 'number' ? w : new Float32Array(w.length + 1)))),
    RangeError,
    /\d/,
  ],
  'a state whose learning rate is NaN, behind a good iteration': [
    (o) => {
      const rate = o.variables.findIndex(({ path }) => path === 'adam/learning_rate');
      const weights = o.getWeights().map((w) => (typeof w === 'number' ? 7 : w.map((x) => x + 1)));
      o.setWeights(weights.with(rate, Number.NaN));
    },
    RangeError,
    /learning_rate/,
    /NaN/,
  ],
  'a state that is no state': [(o) => o.setWeights('weights'), TypeError, /"weights"/],
  'a store of another count': [(o) => o.loadOwnVariables({ 0: 1, 1: 0.1 }), RangeError, /2/],
  'bytes that are no state': [(o) => o.loadState(new Uint8Array(100)), RangeError, /safetensors|state/i],
  'half of its own state': [
    (o) => o.loadState(o.serializeState().subarray(0, o.serializeState().length >> 1)),
    RangeError,
    /safetensors|state|bytes/i,
  ],
  'text instead of bytes': [(o) => o.loadState('state'), TypeError, /"state"/],
  'more variables to finalize than it has': [
    (o, v) => o.finalizeVariableValues([...v, new Float32Array(2)]),
    RangeError,
    /3/,
    /2/,
  ],
  'a sparse gradient for the bare rule': [
    (o, v) => o.updateStep(sparse([0], [1, 2, 3]), v[0], 0.1),
    TypeError,
    /updateStep/,
    /SparseGradient/,
  ],
  'a step by own gradients, which an array has none of': [(o) => o.step(), Error, /step\(\)/, /variable/],
  'a build with no list': [(o) => o.build('dense/kernel'), TypeError, /build/, /"dense\/kernel"/],
  'a state variable without a name': [
    (o) => o.addVariable({ shape: [1], name: '' }),
    TypeError,
    /name/,
    /""/,
  ],
  'a state variable of another type': [
    (o) => o.addVariable({ shape: [1], dtype: 'int8' }),
    RangeError,
    /dtype/,
    /"int8"/,
  ],
  'a state variable that starts as nobody knows what': [
    (o) => o.addVariable({ shape: [1], initializer: 'random' }),
    RangeError,
    /initializer/,
    /"random"/,
  ],
  'an exclusion after build': [(o) => o.excludeFromWeightDecay({ varNames: ['kernel'] }), Error, /build/],
};

describe('a call that is refused changes nothing:', () => {
  for (const [what, [call, Type, ...patterns]] of Object.entries(refusals)) {
    test(what, () => {
      const { optimizer, variables } = trained();
      const before = snapshot(optimizer, variables);
      assertRefused(() => call(optimizer, variables), Type, ...patterns);
      assertSameSnapshot(snapshot(optimizer, variables), before);
    });
  }
});

describe('inside a LossScaleOptimizer, a call that is refused changes nothing:', () => {
  for (const [what, [call, Type, ...patterns]] of Object.entries(refusals)) {
    if (/option set|exclusion/.test(what)) continue; // options are the inner optimizer's
    test(what, () => {
      const { optimizer, variables } = trained((inner) => new LossScaleOptimizer(inner));
      const before = snapshot(optimizer, variables);
      assertRefused(() => call(optimizer, variables), Type, ...patterns);
      assertSameSnapshot(snapshot(optimizer, variables), before);
    });
  }
});

test('updateStep of a rule that sums over the variable: an array of more than a tile is refused, a Variable taken', () => {
  const size = 20_000;
  const [array, variable] = [new Float32Array(size), new Variable(size, { name: 'long' })];
  const optimizer = new Lamb();
  optimizer.build([array, variable]);
  const before = snapshot(optimizer, [array, variable]);
  assertRefused(() => optimizer.updateStep(randomFloats(size, 1), array, 0.1), Error, /all 20000 elements/);
  assertSameSnapshot(snapshot(optimizer, [array, variable]), before);
  variable.gradient.set(randomFloats(size, 1));
  optimizer.updateStep(variable.gradient, variable, 0.1);
  assert.ok(variable.value.every((x, k) => Math.sign(x) === -Math.sign(variable.gradient[k])));
});

test('an exclusion by a variable that has no path yet is saved once it has one', () => {
  const array = new Float32Array(2);
  const optimizer = new Adam({ weightDecay: 0.1 });
  optimizer.excludeFromWeightDecay({ varList: [array] });
  assertRefused(() => optimizers.serialize(optimizer), Error, /excludeFromWeightDecay/, /build first/);
  optimizer.build([array]);
  const { exclude_from_weight_decay: saved } = optimizers.serialize(optimizer).simdescent;
  assert.deepEqual(saved, { var_paths: ['variable'] });
});

test('an option that needs state of its own cannot be switched on after build', () => {
  for (const [option, value] of [
    ['useEma', true],
    ['gradientAccumulationSteps', 2],
    ['amsgrad', true],
  ]) {
    const variables = [new Variable([1, 2, 3])];
    const optimizer = new Adam();
    optimizer.apply([randomFloats(3, 1)], variables);
    assertRefused(
      () => Object.assign(optimizer, { [option]: value }),
      Error,
      new RegExp(option),
      /build|built/,
    );
    optimizer.apply([randomFloats(3, 2)], variables);
    assert.equal(optimizer.iterations, 2);
  }
});

test('a learning rate that throws, or gives no number, leaves everything as it was', () => {
  const rates = [() => 0.1, () => 'fast', () => Number.NaN];
  for (const bad of rates.slice(1)) {
    let rate = rates[0];
    const variables = [new Variable([1, 2])];
    const optimizer = new Adam({ learningRate: (iteration) => rate(iteration) });
    optimizer.apply([randomFloats(2, 1)], variables);
    const before = snapshot(optimizer, variables);
    rate = bad;
    try {
      assertRefused(
        () => optimizer.apply([randomFloats(2, 1)], variables),
        bad() ? TypeError : RangeError,
        /learningRate/,
      );
    } finally {
      rate = rates[0];
    }
    assertSameSnapshot(snapshot(optimizer, variables), before);
  }
});

test('variables whose memory overlaps are refused', () => {
  const whole = randomFloats(10, 1);
  const overlapping = [whole.subarray(0, 6), whole.subarray(5)];
  const before = whole.slice();
  const optimizer = new Adam();
  assertRefused(() => optimizer.build(overlapping), RangeError, /overlap/);
  assertSameBits(whole, before);
  assert.equal(optimizer.built, false);
  const v = new Variable(4, { name: 'v' });
  assertRefused(() => new Adam().build([v, v.value]), RangeError, /variables\[1\]/, /engine's memory/);
  assertRefused(() => new Adam().build([whole, whole]), RangeError, /twice/);
});

test('two variables of one path are refused', () => {
  const variables = [new Variable(1, { path: 'a/b' }), new Variable(1, { path: 'a/b' })];
  assertRefused(() => new Adam().build(variables), RangeError, /a\/b/);
});

test('what needs a built optimizer says so', () => {
  const unbuilt = new Adam();
  assertRefused(() => unbuilt.apply([randomFloats(1, 1)]), Error, /build/);
  assertRefused(() => unbuilt.setWeights([]), Error, /build/);
  assertRefused(() => unbuilt.statelessApply([], [], []), Error, /built|build/);
  assertRefused(() => unbuilt.loadState(new Uint8Array(8)), Error, /build/);
});

test('a disposed optimizer refuses everything, and says that it is disposed', () => {
  const { optimizer, variables } = trained();
  optimizer.dispose();
  const calls = [
    () => optimizer.apply(good(), variables),
    () => optimizer.applyGradients(good().map((g, i) => [g, variables[i]])),
    () => optimizer.step(),
    () => optimizer.getWeights(),
    () => optimizer.serializeState(),
    () => optimizer.variables,
  ];
  for (const call of calls) assertRefused(call, Error, /disposed/);
});

test('a variable that was disposed while built is named by the next step, which changes nothing', () => {
  const { optimizer, variables } = trained();
  const plain = variables[1].slice();
  variables[0].dispose();
  assertRefused(() => optimizer.apply(good(), variables), Error, /dense\/kernel/, /disposed/);
  assertSameBits(variables[1], plain);
});
