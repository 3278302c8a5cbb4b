// `npm run build:demo`: builds the package and then the demo into build/demo, a folder of static files that any
// file host can serve, under any path and without special headers.
import { build } from './build.mjs';
import { entry, root, say } from './setup/run.mjs';

export async function buildDemo() {
  await build();
  const vite = await import('vite');
  await vite.build({ configFile: `${root}/vite.config.js`, logLevel: 'warn' });
  say('demo: build/demo/');
}

await entry(import.meta.url, buildDemo);
