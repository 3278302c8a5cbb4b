// Runs one of the project's own Node programs with this terminal, and resolves to its exit code.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Problem, root } from './setup/run.mjs';

export function runNode(program, args) {
  const path = join(root, program);
  if (!existsSync(path)) throw new Problem(`${program} does not exist.`);
  return new Promise((done, fail) => {
    const child = spawn(process.execPath, [path, ...args], { cwd: root, stdio: 'inherit' });
    child.on('error', fail);
    child.on('close', (code) => done(code ?? 1));
  });
}
