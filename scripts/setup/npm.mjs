// The npm packages of a package-lock.json, the repository's or that of docs/, installed when node_modules is not what the
// lock file says.
// Install scripts never run: no package here may need one.
import { existsSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { Problem, root, run, say, which } from './run.mjs';

export async function npmPackages(folder = root) {
  if (upToDate(folder)) return;
  if (!which('npm')) throw new Problem('npm is not in PATH. It comes with Node.js 20 or newer.');
  const command = existsSync(join(folder, 'package-lock.json')) ? 'ci' : 'install';
  say(`installing npm packages${folder === root ? '' : ` of ${relative(root, folder)}/`} (npm ${command})`);
  await run('npm', [command, '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: folder, quiet: true });
}

/** Compares the lock file with the record that npm keeps in node_modules of what it installed. */
function upToDate(folder) {
  const wanted = packagesOf(join(folder, 'package-lock.json'));
  const present = packagesOf(join(folder, 'node_modules', '.package-lock.json'));
  if (!wanted || !present) return false;
  return Object.entries(wanted).every(([path, { version, optional, devOptional }]) => {
    if (path === '') return true;
    // Optional packages are those of other platforms, for the most part.
    return present[path] ? present[path].version === version : optional || devOptional;
  });
}

function packagesOf(file) {
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')).packages : undefined;
}
