// Starts Node in an environment of its own, and asks there for an adapter.
import { spawn } from 'node:child_process';
import { root } from '../node/helpers.mjs';

/** Resolves to the exit code, what was written on stdout and on both, and what was told on descriptor 3. */
export function run(args, env) {
  return new Promise((resolve) => {
    const { NODE_TEST_CONTEXT: _, ...inherited } = process.env; // or it would take itself for a part of its caller
    const stdio = ['ignore', 'pipe', 'pipe', 'pipe'];
    const child = spawn(process.execPath, args, { cwd: root, env: { ...inherited, ...env }, stdio });
    const ended = { out: '', text: '', told: '' };
    const collect = (stream, ...keys) =>
      stream.setEncoding('utf8').on('data', (data) => {
        for (const key of keys) ended[key] += data;
      });
    collect(child.stdout, 'out', 'text');
    collect(child.stderr, 'text');
    collect(child.stdio[3], 'told');
    child.on('close', (code) => resolve({ code, ...ended }));
  });
}

/** The adapter that a process with this environment finds: { description }, or null. */
export async function adapterIn(env) {
  const { told } = await run(['tests/gpu/probe.mjs'], env);
  return told ? JSON.parse(told) : null; // nothing: a driver has ended the process
}
