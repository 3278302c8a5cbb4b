// `npm run build:docs`: the documentation as a site in build/site, static files for any host: the pages of docs/, the
// package's API as TypeDoc reads it off dist/, and the demo. `--base /some/folder/` is where the host will have it,
// `--address https://host/some/folder/` the same in full, for the picture of the demo's card.
// A link to what is not there fails the build. Its tools are those of docs/package.json, installed when asked for.
import { cpSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from './build.mjs';
import { checkAddress } from './build-demo.mjs';
import { brokenLinks } from './docs-links.mjs';
import { npmPackages } from './setup/npm.mjs';
import { entry, Problem, root, run, say } from './setup/run.mjs';

const docs = join(root, 'docs');
const site = join(root, 'build', 'site');
const tool = (path, args, options) =>
  run(process.execPath, [join(docs, 'node_modules', path), ...args], { cwd: docs, quiet: true, ...options });

export const docsPackages = () => npmPackages(docs);

/** What VitePress reads that is not in the repository: docs/api/, and the site's own icon. */
async function writeApi() {
  await docsPackages();
  await tool('typedoc/bin/typedoc', ['--options', '.vitepress/typedoc.json']);
  const files = join(root, 'build', 'docs-public');
  mkdirSync(files, { recursive: true });
  for (const name of ['favicon.svg', 'card.png']) cpSync(join(root, 'demo', name), join(files, name));
}

/** Serves the pages as they are written, on a free port. @returns their address */
export async function serveDocs(demo) {
  await writeApi();
  process.env.SIMDESCENT_DEMO = demo; // docs/.vitepress/config.mjs
  const { createServer } = await import(
    pathToFileURL(join(docs, 'node_modules/vitepress/dist/node/index.js'))
  );
  const server = await createServer(docs);
  await server.listen();
  return server.resolvedUrls.local[0];
}

export async function buildDocs({ address, base } = {}) {
  checkAddress(address);
  base ??= address ? new URL(address).pathname : '/';
  if (!/^\/(.*\/)?$/.test(base)) throw new Problem(`--base must begin and end with a slash, got ${base}`);
  await build();
  rmSync(site, { recursive: true, force: true });
  await writeApi();
  await tool('vitepress/bin/vitepress.js', ['build', '.'], { env: { SIMDESCENT_BASE: base } });
  const vite = join(root, 'node_modules/vite/bin/vite.js');
  const args = [vite, 'build', '--outDir', join(site, 'demo'), '--logLevel', 'warn'];
  const env = { SIMDESCENT_DOCS: '../', ...(address && { SIMDESCENT_ADDRESS: `${address}demo/` }) };
  await run(process.execPath, args, { env, quiet: true });
  const { broken, pages, links } = brokenLinks(site, base);
  if (broken.length) throw new Problem(`The site has links to what is not there:\n${broken.join('\n')}`);
  say(`docs: build/site/ (${pages} pages, ${links} links)`);
}

await entry(import.meta.url, async (args) => {
  const { values } = parseArgs({ args, options: { base: { type: 'string' }, address: { type: 'string' } } });
  await buildDocs(values);
});
