// Checks the package as npm would publish it: its files, how much one loads, what publint and "are the types wrong"
// say of it, and that the README's first example, and require(), run in an empty folder where nothing but the package is
// installed. What the package computes is tested elsewhere.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { coreSize } from '../core-size.mjs';
import { Problem, root, run, say } from '../setup/run.mjs';

const allowed = [
  /^(package\.json|README\.md|LICENSE)$/,
  /^dist\/[\w-]+\.js(\.map)?$/,
  /^dist\/([\w-]+\/)*[\w-]+\.d\.ts$/,
  /^dist\/(simdescent|kernels)\.wasm$/,
];
/** Bytes of the core entry, compressed. Raise it when something is worth its size, and say so in the commit. */
const coreCeiling = 76_000;
const required = ['README.md', 'LICENSE', 'package.json', 'dist/index.js', 'dist/index.d.ts'];

export async function checkPackage() {
  checkLockFiles();
  const folder = join(root, 'build', 'package');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const told = await run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], {
    capture: true,
  });
  const [{ files, size, unpackedSize }] = Object.values(JSON.parse(told));
  checkFiles(files.map(({ path }) => path));
  checkSize();
  const tarball = join(folder, readdirSync(folder)[0]);
  say(`${files.length} files, ${kilobytes(size)} packed, ${kilobytes(unpackedSize)} unpacked`);

  const bin = (path) => join(root, 'node_modules', path);
  await run(process.execPath, [bin('publint/src/cli.js'), 'run', tarball, '--strict'], { quiet: true });
  // Everybody resolves it, old resolvers too; require() gets an ES module, which Node can since 20.19.
  const attw = [tarball, '--ignore-rules', 'cjs-resolves-to-esm'];
  await run(process.execPath, [bin('@arethetypeswrong/cli/dist/index.js'), ...attw], { quiet: true });
  await runExample(tarball);
}

const kilobytes = (bytes) => `${Math.round(bytes / 1000)} kB`;

/** A lock file with addresses in it would bind everybody to the registry of whoever wrote it. */
function checkLockFiles() {
  for (const file of ['package-lock.json', 'docs/package-lock.json']) {
    const { packages } = JSON.parse(readFileSync(join(root, file), 'utf8'));
    const bound = Object.keys(packages).find((path) => packages[path].resolved);
    if (bound) throw new Problem(`${file} names the address of ${bound}; .npmrc keeps these out.`);
  }
}

function checkFiles(paths) {
  const strange = paths.filter((path) => !allowed.some((pattern) => pattern.test(path)));
  if (strange.length)
    throw new Problem(`The package would hold files that nobody needs: ${strange.join(', ')}`);
  const targets = Object.values(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).exports);
  const exported = targets.flatMap((target) =>
    typeof target === 'string' ? [target] : Object.values(target),
  );
  const missing = [...required, ...exported.map((path) => path.replace('./', ''))].filter(
    (path) => !paths.includes(path),
  );
  if (missing.length) throw new Problem(`The package would lack: ${missing.join(', ')}`);
}

function checkSize() {
  const { all, script } = coreSize();
  const parts = `${kilobytes(all)} (brotli), ${kilobytes(script)} of them without the wasm`;
  say(`importing simdescent loads ${parts}`);
  if (all > coreCeiling)
    throw new Problem(`The core entry has grown to ${parts}; the ceiling is ${kilobytes(coreCeiling)}.`);
}

async function runExample(tarball) {
  const example = /^```js\n([\s\S]*?)^```/m.exec(readFileSync(join(root, 'README.md'), 'utf8'))?.[1];
  if (!example) throw new Problem('README.md has no example in JavaScript (```js).');
  // Outside the repository, or Node would find this checkout's own package.
  const folder = await mkdtemp(join(tmpdir(), 'simdescent-example-'));
  try {
    writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
    writeFileSync(join(folder, 'example.mjs'), example);
    const options = ['--offline', '--no-audit', '--no-fund'];
    await run('npm', ['install', ...options, tarball], { cwd: folder, quiet: true });
    const printed = await run(process.execPath, ['example.mjs'], { cwd: folder, capture: true });
    say(`the README's first example printed: ${printed.trim() || 'nothing'}`);
    if (!process.features.require_module) return; // Node before 20.19
    const required =
      'console.log(typeof require("simdescent").Adam, typeof require("simdescent/keras").openKeras)';
    writeFileSync(join(folder, 'required.cjs'), required);
    const found = await run(process.execPath, ['required.cjs'], { cwd: folder, capture: true });
    if (found.trim() !== 'function function') throw new Problem(`require() of the package gave ${found}.`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
