// A lock file between processes: the second one waits until the first has finished. A lock whose
// owner has died, or that has not been freed for an hour, is taken over. It saves work and is not
// a guarantee: what it guards must stay whole if two got in (here: a folder renamed into place).
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { say } from './run.mjs';

const longest = 60 * 60 * 1000;

export async function withLock(path, work) {
  let told = false;
  while (!take(path)) {
    if (stale(path)) {
      rmSync(path, { force: true });
      continue;
    }
    if (!told) say(`waiting for another process to finish (lock file ${path})`);
    told = true;
    await sleep(500);
  }
  try {
    return await work();
  } finally {
    rmSync(path, { force: true });
  }
}

function take(path) {
  try {
    writeFileSync(path, `${process.pid} ${hostname()}`, { flag: 'wx' });
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  }
}

function stale(path) {
  try {
    if (Date.now() - statSync(path).mtimeMs > longest) return true;
    const [pid, host] = readFileSync(path, 'utf8').split(' ');
    // Empty: its owner is between making the file and writing its name.
    return host === hostname() && !alive(Number(pid));
  } catch (error) {
    if (error.code === 'ENOENT') return false; // freed meanwhile
    throw error;
  }
}

function alive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}
