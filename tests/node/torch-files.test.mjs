// simdescent/torch against real state_dict()s of torch.optim: their optimizers go on as torch's did, and what is
// no such file, or cannot go on here, is refused.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { Adam, init, Variable } from '../../dist/index.js';
import { openTorch } from '../../dist/torch.js';
import { within } from './conformance/compare.mjs';
import { assertRefused, assertSameBits, root, runModule } from './helpers.mjs';

before(() => init());

const folder = join(root, 'tests/vectors/torch-files');
const { cases } = JSON.parse(readFileSync(join(folder, 'index.json'), 'utf8'));
const read = (file) => new Uint8Array(readFileSync(join(folder, file)));
const recordedOf = (file) => cases.find((recorded) => recorded.file === file);
const tolerance = 1e-6;

const variablesOf = (recorded) =>
  recorded.variables.map(({ values, shape }, k) => new Variable(values, { path: `p${k}`, shape }));
const gradientsOf = (step) => step.grads.map((grad) => Float32Array.from(grad));

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

for (const recorded of cases) {
  test(`${recorded.file}: goes on as in torch`, () => {
    const variables = variablesOf(recorded);
    const optimizer = openTorch(read(recorded.file), variables);
    assert.equal(`torch.optim.${optimizer.constructor.className}`, recorded.optimizer);
    assert.equal(optimizer.getConfig().compat, 'torch');
    assert.equal(optimizer.iterations, 5);
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
  assertRefused(group({ maximize: true }), RangeError, /maximize is not supported/);
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
  const two = withGroups(adam, ([only]) => [
    { ...only, params: [0] },
    { ...only, lr: 1, params: [1] },
  ]);
  assertRefused(
    open(two),
    RangeError,
    /'lr' differs between the parameter groups \(number 0\.01 and number 1\)/,
  );
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
    open(drop('state.1.step', 'state.1.exp_avg', 'state.1.exp_avg_sq')),
    RangeError,
    /parameter 1 has no state and others have/,
  );
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
  assertRefused(
    () => openTorch(bytes, variables),
    RangeError,
    /different numbers of steps, 5 \(parameter 0\) and 6 \(parameter 1\)/,
  );
  new DataView(bytes.buffer).setFloat32(at, 4.5, true);
  assertRefused(
    () => openTorch(bytes, variables),
    RangeError,
    /'state\.1\.step' must be an integer from 0 on, got 4\.5/,
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

test('before init(), an error says what to do', () => {
  const told = runModule(`
    import { openTorch } from './dist/torch.js';
    try { openTorch(new Uint8Array(3), []); } catch (error) { console.log(error.message); }`);
  assert.match(told, /await init\(\)/);
});
