// The links within a site of static pages: to files, and to places in pages. Not those to other sites.
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';

const decoded = (text) => decodeURIComponent(text.replaceAll('&amp;', '&'));

/** What the browser follows or loads; shapes within a drawing, which scripts make, are none of these. */
const element = /<(?:a|link|script|img)\b[^>]*?\s(?:href|src)="([^"]*)"/g;

/** @returns `PAGE: LINK` for every link without an end; and how many pages and links there are */
export function brokenLinks(folder, base = '/') {
  const pages = readdirSync(folder, { recursive: true }).filter((name) => name.endsWith('.html'));
  const texts = new Map();
  const textOf = (file) => texts.get(file) ?? texts.set(file, readFileSync(file, 'utf8')).get(file);
  const broken = new Set();
  let links = 0;
  for (const page of pages) {
    const from = new URL(page, `http://site${base}`);
    for (const [, link] of textOf(join(folder, page)).matchAll(element)) {
      const to = new URL(decoded(link), from);
      if (to.host !== 'site' || to.protocol !== 'http:') continue;
      links++;
      if (!arrives(to, { folder, base, textOf })) broken.add(`${page}: ${link}`);
    }
  }
  return { broken: [...broken], pages: pages.length, links };
}

function arrives({ pathname, hash }, { folder, base, textOf }) {
  if (!pathname.startsWith(base)) return false;
  let file = join(folder, decodeURIComponent(pathname.slice(base.length)));
  if (relative(folder, file).startsWith('..')) return false;
  if (existsSync(file) && statSync(file).isDirectory()) file = join(file, 'index.html');
  if (!existsSync(file)) return false;
  const place = decodeURIComponent(hash.slice(1)).replace(/^at=/, ''); // the demo's links name a place so
  return place === '' || !file.endsWith('.html') || textOf(file).includes(` id="${place}"`);
}
