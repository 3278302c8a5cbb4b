// The recorded vectors, all of them: nothing may fail, and nothing may be left out but what is listed.
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { failuresText } from './conformance/report.mjs';
import { runFolder } from './conformance/run-folder.mjs';
import { root } from './helpers.mjs';

/** How many entries each file has, so that a file that shrinks or is lost is noticed. */
const ENTRIES = {
  'adam.json': 135,
  'adam-random.json': 60,
  'adamax.json': 129,
  'adamax-random.json': 60,
  'capreolus.json': 8,
  'constraints.json': 8,
  'digits-mlp.json': 7,
  'errors.json': 150,
  'loss-scale.json': 17,
  'schedules.json': 24,
  'tf-keras.json': 15,
  'torch-optim.json': 17,
};

/** Listed exceptions: a bug of an ancestor; and the recorded calls for which there is nothing to call. */
const EXCEPTIONS = { 'capreolus.json': 1, 'errors.json': 16 };

describe('the numbers of Keras, tf_keras, Capreolus and PyTorch', () => {
  let outcome;
  before(async () => {
    outcome = await runFolder(`${root}tests/vectors`);
  });

  for (const [file, entries] of Object.entries(ENTRIES)) {
    test(`${file}: all ${entries} entries hold`, () => {
      const results = outcome.files.find((f) => f.file === file)?.results ?? [];
      assert.equal(results.length, entries);
      const failed = results.filter(({ status }) => status === 'failed');
      assert.equal(failed.length, 0, `\n${failed.map((result) => failuresText(result)).join('\n')}`);
      const unsupported = results.filter(({ status }) => status === 'unsupported');
      assert.deepEqual(
        unsupported.map(({ id, reason }) => `${id}: ${reason}`),
        [],
      );
      const exceptions = results.filter(({ status }) => status === 'exception');
      assert.equal(exceptions.length, EXCEPTIONS[file] ?? 0, exceptions.map(({ id }) => id).join(', '));
    });
  }

  test('no file of the folder is left out', () => {
    assert.deepEqual(outcome.files.map(({ file }) => file).sort(), Object.keys(ENTRIES).sort());
  });
});

describe('the runner itself', () => {
  test('notices a wrong number, a wrong count and a wrong path', async () => {
    const { checkExpected, checkGeneric, checkScalars } = await import('./conformance/check-case.mjs');
    const { loadFolder } = await import('./conformance/load.mjs');
    const { body } = (await loadFolder(`${root}tests/vectors`)).find(({ file }) => file === 'adam.json');
    const testCase = body.cases.find(({ id }) => id === 'adam-default-01');
    const { expect, expect_generic: generic } = testCase;
    const trace = () => ({
      steps: Object.entries(expect.variables_after_step).map(([number, variables]) => ({
        number: Number(number),
        variables: variables.map((v) => Float32Array.from(v)),
        learningRate: expect.learning_rate_final,
      })),
      variables: generic.variables_final.map((v) => Float32Array.from(v)),
      state: structuredClone(generic.optimizer_variables_final),
      iterations: expect.iterations_final,
      rawIterations: expect.raw_iterations_final,
    });
    const check = (t) => [checkExpected, checkGeneric, checkScalars].flatMap((f) => f(testCase, t));
    assert.deepEqual(check(trace()), []);
    const spoiled = [
      (t) => (t.variables[0][0] += 1e-7),
      (t) => (t.steps[2].variables[0][0] += 1e-6),
      (t) => (t.state[2].values[0] *= 1.0001),
      (t) => (t.state[2].path = 'adam/w_velocity'),
      (t) => (t.state[2].shape = [1, 1]),
      (t) => t.state.pop(),
      (t) => (t.iterations += 1),
      (t) => (t.rawIterations = undefined),
      (t) => (t.steps.at(-1).learningRate = 0.001),
    ];
    for (const spoil of spoiled) {
      const wrong = trace();
      spoil(wrong);
      assert.ok(check(wrong).length > 0, String(spoil));
    }
  });
});
