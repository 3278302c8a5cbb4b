// A Python that takes turns with this process: it is given a program, and answers a line of JSON with a line of JSON. The
// first line that it prints says what it has, or as `missing` what it lacks.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

/**
 * @param program a file beside this one
 * @returns { missing } in words, or what the program says of itself, with { ask, end }.
 */
export async function startPython(python, program) {
  // As an argument, not as a file or as the input: then `python` may be a wrapper that goes elsewhere.
  const source = readFileSync(new URL(program, import.meta.url), 'utf8');
  const child = spawn(python, ['-c', source], { stdio: ['pipe', 'pipe', 'inherit'] });
  const failed = once(child, 'error').then(([{ message }]) => ({
    value: JSON.stringify({ missing: message }),
  }));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const answer = async () => {
    const { value, done } = await Promise.race([lines.next(), failed]);
    return done ? { missing: 'it has ended' } : JSON.parse(value);
  };
  const ask = async (what) => {
    child.stdin.write(`${JSON.stringify(what)}\n`);
    const answered = await answer();
    if (answered.missing) throw new Error(`${python}: ${answered.missing}`);
    return answered;
  };
  return { ...(await answer()), ask, end: () => child.stdin.end() };
}
