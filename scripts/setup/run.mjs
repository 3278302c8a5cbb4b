// What every set-up and command script shares: running programs, finding them, saying what goes on,
// and ending with one plain message when something cannot be done. Not a task runner.
import { AsyncLocalStorage } from 'node:async_hooks';
import { spawn } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, dirname, isAbsolute, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = resolve(dirname(fileURLToPath(import.meta.url)), '..', '..');

/** The folder that outlives a checkout, so that every clone on this machine shares what is in it. */
export function cacheFolder() {
  const base = process.env.XDG_CACHE_HOME;
  return join(base && isAbsolute(base) ? base : join(homedir(), '.cache'), 'simdescent');
}

/** A failure whose message is meant for the reader, not for a stack trace. */
export class Problem extends Error {}

/** Where work that goes on beside other work puts its output: a list of texts. */
const held = new AsyncLocalStorage();

/** One progress line. It goes to stderr: stdout is for what a script answers. */
export function say(line) {
  const text = `${line}\n`;
  if (held.getStore()) held.getStore().push(text);
  else process.stderr.write(text);
}

/** Does some work whose output, and that of the programs it runs, is put into a list instead of being printed. */
export const holdOutput = (texts, work) => held.run(texts, work);

export function executable(path) {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** The full path of a program in PATH, or undefined. */
export function which(name, path = process.env.PATH ?? '') {
  const folders = path.split(delimiter).filter(Boolean);
  return folders.map((folder) => join(folder, name)).find(executable);
}

/**
 * Runs a program to its end. Resolves to what it printed on stdout when `capture` is set; rejects
 * with a Problem that carries what matters of its output when it fails. `quiet` keeps the output back
 * unless it fails.
 */
export function run(command, args, { cwd = root, env = {}, capture = false, quiet = capture } = {}) {
  return new Promise((done, fail) => {
    const texts = held.getStore();
    const stdio = [
      'ignore',
      capture || quiet || texts ? 'pipe' : 'inherit',
      quiet || texts ? 'pipe' : 'inherit',
    ];
    const child = spawn(command, args, { cwd, env: { ...process.env, ...env }, stdio });
    let out = '';
    let all = '';
    child.stdout?.setEncoding('utf8').on('data', (text) => {
      out += text;
      all += text;
      if (!capture && !quiet) texts?.push(text);
    });
    child.stderr?.setEncoding('utf8').on('data', (text) => {
      all += text;
      if (!quiet) texts?.push(text);
    });
    const shown = [command, ...args].join(' ');
    child.on('error', (error) => fail(new Problem(`cannot run ${shown}: ${error.message}`)));
    child.on('close', (code, signal) => {
      if (code === 0) return done(out);
      const told = excerpt(all.trim());
      fail(new Problem(`${shown}\nended with ${signal ?? `exit code ${code}`}${told && `:\n${told}`}`));
    });
  });
}

/** The beginning, where programs say what is wrong, and the end, where compilers do. */
function excerpt(text, most = 120) {
  const lines = text.split('\n').map((line) => (line.length > 500 ? `${line.slice(0, 500)}…` : line));
  if (lines.length <= most) return lines.join('\n');
  const half = most / 2;
  return [...lines.slice(0, half), `… ${lines.length - most} lines …`, ...lines.slice(-half)].join('\n');
}

/** Runs `main` when `module` is the script node was started with, and turns a Problem into a line. */
export async function entry(module, main) {
  if (!process.argv[1] || resolve(process.argv[1]) !== fileURLToPath(module)) return;
  try {
    await main(process.argv.slice(2));
  } catch (error) {
    const plain = error instanceof Problem || error.code?.startsWith('ERR_PARSE_ARGS');
    say(plain ? `\n${error.message}` : (error.stack ?? String(error)));
    process.exitCode = 1;
  }
}
