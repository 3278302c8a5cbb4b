// Steps by several threads beside one. An engine is started once a process, so each number of threads has a
// process of its own (threads-child.mjs), which take turns.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

export const threadSizes = [2 ** 14, 2 ** 18, 2 ** 19, 2 ** 20, 2 ** 24];
const child = fileURLToPath(new URL('threads-child.mjs', import.meta.url));

async function once(threads, rule, size) {
  const { stdout } = await promisify(execFile)(process.execPath, [child, threads, rule, size]);
  return JSON.parse(stdout);
}

/** Rows of { group, rule, size, variant, ns, ratios: { 'one thread' } }, best of `rounds` processes. */
export async function* threads({ rules, sizes, rounds }) {
  for (const rule of rules) {
    for (const size of sizes) {
      const best = {};
      for (let round = 0; round < rounds; round++) {
        for (const count of [1, 2]) {
          const found = await once(count, rule, size);
          if (found.threads !== count) return; // no threads here: no rows
          const name = count === 1 ? 'one thread' : 'two threads';
          for (const [kind, ns] of Object.entries(found.ns)) {
            best[kind] ??= {};
            best[kind][name] = Math.min(best[kind][name] ?? Number.POSITIVE_INFINITY, ns);
          }
        }
      }
      for (const [kind, found] of Object.entries(best))
        for (const [name, ns] of Object.entries(found))
          yield {
            group: 'threads',
            rule,
            size,
            variant: `${name}, ${kind}`,
            ns,
            ratios: { 'one thread': ns / found['one thread'] },
          };
    }
  }
}
