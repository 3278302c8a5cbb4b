// The documentation's example of a library with GPUBuffers of its own, run as it stands, on an adapter.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { root } from '../node/helpers.mjs';
import { entry } from './adapter.mjs';

test('docs/any-library.md: GPUBuffers', async () => {
  const text = readFileSync(`${root}docs/any-library.md`, 'utf8');
  const [, code] = /```js\n(import(?:(?!```)[\s\S])*simdescent\/webgpu[\s\S]*?)```/.exec(text);
  const file = `${root}build/docs/gpu-buffers.mjs`; // in the package, whose own name it imports
  mkdirSync(`${root}build/docs`, { recursive: true });
  writeFileSync(file, code);
  Object.defineProperty(globalThis, 'navigator', { value: { gpu: entry }, configurable: true });
  const printed = [];
  const { log } = console;
  console.log = (...values) => printed.push(values.join(' '));
  try {
    await import(file);
  } finally {
    console.log = log;
  }
  assert.deepEqual(printed, ['true']);
});
