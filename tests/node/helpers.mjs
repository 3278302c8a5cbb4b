// What the node tests share: random numbers with a seed, comparison bit by bit, snapshots of everything a
// refused call must leave alone, and child processes for what a process can do only once.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { sameBits } from './conformance/compare.mjs';

export const root = fileURLToPath(new URL('../../', import.meta.url));

/** Uniform numbers in [0, 1) from a seed (mulberry32). */
export function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** `length` numbers in (-1, 1). */
export function randomFloats(length, seed) {
  const next = generator(seed);
  return Float32Array.from({ length }, () => 2 * next() - 1);
}

export function assertSameBits(got, expected, message = 'values') {
  const difference = sameBits(got, expected);
  if (difference) {
    const { index, got: a, expected: b } = difference;
    assert.fail(`${message}: element ${index} is ${a} instead of ${b}`);
  }
}

export const valuesOf = (variable) => (variable instanceof Float32Array ? variable : variable.value);

/** Copies of all that a step may change. */
export function snapshot(optimizer, variables) {
  return {
    variables: variables.map((v) => Float32Array.from(valuesOf(v))),
    state: optimizer.variables.map(({ path, value }) => ({
      path,
      value: typeof value === 'number' ? [value] : Float32Array.from(value),
    })),
    iterations: optimizer.rawIterations,
    built: optimizer.built,
    report: optimizer.report,
    skippedSteps: optimizer.skippedSteps,
  };
}

export function assertSameSnapshot(got, expected) {
  assert.equal(got.iterations, expected.iterations, 'rawIterations');
  assert.equal(got.built, expected.built, 'built');
  assert.deepEqual(got.report, expected.report, 'report');
  assert.equal(got.skippedSteps, expected.skippedSteps, 'skippedSteps');
  expected.variables.forEach((values, i) => {
    assertSameBits(got.variables[i], values, `variable ${i}`);
  });
  assert.deepEqual(
    got.state.map(({ path }) => path),
    expected.state.map(({ path }) => path),
  );
  expected.state.forEach(({ path, value }, i) => {
    assertSameBits(got.state[i].value, value, path);
  });
}

/** The error that `call` throws: of this class, with a message that matches all patterns. */
export function assertRefused(call, Type, ...patterns) {
  let error = null;
  try {
    call();
  } catch (thrown) {
    error = thrown;
  }
  assert.ok(error, 'nothing was thrown');
  const text = `${error.name}: ${error.message}`;
  assert.equal(error.constructor, Type, `${text} is not a ${Type.name}`);
  for (const pattern of patterns) assert.match(error.message, pattern);
}

/** Runs the text of a module in a new Node process from the root of the repository; returns what it printed. */
export function runModule(code, { flags = [], timeout = 60_000 } = {}) {
  const result = spawnSync(process.execPath, [...flags, '--input-type=module', '--eval', code], {
    cwd: root,
    encoding: 'utf8',
    timeout,
  });
  assert.equal(result.status, 0, `the child process failed:\n${result.stderr}`);
  return result.stdout.trim();
}

/** The texts given to console.warn while `work` runs. */
export function warningsOf(work) {
  const texts = [];
  const original = console.warn;
  console.warn = (...parts) => texts.push(parts.map(String).join(' '));
  try {
    work();
  } finally {
    console.warn = original;
  }
  return texts;
}
