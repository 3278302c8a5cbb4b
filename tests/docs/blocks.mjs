// Every code block of README.md, examples/README.md and docs/*.md, and what becomes of it. A block of JavaScript or
// TypeScript is run in Node unless a comment in the line before it says otherwise: `<!-- runs: in a page -->` (tests/browser/docs.spec.mjs),
// `<!-- runs: on a GPU -->` (tests/gpu/docs.gpu.mjs), or `<!-- not run: why -->`. Blocks of other languages must say.
// What it prints is what the comments after its lines of console.log tell; `about` gives numbers 1 % room.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { root } from '../node/helpers.mjs';

const pages = [
  'README.md',
  'examples/README.md',
  ...readdirSync(`${root}docs`)
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
].filter((page) => existsSync(root + page));

const fence = /(?:^<!-- (runs|not run): (.+?) -->\n+)?^```(\w*)\n([\s\S]*?)^```$/gm;

function blocksOf(page) {
  const text = readFileSync(root + page, 'utf8');
  const blocks = [...text.matchAll(fence)].map(([all, verb, what, language, code], k) => ({
    name: `${page}, block ${k + 1}, line ${text.slice(0, text.indexOf(all)).split('\n').length}`,
    page,
    language,
    code,
    where: verb === 'runs' ? what : verb ? null : ['js', 'ts'].includes(language) ? 'in Node' : undefined,
    why: verb === 'not run' ? what : undefined,
    /** A file that other blocks of the page name: its first line is a comment with its name. */
    file: /^(?:\/\/|<!--) ([\w./-]+\.(?:js|html|json|css))(?: -->)?\n/.exec(code)?.[1],
  }));
  const fences = text.match(/^ *```/gm)?.length ?? 0;
  assert.equal(fences, 2 * blocks.length, `${page} has a code block that is not understood`);
  return blocks;
}

export const blocks = pages.flatMap(blocksOf);
export const blocksThatRun = (where) => blocks.filter((block) => block.where === where);

/** The module of a block, or, of a page of HTML, of its inline scripts. */
const scriptOf = ({ language, code }) =>
  language === 'html'
    ? [...code.matchAll(/<script type="module">\n?([\s\S]*?)<\/script>/g)].map(([, text]) => text).join('\n')
    : code;

/** The lines that a block says it prints. */
export const expectedOf = (block) =>
  [...scriptOf(block).matchAll(/console\.log\(.*\);? \/\/ (.*)$/gm)].map(([, text]) => text.trim());

const numbers = (text) => text.match(/-?\d+(\.\d+)?(e-?\d+)?/g)?.map(Number) ?? [];

/** Compares the lines that were printed with those that were promised. */
export function assertPrinted(printed, block) {
  const expected = expectedOf(block);
  assert.equal(
    printed.length,
    expected.length,
    `printed: ${printed.join(' | ')}; promised: ${expected.join(' | ')}`,
  );
  for (const [k, promise] of expected.entries()) {
    if (!promise.startsWith('about ')) {
      assert.equal(printed[k], promise);
      continue;
    }
    const [got, wanted] = [numbers(printed[k]), numbers(promise)];
    const near =
      got.length === wanted.length &&
      got.every((x, i) => Math.abs(x - wanted[i]) <= 0.01 * Math.abs(wanted[i]));
    assert.ok(near, `printed: ${printed[k]}; promised: ${promise}`);
  }
}

/** TensorFlow.js as one package is large; its parts are what the tests have. */
export const withParts = (code) =>
  code.replaceAll("'@tensorflow/tfjs'", JSON.stringify(new URL('tfjs.mjs', import.meta.url).href));
