// The recorded vectors, all of them: nothing may fail, and nothing may be left out but what is listed.
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { checkAbsent } from './conformance/exceptions.mjs';
import { loadFolder } from './conformance/load.mjs';
import { failuresText } from './conformance/report.mjs';
import { runFolder } from './conformance/run-folder.mjs';
import { root } from './helpers.mjs';

/** So many entries there were at least, so that a file that shrinks or is lost is noticed. */
const ENTRIES = 963;

/** Listed exceptions: a bug of an ancestor; and the recorded calls for which there is nothing to call. */
const EXCEPTIONS = {
  'capreolus.json': 1,
  'errors.json': 17,
};

const vectors = `${root}tests/vectors`;
const outcome = await runFolder(vectors);

describe('the numbers of Keras, tf_keras, Capreolus and PyTorch', () => {
  for (const { file, results } of outcome.files) {
    test(`${file}: all ${results.length} entries hold`, () => {
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

  test('no file and no entry is left out', () => {
    const names = readdirSync(vectors).filter((name) => name.endsWith('.json'));
    assert.deepEqual(outcome.files.map(({ file }) => file).sort(), names.sort());
    const entries = outcome.files.flatMap(({ results }) => results).length;
    assert.ok(entries >= ENTRIES, `${entries} entries`);
  });
});

describe('a folder with a file that nothing would run', () => {
  let folder;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'simdescent-vectors-'));
    cpSync(vectors, folder, { recursive: true });
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  for (const [what, body] of [
    ['an unknown kind', '{ "trajectories": [{ "id": "one" }] }'],
    ['an empty list', '{ "cases": [] }'],
    ['two lists', '{ "cases": [{}], "schedules": [{}] }'],
    ['no JSON', 'one, two'],
  ])
    test(`${what}: it is refused and named`, async () => {
      writeFileSync(join(folder, 'stranger.json'), body);
      await assert.rejects(() => runFolder(folder), /^Error: stranger\.json: /);
    });

  test('an index may be there, but not name what is not', async () => {
    const index = (...names) =>
      writeFileSync(
        join(folder, 'index.json'),
        JSON.stringify({ files: Object.fromEntries(names.map((n) => [n, {}])) }),
      );
    index('adam.json');
    assert.ok((await loadFolder(folder)).every(({ file }) => file !== 'index.json'));
    index('adam.json', 'lost.json');
    await assert.rejects(() => loadFolder(folder), /lost\.json/);
  });

  test('a class that the package does not have fails unless it is listed, and must not be listed if it has', async () => {
    const { cases, ...rest } = JSON.parse(readFileSync(join(folder, 'capreolus.json'), 'utf8'));
    const stranger = { ...rest, cases: [{ ...cases[0], optimizer: 'Stranger' }] };
    rmSync(folder, { recursive: true });
    mkdirSync(folder);
    writeFileSync(join(folder, 'stranger.json'), JSON.stringify(stranger));
    const [{ results }] = (await runFolder(folder)).files;
    assert.deepEqual(
      results.map(({ status, failures }) => [status, failures[0].got]),
      [['failed', 'Stranger']],
    );
    assert.throws(() => checkAbsent(['Stranger', 'Adamax']), /has it: Adamax/);
  });
});

describe('the runner itself', () => {
  test('notices a wrong number, a wrong count and a wrong path', async () => {
    const { checkExpected, checkGeneric, checkScalars } = await import('./conformance/check-case.mjs');
    const { body } = (await loadFolder(vectors)).find(({ file }) => file === 'adam.json');
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
