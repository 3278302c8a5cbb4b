// `npm run conformance -- DIR`: replays recorded trajectories from a folder through the built package.
// The runner itself is tests/node/conformance.mjs.
import { resolve } from 'node:path';
import { build } from './build.mjs';
import { runNode } from './run-node.mjs';
import { entry } from './setup/run.mjs';

await entry(import.meta.url, async (args) => {
  await build();
  // npm changes into the package's folder: a relative folder is meant from where the user is.
  const from = process.env.INIT_CWD ?? process.cwd();
  const first = args.findIndex((arg) => !arg.startsWith('-'));
  if (first >= 0) args[first] = resolve(from, args[first]);
  process.exitCode = await runNode('tests/node/conformance.mjs', args);
});
