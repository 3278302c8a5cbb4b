// simdescent/torch against real state_dict()s of torch.optim: their optimizers go on as torch's did, and what is
// no such file, or cannot go on here, is refused.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import {
  Adam,
  AdamMultilr,
  AdamW,
  init,
  MultiOptimizer,
  Muon,
  OptimizerMap,
  optimizers,
  RMSprop,
  SGD,
  Variable,
} from '../../dist/index.js';
import { openTorch, saveTorch } from '../../dist/torch.js';
import { within } from './conformance/compare.mjs';
import {
  assertRefused,
  assertSameBits,
  assertSameSnapshot,
  randomFloats,
  root,
  runModule,
  snapshot,
} from './helpers.mjs';

before(() => init());

const folder = join(root, 'tests/vectors/torch-files');
const { cases } = JSON.parse(readFileSync(join(folder, 'index.json'), 'utf8'));
const read = (file) => new Uint8Array(readFileSync(join(folder, file)));
const recordedOf = (file) => cases.find((recorded) => recorded.file === file);
const tolerance = 1e-6;

const variablesOf = (recorded) =>
  recorded.variables.map(({ values, shape }, k) => new Variable(values, { path: `p${k}`, shape }));
const gradientsOf = (step) => step.grads.map((grad) => grad && Float32Array.from(grad));
const ignoring = (work) => {
  const { warn } = console;
  console.warn = () => {};
  try {
    return work();
  } finally {
    console.warn = warn;
  }
};

/** The file with another header, made from its own. */
function withHeader(bytes, change) {
  const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
  const text = new TextEncoder().encode(JSON.stringify(change(header) ?? header));
  const out = new Uint8Array(8 + text.length + bytes.length - 8 - length);
  new DataView(out.buffer).setBigUint64(0, BigInt(text.length), true);
  out.set(text, 8);
  out.set(bytes.subarray(8 + length), 8 + text.length);
  return out;
}

const withGroups = (bytes, change) =>
  withHeader(bytes, (header) => {
    const groups = JSON.parse(header.__metadata__.param_groups);
    header.__metadata__.param_groups = JSON.stringify(change(groups) ?? groups);
  });

for (const recorded of cases.filter(({ refused }) => !refused)) {
  test(`${recorded.file}: goes on as in torch`, () => {
    const variables = variablesOf(recorded);
    const optimizer = ignoring(() => openTorch(read(recorded.file), variables));
    assert.equal(`torch.optim.${optimizer.constructor.className}`, recorded.optimizer);
    assert.equal(optimizer.getConfig().compat, 'torch');
    assert.equal(optimizer.iterations, /SGD/.test(recorded.optimizer) ? 1 : 5); // torch's SGD does not count
    variables.forEach(({ value }, k) => {
      assertSameBits(value, Float32Array.from(recorded.variables[k].values), 'untouched');
    });
    for (const [k, step] of recorded.steps.entries()) {
      optimizer.apply(gradientsOf(step));
      variables.forEach((variable, i) => {
        const expected = Float32Array.from(recorded.variables_after_step[k][i]);
        assert.equal(within(variable.value, expected, tolerance), null, `step ${k}, ${variable.path}`);
      });
    }
  });

  test(`${recorded.file}: plain arrays, and our own state format afterwards`, () => {
    const arrays = recorded.variables.map(({ values }) => Float32Array.from(values));
    const variables = variablesOf(recorded);
    const plain = openTorch(read(recorded.file).buffer, arrays);
    const first = openTorch(read(recorded.file), variables);
    const [one, two] = recorded.steps.map(gradientsOf);
    plain.apply(one);
    first.apply(one);
    const second = first.constructor.fromConfig(first.getConfig());
    const copies = variables.map(({ value, path, shape }) => new Variable(value, { path, shape }));
    second.build(copies);
    second.loadState(first.serializeState());
    plain.apply(two);
    second.apply(two);
    copies.forEach(({ value }, k) => {
      assertSameBits(value, arrays[k]);
    });
  });
}

test('parameter groups with equal options are one; their parameters come in the order of the groups', () => {
  const recorded = recordedOf('adam.safetensors');
  const split = withGroups(read('adam.safetensors'), ([group]) => [
    { ...group, params: [1] },
    { ...group, params: [0] },
  ]);
  const [a, b] = variablesOf(recorded);
  const optimizer = openTorch(split, [b, a]);
  const [first] = recorded.steps.map(gradientsOf);
  optimizer.apply([first[1], first[0]]);
  [a, b].forEach(({ value }, k) => {
    assert.equal(within(value, recorded.variables_after_step[0][k], tolerance), null);
  });
});

test('a state_dict before the first step begins anew', () => {
  const fresh = withHeader(read('adam.safetensors'), ({ __metadata__ }) => ({ __metadata__ }));
  const variables = variablesOf(recordedOf('adam.safetensors'));
  const optimizer = openTorch(fresh, variables);
  const twins = variablesOf(recordedOf('adam.safetensors'));
  const twin = new Adam({ learningRate: 0.01, epsilon: 1e-8, compat: 'torch' });
  twin.build(twins);
  const gradients = gradientsOf(recordedOf('adam.safetensors').steps[0]);
  optimizer.apply(gradients);
  twin.apply(gradients);
  variables.forEach(({ value }, k) => {
    assertSameBits(value, twins[k].value);
  });
});

test('bytes and options that cannot go on here are refused', () => {
  const adam = read('adam.safetensors');
  const variables = variablesOf(recordedOf('adam.safetensors'));
  const open =
    (bytes, given = variables) =>
    () =>
      openTorch(bytes, given);
  const group = (change) => open(withGroups(adam, ([only]) => [{ ...only, ...change }]));
  assertRefused(open('state.pt'), TypeError, /Uint8Array or ArrayBuffer, got "state.pt"/);
  assertRefused(open(adam.subarray(0, 100)), RangeError, /no safetensors file/);
  assertRefused(open(adam.subarray(0, adam.length - 4)), RangeError, /no safetensors file/);
  assertRefused(
    open(withHeader(adam, (h) => ({ ...h, __metadata__: {} }))),
    RangeError,
    /param_groups.*undefined/,
  );
  assert.equal(group({ maximize: true })().maximize, true);
  assert.equal(
    openTorch(adam, variablesOf(recordedOf('adam.safetensors')), { maximize: true }).maximize,
    true,
  );
  assertRefused(
    () => openTorch(adam, variables, { maximise: true }),
    TypeError,
    /unknown option 'maximise'. Did you mean 'maximize'/,
  );
  assertRefused(
    group({ betas: undefined, momentum: 0.9 }),
    RangeError,
    /no Adam, AdamW or Adamax: .*momentum/,
  );
  assertRefused(group({ amsgrad: undefined }), RangeError, /accepted are Adam, AdamW and Adamax/);
  assertRefused(
    group({ amsgrad: true }),
    RangeError,
    /exp_avg, exp_avg_sq, step, and .*max_exp_avg_sq.* is expected/,
  );
  assertRefused(
    group({ weight_decay: 0.1, decoupled_weight_decay: undefined }),
    RangeError,
    /Adam or AdamW\?/,
  );
  assertRefused(group({ lr: -1, betas: [2, 3] }), RangeError, /beta1 must be a number in \[0, 1\]/);
  assertRefused(group({ params: [0] }), RangeError, /'state\.1\.step' is no state of a parameter/);
  assertRefused(group({ params: [0, 0] }), RangeError, /parameter 0 is in two groups, or twice in one/);
  assertRefused(group({ lr: 'x' }), RangeError, /lr must be a finite number in every group, got "x"/);
  assertRefused(open(adam, variables.slice(1)), RangeError, /takes the 2 .*got 1 variables/);
  assertRefused(
    open(adam, [...variables].reverse()),
    RangeError,
    /variables\[0\] has the shape \[3\], and 'state\.0'.*\[5, 3\]/,
  );
  assertRefused(open(adam, [variables[0], [1, 2, 3]]), TypeError, /variables\[1\] must be a Variable/);
});

test('states that do not belong together are refused', () => {
  const adam = read('adam.safetensors');
  const variables = variablesOf(recordedOf('adam.safetensors'));
  const open = (change) => () => openTorch(withHeader(adam, change), variables);
  const drop =
    (...names) =>
    (header) => {
      for (const name of names) delete header[name];
    };
  assertRefused(
    open(drop('state.1.step')),
    RangeError,
    /state of parameter 1 is exp_avg, exp_avg_sq, and exp_avg, exp_avg_sq, step is expected/,
  );
  const bytes = adam.slice(); // and now another step for the second parameter
  const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
  const { 'state.1.step': step } = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
  const at = 8 + length + step.data_offsets[0];
  new DataView(bytes.buffer).setFloat32(at, 6, true);
  assert.equal(openTorch(bytes, variables).iterations, 6); // each counts by itself
  new DataView(bytes.buffer).setFloat32(at, 4.5, true);
  assertRefused(
    () => openTorch(bytes, variables),
    RangeError,
    /'state\.1\.step' must be one integer from 0 to 2147483647, got 4\.5/,
  );
  const wrong = (header) => {
    header['state.0.exp_avg'].dtype = 'F16';
  };
  assertRefused(open(wrong), RangeError, /'state\.0\.exp_avg' must be F32 or I32/);
  assert.equal(
    variables.every((v) => v.value.every(Number.isFinite)),
    true,
  );
});

test('a fresh NAdam or RAdam is none that a state does not tell, unless it is named', () => {
  const { file, refused } = cases.find((recorded) => recorded.refused);
  assert.ok(refused);
  const variables = () => variablesOf(recordedOf(file));
  assertRefused(
    () => openTorch(read(file), variables()),
    RangeError,
    /no Adam, AdamW or Adamax: .*momentum_decay.*no state to tell it by/,
  );
  assert.equal(openTorch(read(file), variables(), { name: 'NAdam' }).constructor.className, 'Nadam');
  assertRefused(
    () => openTorch(read(file), variables(), { name: 'Adam' }),
    RangeError,
    /no amsgrad, and are no Adam's/,
  );
  assertRefused(
    () => openTorch(read(file), variables(), { name: 'Nadam' }),
    RangeError,
    /name must be .*got "Nadam"/,
  );
  const radam = withGroups(read(file), ([{ momentum_decay: _, ...group }]) => [group]);
  assertRefused(() => openTorch(radam, variables()), RangeError, /no state to tell it by/);
  assert.equal(openTorch(radam, variables(), { name: 'RAdam' }).constructor.className, 'RAdam');
});

/** A safetensors file of numbers in any type, by name. */
function safetensors(tensors, groups) {
  const header = { __metadata__: { param_groups: JSON.stringify(groups) } };
  const bytes = [];
  let at = 0;
  for (const [name, { shape, dtype = 'F32', data }] of Object.entries(tensors)) {
    const encoded = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    header[name] = { dtype, shape, data_offsets: [at, at + encoded.length] };
    at += encoded.length;
    bytes.push(encoded);
  }
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return new Uint8Array(Buffer.concat([length, text, ...bytes]));
}
function headerOf(bytes) {
  const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
  return JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
}
const adamwGroup = {
  lr: 5e-5,
  betas: [0.9, 0.999],
  eps: 1e-8,
  weight_decay: 0.01,
  amsgrad: false,
  maximize: false,
  decoupled_weight_decay: true,
};
const floats = (...values) => ({ shape: [values.length], data: Float32Array.from(values) });
const step = (count) => ({ shape: [], data: Float32Array.of(count) });

test('states of other types are read: bfloat16, float64, float16, a count of int64', () => {
  const bits = (...values) =>
    Uint16Array.from(new Uint32Array(Float32Array.from(values).buffer), (word) => word >>> 16);
  const file = safetensors(
    {
      'state.0.step': { shape: [], dtype: 'I64', data: BigInt64Array.of(10n) },
      'state.0.exp_avg': { shape: [3], dtype: 'BF16', data: bits(0.5, -1.5, 2 ** -126) },
      'state.0.exp_avg_sq': { shape: [3], dtype: 'F16', data: Uint16Array.of(0x3c00, 1, 0x7bff) },
      'state.1.step': { shape: [], dtype: 'F64', data: Float64Array.of(10) },
      'state.1.exp_avg': { shape: [1], dtype: 'F64', data: Float64Array.of(1 / 3) },
      'state.1.exp_avg_sq': { shape: [1], dtype: 'F64', data: Float64Array.of(1e-3) },
    },
    [{ ...adamwGroup, params: [0, 1] }],
  );
  const optimizer = openTorch(file, [new Variable(3, { path: 'a' }), new Variable(1, { path: 'b' })]);
  const [count, , m, v, n, w] = optimizer.getWeights();
  assert.equal(count, 10);
  assertSameBits(m, Float32Array.of(0.5, -1.5, 2 ** -126));
  assertSameBits(v, Float32Array.of(1, 2 ** -24, 65504));
  assertSameBits(n, Float32Array.of(1 / 3));
  assertSameBits(w, Float32Array.of(1e-3));
});

test('groups of the Hugging Face Trainer: a decay and no decay, each on its own, and rates by layer', () => {
  const state = (k) => ({
    [`state.${k}.step`]: step(10),
    [`state.${k}.exp_avg`]: floats(0.1 * (k + 1), 0.2),
    [`state.${k}.exp_avg_sq`]: floats(0.01, 0.02),
  });
  const variables = (...paths) => paths.map((path) => new Variable([1, -1], { path }));
  const groups = [
    { ...adamwGroup, params: [0] },
    { ...adamwGroup, weight_decay: 0, params: [1] },
    { ...adamwGroup, lr: 1e-3, params: [2] },
    { ...adamwGroup, weight_decay: 0.3, params: [3] },
    { ...adamwGroup, lr: 1e-2, weight_decay: 0.7, params: [4] },
  ];
  const file = safetensors(Object.assign({}, ...groups.map((_, k) => state(k))), groups);
  const together = variables('a', 'b', 'c', 'd', 'e');
  const optimizer = openTorch(file, together);
  optimizer.apply(together.map(() => Float32Array.of(0.5, 0.25)));
  for (const [k, group] of groups.entries()) {
    const alone = variables('abcde'[k]);
    const one = openTorch(safetensors(state(k), [{ ...group, params: [k] }]), alone);
    one.apply([Float32Array.of(0.5, 0.25)]);
    assertSameBits(together[k].value, alone[0].value, `group ${k}`);
  }
  assert.deepEqual(
    optimizer.groups.map(({ decays }) => decays),
    [true, false, true, true, true],
  );
  const back = JSON.parse(headerOf(saveTorch(optimizer, together)).__metadata__.param_groups);
  for (const key of ['lr', 'weight_decay', 'params'])
    assert.deepEqual(
      back.map((group) => group[key]),
      groups.map((group) => group[key]),
    );
  optimizer.learningRate = 0; // a scheduler of all groups
  const before = together.map(({ value }) => value.slice());
  optimizer.apply(together.map(() => Float32Array.of(0.5, 0.25)));
  together.forEach(({ value }, k) => {
    assertSameBits(value, before[k]);
  });
});

test('groups that differ in any option are optimizers of their own in a MultiOptimizer, each as if alone', () => {
  const nadam = { lr: 0.01, betas: [0.9, 0.999], eps: 1e-8, weight_decay: 0, momentum_decay: 0.004 };
  const adamState = (k) => ({
    [`state.${k}.step`]: step(10 - k),
    [`state.${k}.exp_avg`]: floats(0.1 * (k + 1), 0.2),
    [`state.${k}.exp_avg_sq`]: floats(0.01, 0.02),
  });
  const nadamState = (k) => ({ ...adamState(k), [`state.${k}.mu_product`]: step(0.5 / (k + 1)) });
  for (const [stateOf, groups] of [
    [
      nadamState,
      [
        nadam,
        { ...nadam, momentum_decay: 0.5 },
        { ...nadam, decoupled_weight_decay: true, weight_decay: 0.5 },
      ],
    ],
    // From torch 2.7 on one optimizer can be Adam for one group and AdamW for another.
    [
      adamState,
      [adamwGroup, { ...adamwGroup, decoupled_weight_decay: false }, { ...adamwGroup, lr: 0, eps: 1e-3 }],
    ],
  ]) {
    const file = (list) =>
      safetensors(
        Object.assign({}, ...list.map((k) => stateOf(k))),
        list.map((k) => ({ ...groups[k], params: [k] })),
      );
    // One path is also a pattern that the other matches, and one is no pattern.
    const make = (k) => new Variable([1, -1], { path: ['a.b', 'a(b', 'aXb'][k] });
    const together = groups.map((_, k) => make(k));
    const optimizer = openTorch(file([0, 1, 2]), together);
    assert.ok(optimizer instanceof MultiOptimizer);
    assert.equal(optimizer.iterations, 10);
    const g = () => Float32Array.of(0.5, 0.25);
    for (let call = 0; call < 2; call++) optimizer.apply(groups.map(g));
    for (const k of groups.keys()) {
      const alone = make(k);
      const one = openTorch(file([k]), [alone]);
      for (let call = 0; call < 2; call++) one.apply([g()]);
      assertSameBits(together[k].value, alone.value, `group ${k}`);
    }
    // In torch's format, and in our own.
    const copies = () => together.map(({ value, path }) => new Variable(value, { path }));
    const torch = copies();
    const again = openTorch(saveTorch(optimizer, together), torch);
    const own = copies();
    const loaded = MultiOptimizer.fromConfig(optimizer.getConfig());
    loaded.build(own);
    loaded.loadState(optimizer.serializeState());
    for (const each of [optimizer, again, loaded]) each.apply(groups.map(g));
    together.forEach(({ value }, k) => {
      assertSameBits(torch[k].value, value);
      assertSameBits(own[k].value, value);
    });
    const back = JSON.parse(headerOf(saveTorch(optimizer, together)).__metadata__.param_groups);
    for (const [k, group] of groups.entries())
      for (const key of Object.keys(group)) assert.deepEqual(back[k][key], group[key], key);
  }
});

test('values that no option of torch has are refused, and never taken for a default', () => {
  const sgd = { lr: 0.1, weight_decay: 0, momentum: 0.9, dampening: 0, nesterov: false };
  const rmsprop = { lr: 0.1, weight_decay: 0, momentum: 0, alpha: 0.9, eps: 1e-8, centered: false };
  const open = (group, options) => () =>
    openTorch(safetensors({}, [{ ...group, params: [0] }]), [new Variable(1, { path: 'a' })], options);
  const numbers = /must be a finite number in every group/;
  const pairs = /betas must be two finite numbers in every group, got /;
  const flag = /must be true or false in every group, got /;
  for (const [group, key, pattern, ...wrong] of [
    [adamwGroup, 'lr', numbers, null, 'tensor(0.1)', [0.1], true],
    [adamwGroup, 'weight_decay', numbers, null, '0'],
    [adamwGroup, 'eps', numbers, null, '1e-8', [1e-8]],
    [adamwGroup, 'betas', pairs, null, 0.9, {}, [0.9], [0.9, 0.99, 0.999], ['0.9', 0.99], [[0.9], [0.99]]],
    [adamwGroup, 'amsgrad', flag, null, 'False', 0],
    [adamwGroup, 'maximize', flag, null, 'False'],
    [adamwGroup, 'decoupled_weight_decay', flag, null, 'False'],
    [sgd, 'momentum', numbers, null],
    [sgd, 'nesterov', flag, null, 'False'],
    [rmsprop, 'momentum', numbers, null],
    [rmsprop, 'centered', flag, null, 1],
  ])
    for (const value of wrong) assertRefused(open({ ...group, [key]: value }), RangeError, pattern);
  // What torch and others write beside its options.
  const beside = {
    name: 'backbone',
    foreach: true,
    fused: true,
    capturable: true,
    param_names: ['a'],
    initial_lr: 1,
  };
  assert.equal(open({ ...adamwGroup, ...beside })().constructor.className, 'AdamW');
  assertRefused(open({ ...adamwGroup, lr_scale: 0.5 }), RangeError, /none of these has lr_scale/);
  assert.equal(open({ ...adamwGroup, lr_scale: 0.5 }, { name: 'AdamW' })().learningRate, Math.fround(5e-5));
  assertRefused(
    open(adamwGroup, { name: 'Adam' }),
    RangeError,
    /'Adam', and a group has decoupled_weight_decay true, with which it is an AdamW/,
  );
  assertRefused(
    open({ ...adamwGroup, decoupled_weight_decay: false }, { name: 'AdamW' }),
    RangeError,
    /'AdamW', and a group has decoupled_weight_decay false, with which it is an Adam in/,
  );
});

test('a group without a gradient is passed over, as in torch, and by Keras’ formulas refused', () => {
  const file = safetensors({}, [
    { ...adamwGroup, params: [0] },
    { ...adamwGroup, eps: 1e-3, params: [1] },
  ]);
  const variables = ['a', 'b'].map((path) => new Variable([1], { path }));
  const optimizer = openTorch(file, variables);
  const before = snapshot(optimizer, variables);
  assertRefused(() => optimizer.apply([null, null]), RangeError, /No gradients/);
  assertSameSnapshot(snapshot(optimizer, variables), before);
  optimizer.apply([null, Float32Array.of(0.5)]);
  assert.equal(variables[0].value[0], 1);
  assert.notEqual(variables[1].value[0], 1);
  const indices = Object.keys(headerOf(saveTorch(optimizer, variables))).filter((name) => /step$/.test(name));
  assert.deepEqual(indices, ['state.1.step']);
  const two = variables.map(({ value }) => value.slice());
  optimizer.apply([undefined, Float32Array.of(0.5)]);
  assertSameBits(variables[0].value, two[0]);
  assert.notEqual(variables[1].value[0], two[1][0]);
  const keras = new MultiOptimizer(new OptimizerMap(new Adam(), { c: new SGD() }));
  const others = ['c', 'd'].map((path) => new Variable([1], { path }));
  keras.build(others);
  assertRefused(() => keras.apply([null, Float32Array.of(0.5)]), RangeError, /No gradients/);
});

test('groups that no optimizer of torch has together are refused', () => {
  const open = (groups, options) => () =>
    openTorch(
      safetensors(
        {},
        groups.map((group, k) => ({ ...group, params: [k] })),
      ),
      groups.map((_, k) => new Variable(1, { path: `v${k}` })),
      options,
    );
  const sgd = { lr: 0.1, weight_decay: 0, momentum: 0.9, dampening: 0, nesterov: false };
  assertRefused(open([adamwGroup, sgd]), RangeError, /groups are of AdamW and of SGD; .* one class for all/);
  const both = open([adamwGroup, { ...adamwGroup, decoupled_weight_decay: false }])();
  assert.deepEqual(
    both.optimizers.map((one) => one.constructor.className),
    ['AdamW', 'Adam'],
  );
  // Before 2.7 only the groups with a decay leave open which of the two it is.
  const { decoupled_weight_decay: _, ...old } = adamwGroup;
  assertRefused(open([{ ...old, weight_decay: 0 }, old]), RangeError, /Adam or AdamW\?/);
  assert.equal(open([{ ...old, weight_decay: 0 }, old], { name: 'AdamW' })().constructor.className, 'AdamW');
  const twins = () => [new Variable(1, { path: 'a' }), new Variable(1, { path: 'a' })];
  assertRefused(
    () =>
      openTorch(
        safetensors({}, [
          { ...adamwGroup, params: [0] },
          { ...adamwGroup, eps: 1, params: [1] },
        ]),
        twins(),
      ),
    RangeError,
    /have one path, 'a'/,
  );
});

test('groups without parameters come back, wherever they are and whatever options they have', () => {
  const own = (eps, params, more) => ({ ...adamwGroup, eps, ...more, params });
  const cases = [
    [own(1, []), own(2, [0])],
    [own(1, [0]), own(2, [])],
    [
      own(1, []),
      own(2, []),
      own(3, [0, 1]),
      own(4, [], { lr: 0.5, weight_decay: 0 }),
      own(5, [2]),
      own(6, []),
      own(7, []),
    ],
    [own(1, []), own(2, [])],
    [own(1, [0]), own(1, [], { lr: 0.5, weight_decay: 0.25 })], // the option groups
  ];
  for (const groups of cases) {
    const indices = groups.flatMap(({ params }) => params);
    const variables = indices.map((k) => new Variable(1, { path: `v${k}` }));
    const tensors = Object.fromEntries(
      indices.flatMap((k) => [
        [`state.${k}.step`, step(3)],
        [`state.${k}.exp_avg`, floats(k)],
        [`state.${k}.exp_avg_sq`, floats(k)],
      ]),
    );
    const check = (bytes) => {
      const saved = JSON.parse(headerOf(bytes).__metadata__.param_groups);
      assert.deepEqual(
        saved.map(({ lr, weight_decay, betas, eps, params }) => [lr, weight_decay, betas, eps, params]),
        groups.map(({ lr, weight_decay, betas, eps, params }) => [lr, weight_decay, betas, eps, params]),
      );
    };
    const optimizer = openTorch(safetensors(tensors, groups), variables);
    check(saveTorch(optimizer, variables));
    if (indices.length > 0) optimizer.apply(variables.map(() => Float32Array.of(1)));
    check(saveTorch(optimizer, variables));
    assert.equal(optimizer.iterations, indices.length > 0 ? 4 : 0);
    // Also of one that was read from the config and the state.
    const other = optimizers.deserialize(optimizers.serialize(optimizer));
    other.build(variables);
    other.loadState(optimizer.serializeState());
    assert.deepEqual(saveTorch(other, variables), saveTorch(optimizer, variables));
  }
});

test('of a MultiOptimizer, one under a key is a group also without variables, the default one is not', () => {
  const torch = (beta1) => new AdamW({ compat: 'torch', beta1 });
  const variable = new Variable(1, { path: 'a/kernel' });
  const optimizer = new MultiOptimizer(
    new OptimizerMap(torch(0.1), { '.*/bias': torch(0.2), '.*/kernel': torch(0.3) }),
  );
  optimizer.build([variable]);
  const saved = JSON.parse(headerOf(saveTorch(optimizer, [variable])).__metadata__.param_groups);
  assert.deepEqual(
    saved.map(({ betas: [beta1], params }) => [beta1, params]),
    [
      [0.2, []],
      [0.3, [0]],
    ],
  );
});

test('a MultiOptimizer is saved as groups in the order of its optimizers, with what is excluded by either', () => {
  const variables = ['a', 'b', 'c', 'd'].map((path) => new Variable([1], { path }));
  const torch = { compat: 'torch', weightDecay: 0.5 };
  const first = new AdamW({ ...torch, groups: [{ paths: ['d'], rateFactor: 2 }] });
  const optimizer = new MultiOptimizer(
    new OptimizerMap(new AdamW({ ...torch, beta1: 0.5 }), { '[cd]': first }),
  );
  first.excludeFromWeightDecay({ varNames: ['c'] });
  optimizer.excludeFromWeightDecay({ varNames: ['b'] });
  optimizer.build(variables);
  optimizer.apply(variables.map(() => Float32Array.of(0.5)));
  const order = [3, 2, 0, 1];
  const copies = order.map((k) => new Variable(variables[k].value, { path: variables[k].path }));
  const bytes = saveTorch(optimizer, variables);
  const groups = JSON.parse(headerOf(bytes).__metadata__.param_groups);
  assert.deepEqual(
    groups.map(({ params, betas: [beta1], weight_decay, lr }) => [params, beta1, weight_decay, lr]),
    [
      [[0], 0.9, 0, 0.001],
      [[1], 0.9, 0.5, 0.002],
      [[2], 0.5, 0.5, 0.001],
      [[3], 0.5, 0, 0.001],
    ],
  );
  const paths = ['c', 'd', 'a', 'b'];
  const again = openTorch(
    bytes,
    paths.map((path) => copies.find((copy) => copy.path === path)),
  );
  for (const each of [optimizer, again]) each.apply(variables.map(() => Float32Array.of(0.25)));
  for (const { path, value } of copies)
    assertSameBits(value, variables.find((one) => one.path === path).value, path);

  const save =
    (...optimizers) =>
    () => {
      const own = ['a', 'b'].map((path) => new Variable([1], { path }));
      const several = new MultiOptimizer(new OptimizerMap(optimizers[0], { b: optimizers[1] }));
      several.build(own);
      return saveTorch(several, own);
    };
  assertRefused(
    save(new AdamW(torch), new SGD({ compat: 'torch' })),
    RangeError,
    /has SGD and AdamW; .* one class/,
  );
  assertRefused(save(new AdamW(torch), new AdamW()), RangeError, /formulas of Keras/);
  assertRefused(save(new AdamW(torch), new Muon()), RangeError, /torch has no Muon/);
  save(new AdamW(torch), new Adam(torch))();
});

test('groups of other decays that are L2 go on each on its own', () => {
  const file = (groups) =>
    safetensors(
      Object.fromEntries(
        groups.flatMap(({ params: [k] }) => [[`state.${k}.momentum_buffer`, floats(0.5, k)]]),
      ),
      groups.map((group) => ({ lr: 0.1, momentum: 0.9, dampening: 0, nesterov: false, ...group })),
    );
  const groups = [0.5, 0, 0.25].map((weight_decay, k) => ({ weight_decay, params: [k] }));
  const make = (k) => new Variable([1, -1], { path: `v${k}` });
  const together = groups.map((_, k) => make(k));
  const optimizer = openTorch(file(groups), together);
  const g = () => Float32Array.of(0.5, 0.25);
  for (let k = 0; k < 2; k++) optimizer.apply(groups.map(g));
  for (const [k, group] of groups.entries()) {
    const alone = make(k);
    const one = openTorch(file([group]), [alone]);
    for (let call = 0; call < 2; call++) one.apply([g()]);
    assertSameBits(together[k].value, alone.value, `group ${k}`);
  }
});

// PyTorch 1.13: three parameters [1, -2] in groups with the decays 0.5, 0 and 0.125, after two steps, and after three more.
const decayed = [
  {
    name: 'AdamW',
    common: { betas: [0.9, 0.999], eps: 1e-8, amsgrad: false },
    exp_avg: Array(3).fill([0.0949999988079071, -0.04749999940395355]),
    exp_avg_sq: Array(3).fill([0.0004997500218451023, 0.00012493750546127558]),
    before: [
      [0.63671875, -1.515625],
      [0.75, -1.75],
      [0.4462890625, -1.384765625],
    ],
    after: [
      [0.4413539469242096, -1.424975872039795],
      [0.6572155356407166, -1.9341264963150024],
      [0.2297986000776291, -1.6191635131835938],
    ],
  },
  {
    name: 'Adam',
    common: { betas: [0.9, 0.999], eps: 1e-8, amsgrad: false },
    exp_avg: [
      [0.1837500035762787, -0.23125000298023224],
      [0.0949999988079071, -0.04749999940395355],
      [0.11562500149011612, -0.09187500178813934],
    ],
    exp_avg_sq: [
      [0.0018779062665998936, 0.0029710938688367605],
      [0.0004997500218451023, 0.00012493750546127558],
      [0.0007427734672091901, 0.0004694765666499734],
    ],
    before: [
      [0.7502750754356384, -1.7502081394195557],
      [0.75, -1.75],
      [0.5004162192344666, -1.5005501508712769],
    ],
    after: [
      [0.4825231730937958, -1.4872384071350098],
      [0.6572155356407166, -1.9341264963150024],
      [0.21373458206653595, -1.5968176126480103],
    ],
  },
  {
    name: 'SGD',
    common: { momentum: 0.5, dampening: 0, nesterov: false },
    momentum_buffer: [
      [1.4375, -1.796875],
      [0.75, -0.375],
      [0.91796875, -0.734375],
    ],
    before: [
      [0.6953125, -1.619140625],
      [0.84375, -1.921875],
      [0.6142578125, -1.69140625],
    ],
    after: [
      [0.5057048797607422, -1.4134116172790527],
      [0.89453125, -2.279296875],
      [0.6027706861495972, -2.0948143005371094],
    ],
  },
];
for (const { name, common, before, after, ...slots } of decayed)
  test(`groups of other decays go on as in torch: ${name}`, () => {
    const groups = [0.5, 0, 0.125].map((weight_decay, k) => ({
      ...{ ...common, weight_decay, lr: k === 2 ? 0.25 : 0.125, params: [k] },
    }));
    const tensors = {};
    for (let k = 0; k < 3; k++) {
      if (name !== 'SGD') tensors[`state.${k}.step`] = step(2);
      for (const [slot, values] of Object.entries(slots))
        tensors[`state.${k}.${slot}`] = floats(...values[k]);
    }
    const variables = before.map((values, k) => new Variable(values, { path: `p${k}` }));
    const optimizer = openTorch(safetensors(tensors, groups), variables, { name });
    for (let k = 0; k < 3; k++) optimizer.apply(variables.map(() => Float32Array.of(-0.25, 0.75)));
    variables.forEach(({ value }, k) => {
      assert.equal(within(value, Float32Array.from(after[k]), tolerance), null, `group ${k}`);
    });
  });

test('NAdam: a parameter without a state begins anew, and a state without mu_product is refused, as in torch', () => {
  const group = { lr: 0.1, betas: [0.9, 0.999], eps: 1e-8, weight_decay: 0, momentum_decay: 0.004 };
  const stateOf = (k, count, product) => ({
    [`state.${k}.step`]: step(count),
    [`state.${k}.mu_product`]: step(product),
    [`state.${k}.exp_avg`]: floats(0.125, 0.0625),
    [`state.${k}.exp_avg_sq`]: floats(0.5, 0.25),
  });
  const make = (k) => new Variable([1, k], { path: `p${k}` });
  const g = () => Float32Array.of(0.5, 0.25);
  // With states behind the first, none, and one that was made and has not been stepped.
  for (const [second, third] of [
    [2, 0],
    [3, 1],
  ]) {
    const states = [
      stateOf(0, 3, 0.09375),
      {},
      stateOf(2, third, third ? 0.45 : 1),
      stateOf(3, second, 0.1875),
    ];
    const variables = states.map((_, k) => make(k));
    const file = safetensors(Object.assign({}, ...states), [{ ...group, params: [0, 1, 2, 3] }]);
    const together = openTorch(file, variables);
    for (let call = 0; call < 2; call++) together.apply(variables.map(g));
    for (const [k, state] of states.entries()) {
      const alone = make(k);
      const one = openTorch(safetensors(state, [{ ...group, params: [k] }]), [alone], { name: 'NAdam' });
      for (let call = 0; call < 2; call++) one.apply([g()]);
      assertSameBits(variables[k].value, alone.value, `parameter ${k}`);
    }
    assert.equal(headerOf(saveTorch(together, variables))['state.1.mu_product'].dtype, 'F32');
  }
  const onlyFresh = safetensors(stateOf(1, 0, 1), [{ ...group, params: [0, 1] }]);
  assert.deepEqual(
    openTorch(onlyFresh, [make(0), make(1)])
      .getWeights()
      .at(-1),
    1,
  );
  const { 'state.0.mu_product': _, ...without } = stateOf(0, 3, 0.1);
  assertRefused(
    () => openTorch(safetensors(without, [{ ...group, params: [0] }]), [make(0)]),
    RangeError,
    /state of parameter 0 is exp_avg, exp_avg_sq, step, and exp_avg, exp_avg_sq, mu_product, step is expected/,
  );
});

test('a decay of the group in Keras, too: as in optimizers of their own, also after it has changed', () => {
  const g = () => Float32Array.of(0.5, 0.25);
  const make = (path) => new Variable([1, -1], { path });
  for (const Class of [Adam, SGD]) {
    const groups = [{ paths: ['b'], weightDecay: 0.75, rateFactor: 2 }];
    const optimizer = new Class({ learningRate: 0.5, weightDecay: 0.25, groups });
    const [a, b, first, second] = ['a', 'b', 'a', 'b'].map(make);
    optimizer.build([a, b]);
    const ones = [
      new Class({ learningRate: 0.5, weightDecay: 0.25 }),
      new Class({ learningRate: 1, weightDecay: 0.75 }),
    ];
    ones[0].build([first]);
    ones[1].build([second]);
    for (const decay of [0.25, 0.125, 0]) {
      optimizer.weightDecay = decay; // the group's stays
      ones[0].weightDecay = decay;
      optimizer.apply([g(), g()]);
      for (const one of ones) one.apply([g()]);
      assertSameBits(a.value, first.value);
      assertSameBits(b.value, second.value);
    }
    assertRefused(
      () => {
        optimizer.weightDecay = null;
      },
      RangeError,
      /a group has the weightDecay 0\.75, and the optimizer has null/,
    );
    assert.equal(optimizer.weightDecay, 0);
    assert.deepEqual(Class.fromConfig(optimizer.getConfig()).groups, optimizer.groups);
  }
});

test('saved and opened again, an optimizer goes on with the same bits; its file is one that torch reads', () => {
  for (const recorded of cases.filter(({ refused }) => !refused)) {
    const variables = variablesOf(recorded);
    const optimizer = ignoring(() => openTorch(read(recorded.file), variables));
    const [one, two] = recorded.steps.map(gradientsOf);
    optimizer.apply(one);
    const bytes = saveTorch(optimizer, variables);
    const copies = variables.map(({ value, path, shape }) => new Variable(value, { path, shape }));
    const again = openTorch(bytes, copies);
    if (!/SGD/.test(recorded.optimizer))
      assertSameSnapshot(snapshot(again, copies), snapshot(optimizer, variables));
    for (const [o, grads] of [
      [optimizer, two],
      [again, two],
    ])
      o.apply(grads);
    copies.forEach(({ value }, k) => {
      assertSameBits(value, variables[k].value, recorded.file);
    });
    // Keys and values of the groups are torch's.
    const header = headerOf(bytes);
    const groups = JSON.parse(header.__metadata__.param_groups);
    assert.equal(groups.length, recorded.param_groups.length);
    for (const [k, group] of groups.entries())
      for (const [key, value] of Object.entries(recorded.param_groups[k]))
        if (key !== 'foreach') assert.deepEqual(group[key], value, `${recorded.file}: ${key}`);
    const old = JSON.parse(
      new TextDecoder().decode(
        read(recorded.file).subarray(
          8,
          8 + Number(new DataView(read(recorded.file).buffer).getBigUint64(0, true)),
        ),
      ),
    );
    assert.deepEqual(Object.keys(header).sort(), Object.keys(old).sort());
    for (const [name, { shape, dtype }] of Object.entries(old))
      if (name !== '__metadata__' && !name.endsWith('.step'))
        // without axes in torch, in these files with one
        assert.deepEqual([header[name].shape, header[name].dtype], [shape, dtype], name);
  }
});

test('other optimizers of torch: their states there and back', () => {
  for (const optimizer of [
    new SGD({ momentum: 0.9, nesterov: true, compat: 'torch' }),
    new RMSprop({ centered: true, momentum: 0.5, compat: 'torch', weightDecay: 0.1 }),
    new AdamW({ amsgrad: true, compat: 'torch', maximize: true }),
  ]) {
    const make = () => [
      new Variable([1, 2, 3, 4], { path: 'w', shape: [2, 2] }),
      new Variable([1], { path: 'b' }),
    ];
    const variables = make();
    optimizer.build(variables);
    for (let k = 0; k < 3; k++) optimizer.apply([randomFloats(4, k), randomFloats(1, k + 9)]);
    const copies = make();
    copies.forEach((copy, k) => {
      copy.assign(variables[k].value);
    });
    const again = openTorch(saveTorch(optimizer, variables), copies);
    for (const [o] of [[optimizer], [again]]) o.apply([randomFloats(4, 5), randomFloats(1, 6)]);
    copies.forEach(({ value }, k) => {
      assertSameBits(value, variables[k].value, optimizer.name);
    });
  }
});

test('options that no class of torch has are not passed over', () => {
  const old = withGroups(read('adam.safetensors'), ([{ amsgrad: _, fused: __, ...group }]) => [
    { ...group, correct_bias: true },
  ]);
  assertRefused(
    () => openTorch(old, variablesOf(recordedOf('adam.safetensors'))),
    RangeError,
    /no Adam, AdamW or Adamax: .*none of these has correct_bias\. .*option name/,
  );
});

test('variables excluded from decay are so in torch too: decoupled, and L2', () => {
  for (const Class of [Adam, AdamW]) {
    const make = () => ['a', 'b', 'c'].map((path) => new Variable([1, -2], { path }));
    const variables = make();
    const optimizer = new Class({ compat: 'torch', weightDecay: 0.5 });
    optimizer.excludeFromWeightDecay({ varNames: ['a'], varList: [variables[2]] });
    optimizer.build(variables);
    const grads = () => variables.map((_, k) => Float32Array.of(0.1 * k + 0.1, 0.3));
    optimizer.apply(grads());
    // Alone, without decay, and with it.
    for (const [k, weightDecay] of [
      [0, 0],
      [1, 0.5],
      [2, 0],
    ]) {
      const alone = [make()[k]];
      const one = new Class({ compat: 'torch', weightDecay });
      one.build(alone);
      one.apply([grads()[k]]);
      assertSameBits(alone[0].value, variables[k].value, `${Class.className} ${k}`);
    }
    const order = [1, 0, 2]; // those with decay first
    const copies = order.map((k) => new Variable(variables[k].value, { path: variables[k].path }));
    const again = openTorch(saveTorch(optimizer, variables), copies);
    assert.deepEqual(again.groups, [
      { paths: ['b'], rateFactor: 1, decays: true },
      { paths: ['a', 'c'], rateFactor: 1, decays: false },
    ]);
    optimizer.apply(grads());
    again.apply(order.map((k) => grads()[k]));
    copies.forEach(({ value }, k) => {
      assertSameBits(value, variables[order[k]].value);
    });
  }
});

test('what torch would not go on with is not saved', () => {
  const variables = [new Variable([1], { path: 'w' })];
  const save = (optimizer, given = variables) => {
    optimizer.build(variables);
    return () => saveTorch(optimizer, given);
  };
  assertRefused(save(new Adam()), RangeError, /formulas of Keras; make it with compat: 'torch'/);
  assertRefused(
    save(new Adam({ compat: 'torch', clipnorm: 1 })),
    RangeError,
    /clipnorm is number 1, and torch's Adam has no/,
  );
  assertRefused(
    save(
      new Adam({
        compat: 'torch',
        learningRate: {
          class_name: 'ExponentialDecay',
          config: { initial_learning_rate: 1, decay_steps: 1, decay_rate: 1 },
        },
      }),
    ),
    RangeError,
    /rate is a schedule/,
  );
  assertRefused(save(new Adam({ compat: 'torch' }), []), RangeError, /takes the 1 built variables/);
  assertRefused(() => saveTorch({}, variables), TypeError, /takes an optimizer, got an Object/);
  assertRefused(() => saveTorch(new Adam({ compat: 'torch' }), variables), Error, /not built/);
  const mixed = new MultiOptimizer(
    new OptimizerMap(new Adam({ compat: 'torch' }), { a: new SGD({ compat: 'torch' }) }),
  );
  const two = ['a', 'b'].map((path) => new Variable(1, { path }));
  mixed.build(two);
  assertRefused(() => saveTorch(mixed, two), RangeError, /has SGD and Adam; .* one class for all groups/);
  const none = new MultiOptimizer(new OptimizerMap(new Adam({ compat: 'torch' })));
  none.build([]);
  assertRefused(() => saveTorch(none, []), RangeError, /MultiOptimizer has no variables/);
});

test('groups are data: checked, fixed once built, and in the config', () => {
  const groups = [
    { paths: ['a'], rateFactor: 2 },
    { paths: ['b'], decays: false },
  ];
  const optimizer = new AdamW({ groups });
  assert.deepEqual(optimizer.getConfig().groups, [
    { paths: ['a'], rate_factor: 2, decays: true },
    { paths: ['b'], rate_factor: 1, decays: false },
  ]);
  assert.deepEqual(AdamW.fromConfig(optimizer.getConfig()).groups, optimizer.groups);
  assert.equal('groups' in new AdamW().getConfig(), false);
  optimizer.build([new Variable(1, { path: 'a' })]);
  assertRefused(
    () => {
      optimizer.groups = null;
    },
    Error,
    /groups decides what building makes; set it before the optimizer is built/,
  );
  for (const [wrong, Type, pattern] of [
    ['a', TypeError, /groups must be an array of \{ paths, rateFactor, decays, weightDecay \}, got "a"/],
    [[null], TypeError, /groups\[0\] must be/],
    [[{ paths: 'a' }], TypeError, /groups\[0\]\.paths must be an array of strings, got "a"/],
    [
      [{ paths: [], rateFactor: Number.NaN }],
      RangeError,
      /rateFactor must be a finite number, in float32 too, got number NaN/,
    ],
    [[{ paths: [], decays: 1 }], TypeError, /decays must be true or false/],
    [
      [{ paths: [], lr: 1 }],
      TypeError,
      /groups\[0\]: unknown option 'lr'.*Known: paths, rateFactor, decays, weightDecay/,
    ],
    [[{ paths: [], weightDecay: '1' }], TypeError, /weightDecay must be a finite number, .*got "1"/],
    [
      [{ paths: [], weightDecay: 1, decays: false }],
      RangeError,
      /with decays: false there is no weightDecay/,
    ],
    [[{ paths: ['a'] }, { paths: ['a'] }], RangeError, /'a' is listed twice/],
  ])
    assertRefused(() => new AdamW({ groups: wrong }), Type, pattern);
  const own = [{ paths: ['a'], weightDecay: 1 }];
  assertRefused(() => new Adam({ groups: own }), RangeError, /the optimizer has null, no decay/);
  assertRefused(() => new Muon({ groups: own }), RangeError, /Muon: a group cannot have a weightDecay/);
  assertRefused(
    () => new AdamMultilr({ groups: own, weightDecay: 1 }),
    RangeError,
    /AdamMultilr: a group cannot have a weightDecay/,
  );
});

test('before init(), an error says what to do', () => {
  const told = runModule(`
    import { openTorch } from './dist/torch.js';
    try { openTorch(new Uint8Array(3), []); } catch (error) { console.log(error.message); }`);
  assert.match(told, /await init\(\)/);
});
