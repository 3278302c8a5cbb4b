// `npm run fuzz -- --minutes N`: builds the package, and runs random sequences of calls against a plain model.
import { build } from './build.mjs';
import { runNode } from './run-node.mjs';
import { entry } from './setup/run.mjs';

await entry(import.meta.url, async (args) => {
  await build();
  process.exitCode = await runNode('tests/fuzz/main.mjs', args);
});
