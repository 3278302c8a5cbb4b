// The engine on WebGPU of examples/, from the packed package, on this process' adapter.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertPrinted } from '../docs/blocks.mjs';
import { fileOf, installed, npmRun } from '../examples.mjs';

test('examples/webgpu-engine', async () => {
  const folder = await installed('examples-gpu');
  const { lines } = await npmRun(`${folder}/webgpu-engine`, 'start');
  assertPrinted(lines, { language: 'js', code: fileOf('webgpu-engine', 'main.mjs') });
  assert.ok(lines.length > 0);
});
