// What builds the site of the documentation, but for the building, which is a step of its own: links that end nowhere
// are found, and every page has its place.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { brokenLinks } from '../../scripts/docs-links.mjs';
import { examples } from '../examples.mjs';
import { root } from './helpers.mjs';

test('broken links are found: pages, places, pictures, and what leaves the site', () => {
  const folder = mkdtempSync(join(tmpdir(), 'simdescent-links-'));
  mkdirSync(`${folder}/demo`);
  writeFileSync(`${folder}/demo/index.html`, '<h1 id="top"><use href="#key-1"/></h1>');
  const good = [
    '/x/demo/',
    '/x/demo/index.html#top',
    'a.html#b%20c',
    './a.html',
    'https://elsewhere.test/',
    'data:,',
  ];
  const bad = ['/x/none.html', '/demo/', '/x/../../etc/', '#none', 'demo/index.html#none'];
  const anchors = [...good, ...bad].map((link) => `<a class="x" href="${link}">x</a>`).join('\n');
  writeFileSync(`${folder}/a.html`, `<p id="b c">${anchors}</p><img alt="" src="none.png">`);
  const found = brokenLinks(folder, '/x/');
  rmSync(folder, { recursive: true });
  assert.deepEqual(
    found.broken,
    [...bad, 'none.png'].map((link) => `a.html: ${link}`),
  );
  assert.deepEqual([found.pages, found.links], [2, 10]);
});

test('every page of docs/ is in the sidebar, and every example on its page', () => {
  const config = readFileSync(`${root}docs/.vitepress/config.mjs`, 'utf8');
  const pages = readdirSync(`${root}docs`).filter((name) => name.endsWith('.md') && name !== 'index.md');
  const sidebar = config.slice(config.indexOf('sidebar:'));
  for (const page of pages) assert.ok(sidebar.includes(`'${page.slice(0, -3)}']`), page);
  const text = readFileSync(`${root}docs/examples.md`, 'utf8');
  for (const name of examples) {
    assert.ok(text.includes(`<!--@include: ../examples/${name}/README.md{3,}-->`), name);
    assert.ok(text.includes(`<<< ../examples/${name}/`), name);
  }
});
