// The tests of a folder, with one file on each core: `node --test` leaves one core to itself, which is half of two.
// The option for that is younger than the oldest Node that the package works in; this function is not.
import { availableParallelism } from 'node:os';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { filesBelow } from './files.mjs';

const isGpu = (file) => file.endsWith('gpu.test.mjs');
// The file of all GPU tests takes longest, and would still run when the others have ended.
const files = filesBelow(process.argv[2], /\.test\.mjs$/).sort((a, b) => isGpu(b) - isGpu(a));

run({ files, concurrency: availableParallelism() })
  .on('test:fail', () => {
    process.exitCode = 1;
  })
  .compose(spec)
  .pipe(process.stdout);
