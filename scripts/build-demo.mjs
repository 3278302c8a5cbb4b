// `npm run build:demo`: builds the package and then the demo into build/demo, a folder of static files that any
// file host can serve, under any path and without special headers. `--address https://…/` is where they will lie: those who
// show a card of a page that is sent on look for its picture at a whole address.
import { parseArgs } from 'node:util';
import { build } from './build.mjs';
import { entry, Problem, root, say } from './setup/run.mjs';

async function buildDemo({ address } = {}) {
  checkAddress(address);
  await build();
  if (address) process.env.SIMDESCENT_ADDRESS = address; // vite.config.js
  const vite = await import('vite');
  await vite.build({ configFile: `${root}/vite.config.js`, logLevel: 'warn' });
  say('demo: build/demo/');
}

export function checkAddress(address) {
  if (address === undefined) return;
  if (!/^https?:\/\//.test(address) || !address.endsWith('/') || !URL.canParse(address))
    throw new Problem(`--address must be an http(s) address that ends with a slash, got ${address}`);
}

await entry(import.meta.url, async (args) => {
  const { values } = parseArgs({ args, options: { address: { type: 'string' } } });
  await buildDemo(values);
});
