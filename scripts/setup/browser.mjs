// A Chrome or Chromium for the browser tests: one that is installed already, else Debian's package.
// Nothing is downloaded from anywhere else.
import { homedir } from 'node:os';
import { join } from 'node:path';
import { install, osRelease } from './apt.mjs';
import { executable, Problem, which } from './run.mjs';

const names = ['google-chrome-stable', 'google-chrome', 'chromium', 'chromium-browser', 'chrome'];

const places = [
  '/opt/google/chrome/chrome',
  '/usr/lib/chromium/chromium',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  join(homedir(), 'Applications/Google Chrome.app/Contents/MacOS/Google Chrome'),
];

/** The path of an installed browser, or undefined. CHROME_PATH goes first. */
export function findChromium() {
  const chosen = process.env.CHROME_PATH;
  if (chosen) {
    if (executable(chosen)) return chosen;
    throw new Problem(`CHROME_PATH is ${chosen}, which is not a program.`);
  }
  return names.map((name) => which(name)).find(Boolean) ?? places.find(executable);
}

/** The path of a browser, installed first if need be. */
export async function chromium() {
  const found = findChromium();
  if (found) return found;
  // Ubuntu's package of that name is an empty shell round a snap.
  if (osRelease().ID !== 'debian') {
    throw new Problem('The browser tests need Chrome or Chromium: install one, or set CHROME_PATH to it.');
  }
  await install(['chromium']);
  return findChromium() ?? Promise.reject(new Problem('Chromium was installed but is not in PATH.'));
}
