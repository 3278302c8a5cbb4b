// The documentation's examples for a GPU, run as they stand there, on an adapter.
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { globals } from 'webgpu';
import { assertPrinted, blocksThatRun } from '../docs/blocks.mjs';
import { root } from '../node/helpers.mjs';
import { entry } from './adapter.mjs';

// What a page has.
Object.assign(globalThis, globals);
Object.defineProperty(globalThis, 'navigator', { value: { gpu: entry, userAgent: '' }, configurable: true });

const folder = `${root}build/docs`; // in the package, whose own name they import
mkdirSync(folder, { recursive: true });

blocksThatRun('on a GPU').forEach((block, k) => {
  test(`${block.name}: it prints what it says`, async () => {
    const file = `${folder}/gpu-${k}.mjs`;
    writeFileSync(file, block.code);
    const printed = [];
    const { log } = console;
    console.log = (...values) => printed.push(values.join(' '));
    try {
      await import(pathToFileURL(file).href);
    } finally {
      console.log = log;
    }
    assertPrinted(printed, block);
    assert.ok(printed.length > 0);
  });
});
