// Lists of source files for the programs that want to be told each one.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Problem, root } from '../setup/run.mjs';

/** Files below a folder of the repository whose name fits, as paths from its root. None at all is an error. */
export function filesBelow(folder, pattern) {
  const found = existsSync(join(root, folder))
    ? readdirSync(join(root, folder), { recursive: true }).filter((name) => pattern.test(name))
    : [];
  if (found.length === 0) throw new Problem(`There is no file that fits ${pattern} in ${folder}/.`);
  return found.sort().map((name) => join(folder, name));
}

export const cppFiles = () => ['cpp', 'tests'].flatMap((folder) => filesBelow(folder, /\.(h|cc)$/));
