// Command line: runs a folder of conformance vectors through the built package and prints what came out.
// Exits with 1 if anything failed and with 2 if a file of the folder would not be run; cases that the library cannot
// run yet are counted apart.
import { parseArgs } from 'node:util';
import { count, reportText } from './conformance/report.mjs';
import { runFolder } from './conformance/run-folder.mjs';

const USAGE = 'usage: npm run conformance -- DIR [--verbose] [--only ID-OR-CATEGORY]';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { verbose: { type: 'boolean', default: false }, only: { type: 'string' } },
});

if (positionals.length !== 1) {
  console.error(USAGE);
  process.exit(2);
}

const outcome = await runFolder(positionals[0], { only: values.only }).catch((error) => {
  console.error(`${error.message}\n${USAGE}`);
  process.exit(2);
});
console.log(reportText(outcome, { verbose: values.verbose }));
const all = outcome.files.flatMap((f) => f.results);
if (all.length === 0) console.error(`nothing in the folder is called ${values.only}`);
process.exitCode = all.length === 0 || count(all).failed > 0 ? 1 : 0;
