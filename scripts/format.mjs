// `npm run format`: rewrites all sources in the project's style. `npm test` checks the same.
import { npmPackages } from './setup/npm.mjs';
import { entry, root, run } from './setup/run.mjs';
import { testTools } from './setup/tools.mjs';
import { cppFiles } from './test/files.mjs';

await entry(import.meta.url, async () => {
  await npmPackages();
  await testTools();
  await run(process.execPath, [`${root}/node_modules/@biomejs/biome/bin/biome`, 'check', '--write', '.']);
  await run('clang-format', ['-i', ...cppFiles()]);
});
