// Every recorded conformance case again, with all its variables on the GPU.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import * as library from '../../dist/index.js';
import { root } from '../node/helpers.mjs';
import { openGpu } from './adapter.mjs';
import { compareCase, TOLERANCE } from './case.mjs';
import { exceptions, mayDiffer } from './exceptions.mjs';

// The optimizer from its configuration; PyTorch's cases spell theirs in another way.
const { configured } = await import('../node/conformance/subject.mjs');
const { absentOf } = await import('../node/conformance/exceptions.mjs');
const together = 8; // a case mostly waits
const folder = `${root}tests/vectors`;

const files = readdirSync(folder)
  .filter((name) => name.endsWith('.json'))
  .map((name) => ({ name, cases: JSON.parse(readFileSync(`${folder}/${name}`, 'utf8')).cases }))
  .filter(({ cases }) => Array.isArray(cases))
  .map(({ name, cases }) => ({ name, cases: cases.filter((testCase) => !absentOf(testCase)) }));

async function outcomesOf(cases, gpu) {
  const outcomes = [];
  const queue = [...cases];
  const worker = async () => {
    for (let testCase = queue.shift(); testCase; testCase = queue.shift()) {
      const outcome = await compareCase(testCase, library, gpu, configured).catch((error) => ({
        worst: Number.POSITIVE_INFINITY,
        where: error.stack,
      }));
      outcomes.push({ testCase, ...outcome });
    }
  };
  await Promise.all(Array.from({ length: together }, worker));
  return outcomes;
}

describe('the conformance cases on the GPU, beside the engine', () => {
  let gpu;
  const warn = console.warn;
  before(async () => {
    gpu = await openGpu();
    console.warn = () => {}; // cases without some gradients
  });
  after(async () => {
    console.warn = warn;
    await gpu.sync(); // nothing that the device refused
    gpu.dispose();
  });

  for (const { name, cases } of files) {
    test(`${name}: ${cases.length} cases within ${TOLERANCE} of the largest element`, async (t) => {
      const software = gpu.info.architecture === 'swiftshader';
      const outcomes = await outcomesOf(cases, gpu);
      assert.equal(outcomes.length, cases.length);
      const apart = ({ testCase }) => exceptions[testCase.id] || (!software && mayDiffer(testCase));
      const failed = outcomes.filter((o) => !apart(o) && !(o.worst <= TOLERANCE));
      assert.deepEqual(
        failed.map(({ testCase, worst, where }) => `${testCase.id}: ${worst}, ${where}`),
        [],
      );
      const held = outcomes.filter((o) => !apart(o));
      t.diagnostic(
        `${held.filter(({ worst }) => worst === 0).length} of ${held.length} are equal to the bit, the others ` +
          `within ${Math.max(0, ...held.map(({ worst }) => worst)).toExponential(1)}; ${outcomes.length - held.length} apart`,
      );
    });
  }

  test('every exception is a recorded case', () => {
    const ids = files.flatMap(({ cases }) => cases.map(({ id }) => id));
    assert.deepEqual(
      Object.keys(exceptions).filter((id) => !ids.includes(id)),
      [],
    );
  });
});
