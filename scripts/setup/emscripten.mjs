// Finds Emscripten, or gets it: from PATH or EMSDK when recent enough, else from Debian's packages.
// `eval "$(node scripts/setup/emscripten.mjs)"` sets a shell up in the same way, so that
// `cmake --preset wasm` can be run by hand.
import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { candidate, debianMirror, hasRoot, install, osRelease } from './apt.mjs';
import { makePrefix, prefixEnv, prefixHome, prefixReady } from './emscripten-prefix.mjs';
import { entry, executable, Problem, run, which } from './run.mjs';

const oldest = [3, 1, 69];

/**
 * Resolves to { env, home, toolchainFile, emxx, wasmLd, version }: `env` holds the variables that
 * the compiler and CMakePresets.json read, `home` is the folder with Emscripten's scripts.
 */
export async function emscripten() {
  const { home, env } = await place();
  const toolchainFile = join(home, 'cmake', 'Modules', 'Platform', 'Emscripten.cmake');
  const wasmLd = await linker(home, env);
  return {
    env: { ...env, EMSCRIPTEN_TOOLCHAIN: toolchainFile, LLVM_ROOT: dirname(wasmLd) },
    home,
    toolchainFile,
    emxx: join(home, 'em++'),
    wasmLd,
    version: versionOf(home).join('.'),
  };
}

async function place() {
  const installed = await findInstalled();
  if (installed) return installed;
  const python = await pythonPath();
  const fromPrefix = (folder) => ({ home: prefixHome(folder), env: prefixEnv(folder, python) });
  if (prefixReady()) return fromPrefix();
  if (process.platform !== 'linux' || !['x64', 'arm64'].includes(process.arch)) throw byHand();
  if (recent(numbers((await candidate('emscripten')) ?? '')) && (await hasRoot())) {
    await install(['emscripten']);
    const fromSystem = await findInstalled();
    if (fromSystem) return fromSystem;
  }
  if (!which('apt-get') || !debianMirror()) throw byHand();
  return fromPrefix(await makePrefix({ python }));
}

function byHand() {
  const { PRETTY_NAME: name = process.platform } = osRelease();
  return new Problem(
    `Emscripten ${oldest.join('.')} or newer is needed, and there is no way to get it by itself on ${name} (${process.arch}).\n` +
      'Please install it with emsdk (its page: https://emscripten.org/docs/getting_started/downloads.html):\n' +
      '  ./emsdk install latest && ./emsdk activate latest && source ./emsdk_env.sh',
  );
}

async function findInstalled() {
  const sdk = process.env.EMSDK && join(process.env.EMSDK, 'upstream', 'emscripten', 'em++');
  const candidates = [which('em++'), sdk].filter((path) => path && executable(path));
  for (const path of candidates) {
    const home = await homeOf(path);
    if (home && recent(versionOf(home))) return { home, env: {} };
  }
  return undefined;
}

/** The folder with Emscripten's scripts, for an em++ that may be a link or a wrapper. */
async function homeOf(compiler) {
  const real = dirname(realpathSync(compiler));
  if (existsSync(join(real, 'emscripten-version.txt'))) return real;
  const config = join(dirname(compiler), 'em-config');
  if (!executable(config)) return undefined;
  const told = await run(config, ['EMSCRIPTEN_ROOT'], { capture: true }).catch(() => '');
  return existsSync(join(told.trim(), 'emscripten-version.txt')) ? told.trim() : undefined;
}

const versionOf = (home) => numbers(readFileSync(join(home, 'emscripten-version.txt'), 'utf8'));
const numbers = (text) => (/(\d+)\.(\d+)\.(\d+)/.exec(text) ?? []).slice(1).map(Number);

function recent(version) {
  if (version.length !== 3) return false;
  const differing = version.findIndex((part, index) => part !== oldest[index]);
  return differing < 0 || version[differing] > oldest[differing];
}

/** wasm-ld, which lies beside the compiler that this Emscripten is set up with. */
async function linker(home, env) {
  const folder = (await run(join(home, 'em-config'), ['LLVM_ROOT'], { capture: true, env })).trim();
  const name = readdirSync(folder).find((file) => /^wasm-ld(-\d+)?$/.test(file));
  if (!name) throw new Problem(`wasm-ld is not in ${folder}, where Emscripten's compiler is`);
  return join(folder, name);
}

/** A Python for Emscripten's scripts: the system's before shims of version managers, which are slow. */
async function pythonPath() {
  const found = () => ['/usr/bin/python3'].find(executable) ?? which('python3');
  if (!found()) await install(['python3']);
  return found();
}

await entry(import.meta.url, async () => {
  const { env } = await emscripten();
  const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
  for (const [name, value] of Object.entries(env)) console.log(`export ${name}=${quoted(value)}`);
});
