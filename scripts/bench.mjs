// `npm run bench`: builds the package and the yardsticks, and runs the benchmark in tests/bench with the given
// arguments.
import { build, buildWasm } from './build.mjs';
import { runNode } from './run-node.mjs';
import { entry } from './setup/run.mjs';

await entry(import.meta.url, async (args) => {
  await build();
  await buildWasm(['yardsticks']);
  process.exitCode = await runNode('tests/bench/main.mjs', args);
});
