// Unpacks Debian's Emscripten and the compiler under it into a folder of its own, on machines whose
// own package is too old. No root is needed and nothing of the system changes. Deciding whether this
// is wanted, and finding other installations, is emscripten.mjs' business.
import {
  closeSync,
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  realpathSync,
  renameSync,
  rmSync,
  statfsSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { debianMirror, privateApt } from './apt.mjs';
import { withLock } from './lock.mjs';
import { cacheFolder, Problem, run, say, which } from './run.mjs';

const suite = 'trixie';
const version = '3.1.69';
const recipe = 1; // raise it when what is unpacked or patched changes: old folders are then left alone
const wantedBytes = 3e9;

/** Where this recipe's toolchain lies; it is whole when `ready` is in it. */
const prefixFolder = () => join(cacheFolder(), `emscripten-${version}-${recipe}`);
export const prefixReady = (folder = prefixFolder()) => existsSync(join(folder, 'ready'));
export const prefixHome = (folder = prefixFolder()) => join(folder, 'usr', 'share', 'emscripten');

const roots = ['emscripten', 'patchelf'];

// What apt's plan holds besides: Node, Python and the native C++ compiler's world are the machine's
// own or not used, the rest are tools that emcc never starts. Everything not named here is kept, so
// that a library which a later build of clang needs is there.
const unused = [
  /^(nodejs|libnode\d+|node-(corepack|undici))$/,
  /^(lib)?python3/,
  /^(binutils|libbinutils|libgprofng|libctf|libsframe|cpp|gcc|g\+\+)/,
  /^(libc6|libcrypt|libgcc-\d+|libstdc\+\+-\d+|libobjc-\d+|linux-libc)-dev$/,
  /^(libc-dev-bin|rpcsvc-proto|lib[a-z]*san\d+|libclang1-.*|ccache|dpkg|tar|debconf|tzdata|media-types|netbase)$/,
  /^(libcurl|libldap|libgnutls|libsasl2|libkrb5|libgssapi|libssh2|openssl|libssl|libp11|libdb5|libsqlite3)/,
];

// Variants of the system libraries for link-time optimisation and dynamic linking (1.2 GB), and papers.
const leftOut = [
  '*/wasm32-emscripten/lto',
  '*/wasm32-emscripten/lto-pic',
  '*/wasm32-emscripten/pic',
  './usr/share/emscripten/test',
  './usr/share/emscripten/docs',
  './usr/share/doc',
  './usr/share/man',
];

/** Makes the prefix unless it is there, and resolves to its folder. */
export async function makePrefix({ python }) {
  const folder = prefixFolder();
  if (prefixReady(folder)) return folder;
  mkdirSync(dirname(folder), { recursive: true });
  await withLock(`${folder}.lock`, async () => {
    if (prefixReady(folder)) return;
    checkMachine();
    const started = Date.now();
    for (const name of readdirSync(dirname(folder))) {
      if (name.startsWith(`${basename(folder)}.new-`))
        rmSync(join(dirname(folder), name), { recursive: true });
    }
    rmSync(folder, { recursive: true, force: true });
    const fresh = `${folder}.new-${process.pid}`;
    try {
      await unpack(fresh);
      await patch(fresh, folder);
      configure(fresh, folder);
      renameSync(fresh, folder);
      await tryOut(folder, python);
      writeFileSync(join(folder, 'ready'), '');
    } catch (error) {
      rmSync(fresh, { recursive: true, force: true });
      if (!prefixReady(folder)) rmSync(folder, { recursive: true, force: true });
      throw error;
    }
    say(`Emscripten ${version} is ready in ${folder} (${Math.round((Date.now() - started) / 1000)} s)`);
  });
  return folder;
}

function checkMachine() {
  const missing = ['apt-get', 'dpkg-deb', 'tar'].filter((name) => !which(name));
  if (missing.length) throw new Problem(`${missing.join(', ')} not found`);
  const { bavail, bsize } = statfsSync(cacheFolder());
  if (bavail * bsize < wantedBytes) {
    throw new Problem(
      `Unpacking Emscripten needs 3 GB in ${cacheFolder()}, ${((bavail * bsize) / 1e9).toFixed(1)} GB are free. ` +
        'Make room, or set XDG_CACHE_HOME to a folder on a larger disk.',
    );
  }
}

async function unpack(fresh) {
  const mirror = debianMirror();
  if (!mirror) throw new Problem('No Debian mirror is configured in /etc/apt.');
  const work = join(fresh, 'download');
  const debs = join(work, 'debs');
  mkdirSync(debs, { recursive: true });
  say(`fetching Emscripten ${version} of Debian ${suite} from ${mirror} (about 330 MB, once)`);
  const apt = await privateApt(join(work, 'apt'), mirror, suite);
  const packages = (await apt.closure(roots)).filter((name) => !unused.some((pattern) => pattern.test(name)));
  await apt.download(packages, debs);
  say(`unpacking ${packages.length} packages`);
  for (const deb of readdirSync(debs)) {
    const exclude = leftOut.map((pattern) => `--exclude=${pattern}`);
    const script =
      'deb=$1; to=$2; shift 2; dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$to" --no-same-owner "$@"';
    await run('bash', ['-o', 'pipefail', '-c', script, 'unpack', join(debs, deb), fresh, ...exclude], {
      quiet: true,
    });
  }
  rmSync(work, { recursive: true });
}

/** Makes every program load the prefix's own C library and libraries, wherever the machine's are. */
async function patch(fresh, folder) {
  const libraries = libraryFolders(fresh);
  const loader = libraries.flatMap((path) => readdirSync(join(fresh, path)).map((name) => join(path, name)));
  const ld = loader.find((path) => /\/ld-linux[^/]*\.so\.\d+$/.test(path));
  if (!ld) throw new Problem('the C library of the unpacked packages has no loader');
  // Patching needs patchelf, which needs no patching when its loader is started by hand.
  const searched = libraries.map((path) => join(fresh, path)).join(':');
  const patchelf = ['--library-path', searched, join(fresh, 'usr/bin/patchelf')];
  const rpath = libraries.map((path) => join(folder, path)).join(':');
  const programs = ['usr/bin', 'usr/lib/llvm-19/bin']
    .flatMap((path) => readdirSync(join(fresh, path)).map((name) => join(fresh, path, name)))
    .filter((path) => lstatSync(path).isFile() && isElf(path) && basename(path) !== 'patchelf');
  say(`patching ${programs.length} programs`);
  // --force-rpath: unlike a run path, it also holds for the libraries' own libraries.
  const edit = ['--set-interpreter', join(folder, ld), '--force-rpath', '--set-rpath', rpath];
  await run(join(fresh, ld), [...patchelf, ...edit, ...programs], { quiet: true });
}

/** Relative folders that hold shared libraries: usr/lib/<triplet> and LLVM's own. */
function libraryFolders(fresh) {
  const triplet = readdirSync(join(fresh, 'usr/lib')).find((name) => /-linux-gnu/.test(name));
  if (!triplet) throw new Problem('the unpacked packages hold no libraries');
  return [`usr/lib/${triplet}`, 'usr/lib/llvm-19/lib'].filter((path) => existsSync(join(fresh, path)));
}

function isElf(path) {
  const file = openSync(path, 'r');
  const head = Buffer.alloc(4);
  readSync(file, head, 0, 4, 0);
  closeSync(file);
  return head.equals(Buffer.from('\x7fELF'));
}

function configure(fresh, folder) {
  const scripts = prefixHome(fresh);
  const found = readFileSync(join(scripts, 'emscripten-version.txt'), 'utf8').replace(/["\s]/g, '');
  say(`unpacked Emscripten ${found}`);
  // The scripts' JavaScript imports acorn by name, which Debian keeps in a folder that only its own Node searches.
  symlinkSync('../nodejs', join(scripts, 'node_modules'));
  const lines = [
    `LLVM_ROOT = ${JSON.stringify(join(folder, 'usr/lib/llvm-19/bin'))}`,
    `BINARYEN_ROOT = ${JSON.stringify(join(folder, 'usr'))}`,
    "NODE_JS = 'node'  # EM_NODE_JS in the environment names the one to use",
    'FROZEN_CACHE = True',
  ];
  writeFileSync(join(scripts, '.emscripten'), `${lines.join('\n')}\n`);
}

/** Compiles, links and runs a small program: the only proof that all libraries were found. */
async function tryOut(folder, python) {
  const work = join(folder, 'try-out');
  mkdirSync(work, { recursive: true });
  const source =
    '#include <cstdio>\n#include <cmath>\nint main(int n, char**) { std::printf("%.1f\\n", std::sqrt(n * 4.0)); }\n';
  writeFileSync(join(work, 'main.cpp'), source);
  const env = prefixEnv(folder, python);
  const compiler = join(prefixHome(folder), 'em++');
  await run(compiler, ['-O1', 'main.cpp', '-o', 'main.mjs'], { cwd: work, env, quiet: true });
  const start = "(await import('./main.mjs')).default()";
  const printed = await run(process.execPath, ['--input-type=module', '-e', start], {
    cwd: work,
    capture: true,
  });
  if (printed.trim() !== '2.0')
    throw new Problem(`the unpacked Emscripten compiled a program that printed: ${printed}`);
  rmSync(work, { recursive: true });
}

export function prefixEnv(folder, python) {
  return {
    EM_CONFIG: join(prefixHome(folder), '.emscripten'),
    EM_NODE_JS: realpathSync(process.execPath),
    EMSDK_PYTHON: python,
  };
}
