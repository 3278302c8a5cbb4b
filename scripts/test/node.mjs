// The tests of tests/node with one file on each core: `node --test` leaves one core to itself, which is half of two.
// The option for that is younger than the oldest Node that the package works in; this function is not.
import { availableParallelism } from 'node:os';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { filesBelow } from './files.mjs';

run({ files: filesBelow('tests/node', /\.test\.mjs$/), concurrency: availableParallelism() })
  .on('test:fail', () => {
    process.exitCode = 1;
  })
  .compose(spec)
  .pipe(process.stdout);
