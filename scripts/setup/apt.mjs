// Debian's package manager, as far as the set-up needs it: install what is missing, and fetch
// packages of another Debian release into a folder without touching the system. No other
// package manager is known here; where apt is missing the callers say what to install by hand.
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Problem, run, say, which } from './run.mjs';

/** The fields of /etc/os-release, or {} elsewhere. */
export function osRelease(file = '/etc/os-release') {
  if (!existsSync(file)) return {};
  const lines = readFileSync(file, 'utf8').matchAll(/^(\w+)="?(.*?)"?$/gm);
  return Object.fromEntries([...lines].map(([, key, value]) => [key, value]));
}

/** The words to put before a command so that it runs as root, or undefined if that cannot be had. */
async function asRoot() {
  if (process.getuid?.() === 0) return [];
  if (!which('sudo')) return undefined;
  return run('sudo', ['-n', 'true'], { quiet: true }).then(
    () => ['sudo', '-n'],
    () => undefined,
  );
}

export const hasRoot = async () => (await asRoot()) !== undefined;

/** Installs packages of the system's own release. */
export async function install(packages) {
  const byHand = `apt-get install ${packages.join(' ')}`;
  if (!which('apt-get')) throw new Problem(`Please install what Debian calls: ${packages.join(' ')}`);
  const before = await asRoot();
  if (!before) throw new Problem(`Root is needed once to install packages. Please run: sudo ${byHand}`);
  say(`installing ${packages.join(' ')}`);
  const apt = (...args) => {
    const command = [...before, 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', '-q'];
    return run(command[0], [...command.slice(1), '-o', 'DPkg::Lock::Timeout=300', ...args], { quiet: true });
  };
  // An unreachable third-party source must not stop the packages that other sources have.
  await apt('update').catch((error) => say(error.message));
  await apt('install', '-y', '--no-install-recommends', ...packages);
}

/** The version of a package the system would install, or undefined. Reads apt's lists, fetches nothing. */
export async function candidate(name) {
  if (!which('apt-cache')) return undefined;
  const text = await run('apt-cache', ['policy', name], { capture: true, env: { LC_ALL: 'C' } }).catch(
    () => '',
  );
  const version = /Candidate: (\S+)/.exec(text)?.[1];
  return version === '(none)' ? undefined : version;
}

/** Every enabled binary entry of apt's source files, in apt's order: { uri, suites, components }. */
export function sources(folder = '/etc/apt') {
  const parts = join(folder, 'sources.list.d');
  const names = existsSync(parts)
    ? readdirSync(parts)
        .sort()
        .map((name) => join(parts, name))
    : [];
  const files = [join(folder, 'sources.list'), ...names].filter(existsSync);
  return files.flatMap((file) => {
    if (file.endsWith('.list')) return oneLine(readFileSync(file, 'utf8'));
    return file.endsWith('.sources') ? deb822(readFileSync(file, 'utf8')) : [];
  });
}

function oneLine(text) {
  const entries = text.matchAll(/^[ \t]*deb[ \t]+(?:\[[^\]]*\][ \t]+)?(\S+)[ \t]+(\S+)[ \t]*([^#\n]*)/gm);
  return [...entries].map(([, uri, suite, rest]) => ({ uri, suites: [suite], components: words(rest) }));
}

function deb822(text) {
  const bare = text.replace(/^#.*\n?/gm, '');
  return bare.split(/\n\s*\n/).flatMap((stanza) => {
    const joined = stanza.replace(/\n[ \t]+/g, ' ');
    const field = (name) => words(new RegExp(`^${name}:(.*)$`, 'im').exec(joined)?.[1] ?? '');
    if (!field('Types').includes('deb') || /^no$/i.test(field('Enabled')[0] ?? '')) return [];
    return field('URIs').map((uri) => ({ uri, suites: field('Suites'), components: field('Components') }));
  });
}

const words = (text) => text.split(/\s+/).filter(Boolean);

/** The mirror of Debian's main archive that this machine is set up to use, or undefined. */
export function debianMirror(entries = sources(), { ID, VERSION_CODENAME } = osRelease()) {
  const own = [VERSION_CODENAME, 'oldstable', 'stable', 'testing', 'unstable', 'sid'];
  const suites = ID === 'debian' ? own : [...own.slice(1), 'bookworm', 'trixie', 'forky'];
  const found = entries.find(
    ({ suites: offered, components }) =>
      components.includes('main') && offered.some((suite) => suites.includes(suite)),
  );
  return found?.uri;
}

const keyrings = [
  '/usr/share/keyrings/debian-archive-keyring.gpg',
  '/usr/share/keyrings/debian-archive-keyring.pgp',
];

/**
 * An apt of its own in `folder`, for one suite of one mirror: private lists and an empty list of
 * installed packages, so that it needs no root and resolves every dependency. The machine's own
 * settings (proxies, certificates, credentials) still apply. Signatures are checked as always.
 */
export async function privateApt(folder, mirror, suite) {
  const keyring = keyrings.find(existsSync);
  if (!keyring)
    throw new Problem("Debian's archive keys are missing. Please install debian-archive-keyring.");
  for (const path of ['lists/partial', 'cache/archives/partial', 'state']) {
    mkdirSync(join(folder, path), { recursive: true });
  }
  writeFileSync(join(folder, 'status'), '');
  writeFileSync(join(folder, 'sources.list'), `deb [signed-by=${keyring}] ${mirror} ${suite} main\n`);
  const settings = {
    'Dir::State': join(folder, 'state'),
    'Dir::State::Lists': join(folder, 'lists'),
    'Dir::State::status': join(folder, 'status'),
    'Dir::Cache': join(folder, 'cache'),
    'Dir::Etc::sourcelist': join(folder, 'sources.list'),
    'Dir::Etc::sourceparts': '-',
    'Dir::Etc::preferences': '-',
    'Dir::Etc::preferencesparts': '-',
    'Acquire::Languages': 'none',
    'Acquire::Retries': '3',
  };
  // Root would otherwise hand downloads to the user _apt, who may not write into this folder.
  if (process.getuid?.() === 0) settings['APT::Sandbox::User'] = 'root';
  const options = Object.entries(settings).flatMap(([key, value]) => ['-o', `${key}=${value}`]);
  const apt = (args, cwd = folder) =>
    run('apt-get', [...options, '-q', ...args], { cwd, capture: true, env: { LC_ALL: 'C' } });

  const problems = await apt(['update', '-o', 'APT::Update::Error-Mode=any']).then(
    () => '',
    (error) => error.message,
  );
  if (/NO_PUBKEY|not signed|EXPKEYSIG/.test(problems)) {
    throw new Problem(
      `The Debian keys on this machine are too old to check ${suite}. ` +
        'Please upgrade debian-archive-keyring and run this again.',
    );
  }
  if (problems) {
    const errors = problems.split('\n').filter((line) => line.startsWith('E: '));
    throw new Problem(`Debian ${suite} cannot be read from ${mirror}:\n${errors.join('\n') || problems}`);
  }
  return {
    /** The names of everything that installing `packages` on an empty system would unpack. */
    async closure(packages) {
      const plan = await apt(['install', '--simulate', '--no-install-recommends', ...packages]);
      return [...plan.matchAll(/^Inst (\S+)/gm)].map(([, name]) => name);
    },
    /** Downloads packages (no dependencies) into a folder. */
    download: (packages, into) => apt(['download', ...packages], into),
  };
}
