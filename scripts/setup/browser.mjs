// The browsers that the tests drive: ones that are installed already, else Debian's packages.
// Nothing is downloaded from anywhere else.
import { homedir } from 'node:os';
import { join } from 'node:path';
import { install, osRelease } from './apt.mjs';
import { executable, Problem, which } from './run.mjs';

const chrome = {
  title: 'Chrome or Chromium',
  variable: 'CHROME_PATH',
  debian: 'chromium',
  names: ['google-chrome-stable', 'google-chrome', 'chromium', 'chromium-browser', 'chrome'],
  places: [
    '/opt/google/chrome/chrome',
    '/usr/lib/chromium/chromium',
    '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
    '/Applications/Chromium.app/Contents/MacOS/Chromium',
    join(homedir(), 'Applications/Google Chrome.app/Contents/MacOS/Google Chrome'),
  ],
};

const mozilla = {
  title: 'Firefox',
  variable: 'FIREFOX_PATH',
  debian: 'firefox-esr',
  names: ['firefox-esr', 'firefox'],
  places: [
    '/Applications/Firefox.app/Contents/MacOS/firefox',
    join(homedir(), 'Applications/Firefox.app/Contents/MacOS/firefox'),
  ],
};

/** The path of an installed browser, or undefined. What its variable says goes first. */
function find({ variable, names, places }) {
  const chosen = process.env[variable];
  if (chosen) {
    if (executable(chosen)) return chosen;
    throw new Problem(`${variable} is ${chosen}, which is not a program.`);
  }
  return names.map((name) => which(name)).find(Boolean) ?? places.find(executable);
}

/** The path of a browser, installed first if need be. */
async function findOrInstall(browser) {
  const found = find(browser);
  if (found) return found;
  const { title, variable, debian } = browser;
  // Ubuntu's packages of these names are empty shells round snaps.
  if (osRelease().ID !== 'debian') {
    throw new Problem(`The tests need ${title}: install it, or set ${variable} to it.`);
  }
  await install([debian]);
  return find(browser) ?? Promise.reject(new Problem(`${debian} was installed but is not in PATH.`));
}

export const findChromium = () => find(chrome);
export const chromium = () => findOrInstall(chrome);
export const firefox = () => findOrInstall(mozilla);
