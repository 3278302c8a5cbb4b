// Runs every vector file of a folder through the library and returns one result per case, schedule,
// training run or refused call. Printing and judging the whole is left to the caller.
import { init } from '../../../dist/index.js';
import { prepareDigits, runDigits } from './digits.mjs';
import { runErrorRow } from './errors.mjs';
import { checkAbsent, exceptionFor, unknownClasses } from './exceptions.mjs';
import { loadFolder } from './load.mjs';
import { runCase } from './run-case.mjs';
import { runSchedule } from './schedules.mjs';
import { Unsupported } from './subject.mjs';

/** What a vector file of each kind holds: { id, category, exception?, run() → failures }. */
const entriesOf = {
  cases: ({ cases }) =>
    cases.map((c) => ({
      id: c.id,
      category: c.category,
      exception: exceptionFor(c),
      run: () => {
        const unknown = unknownClasses(c);
        return unknown.length > 0 ? unknown : runCase(c);
      },
    })),
  schedules: ({ schedules }) =>
    schedules.map((s) => ({
      id: s.id,
      category: s.schedule.class_name,
      run: () => runSchedule(s),
    })),
  runs: (body) => {
    const digits = prepareDigits(body);
    return body.runs.map((r) => ({ id: r.id, category: r.optimizer, run: () => runDigits(r, digits) }));
  },
  errors: ({ errors }) =>
    errors.map((row, i) => ({ id: `#${i} ${row.call}`, category: row.group, run: () => runErrorRow(row) })),
};

async function resultOf(file, { id, category, exception, run }) {
  const result = { file, id, category, status: 'passed', failures: [] };
  if (exception) return { ...result, status: 'exception', reason: exception };
  try {
    const answer = await run();
    // The table of refusals answers with its reason where it deviates from Keras on purpose.
    if (answer.exception) return { ...result, status: 'exception', reason: answer.exception };
    return answer.length > 0 ? { ...result, status: 'failed', failures: answer } : result;
  } catch (error) {
    if (error instanceof Unsupported) return { ...result, status: 'unsupported', reason: error.message };
    const failures = [{ what: 'threw', got: error.stack, expected: 'no error' }];
    return { ...result, status: 'failed', failures };
  }
}

/** { files: [{ file, results }] }; `only` keeps the cases whose id or category it names. */
export async function runFolder(dir, { only } = {}) {
  await init();
  checkAbsent();
  const files = [];
  for (const { file, kind, body } of await loadFolder(dir)) {
    const results = [];
    for (const entry of entriesOf[kind](body)) {
      if (only && entry.id !== only && entry.category !== only) continue;
      results.push(await resultOf(file, entry));
    }
    if (results.length > 0) files.push({ file, results });
  }
  return { files };
}
