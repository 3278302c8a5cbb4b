// `npm run build`: sets up what is missing, compiles the wasm modules with CMake, and makes dist/
// (ES modules with the wasm inlined, types, and the wasm files by themselves). Steps whose inputs
// have not changed are skipped; dist/ is replaced as a whole, so nobody sees half of it.
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { writeFacts } from './facts.mjs';
import { emscripten } from './setup/emscripten.mjs';
import { withLock } from './setup/lock.mjs';
import { npmPackages } from './setup/npm.mjs';
import { entry, Problem, root, run, say } from './setup/run.mjs';
import { buildTools } from './setup/tools.mjs';

/**
 * The package's entry points: the name in dist/ and the source. package.json's exports name the same ones. Each imports
 * web/index.ts, also where it uses little of it, so that esbuild puts what they share into one file: every file more
 * takes Node, or a page, time to find.
 */
const entryPoints = {
  index: 'web/index.ts',
  keras: 'web/keras.ts',
  torch: 'web/torch.ts',
  tfjs: 'web/tfjs.ts',
  jax: 'web/jax.ts',
  memory: 'web/memory.ts',
  webgpu: 'web/webgpu.ts',
};

/** Optional peer dependencies, which are never bundled. */
const external = ['@jax-js/jax', 'h5wasm', 'fflate'];

/** What CMake makes, in build/wasm. The first two belong to the package, the third to the benchmark, the last to facts.mjs. */
const wasmTargets = ['simdescent', 'kernels', 'kernels-scalar', 'shaders', 'facts'];
const shippedWasm = ['simdescent.wasm', 'kernels.wasm'];

const at = (...names) => join(root, ...names);

export const build = () =>
  locked(async () => {
    await npmPackages();
    await buildTools();
    await compile(wasmTargets);
    await writeFacts(at('build', 'wasm'));
    await buildPackage();
  });

/** Builds targets of the preset `wasm`; `settings` are CMake's -D settings, which it remembers. */
export const buildWasm = (targets, settings) => locked(() => compile(targets, settings));

/** One build at a time in this checkout. */
function locked(work) {
  mkdirSync(at('build'), { recursive: true });
  return withLock(at('build', 'lock'), work);
}

async function compile(targets, settings = []) {
  const { env, version } = await emscripten();
  const folder = at('build', 'wasm');
  const stamp = join(folder, 'configured');
  const wanted = JSON.stringify([env, readFileSync(at('CMakePresets.json'), 'utf8')]);
  const known = existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted;
  if (!known || settings.length) {
    // Another compiler: what the old one left would be mixed with it.
    if (!known) rmSync(folder, { recursive: true, force: true });
    await run('cmake', ['--preset', 'wasm', ...settings], { env, quiet: true });
    writeFileSync(stamp, wanted);
  }
  say(`wasm: Emscripten ${version}, ${targets.join(', ')}`);
  await run('cmake', ['--build', folder, '--target', ...targets], { env, quiet: true });
}

async function buildPackage() {
  const stamp = at('build', 'package-inputs');
  const inputs = packageInputs();
  if (existsSync(at('dist', 'index.js')) && existsSync(stamp) && readFileSync(stamp, 'utf8') === inputs) {
    say('package: up to date');
    return;
  }
  const fresh = at('build', 'dist');
  rmSync(fresh, { recursive: true, force: true });
  await writeTypes(fresh);
  await bundle(fresh);
  for (const name of shippedWasm) cpSync(at('build', 'wasm', name), join(fresh, name));
  const old = at('build', 'dist-old');
  rmSync(old, { recursive: true, force: true });
  if (existsSync(at('dist'))) renameSync(at('dist'), old);
  renameSync(fresh, at('dist'));
  rmSync(old, { recursive: true, force: true });
  writeFileSync(stamp, inputs);
  say(`package: dist/ (${Object.keys(entryPoints).join(', ')})`);
}

/** One hash over everything that the package is made from. */
function packageInputs() {
  const listed = readdirSync(at('web'), { recursive: true, withFileTypes: true })
    .filter((file) => file.isFile())
    .map((file) => join(file.parentPath ?? file.path, file.name));
  const others = [
    'tsconfig.json',
    'tsconfig.build.json',
    'package.json',
    'package-lock.json',
    'scripts/build.mjs',
    'scripts/class-names.mjs',
  ];
  const made = ['simdescent.mjs', 'facts.mjs', 'shaders.wasm', ...shippedWasm].map((name) =>
    join('build', 'wasm', name),
  );
  const hash = createHash('sha256');
  for (const file of [...listed.sort(), ...[...others, ...made].map((name) => at(name))]) {
    hash.update(`${file}\0`).update(readFileSync(file)).update('\0');
  }
  return hash.digest('hex');
}

const writeTypes = (outDir) =>
  run(
    process.execPath,
    [at('node_modules/typescript/bin/tsc'), '-p', 'tsconfig.build.json', '--outDir', outDir],
    {
      quiet: true,
    },
  );

/** A wasm file imported is its bytes in hexadecimal: web/basics/bytes.ts. */
const wasmAsText = {
  name: 'wasm-as-text',
  setup({ onLoad }) {
    onLoad({ filter: /\.wasm$/ }, ({ path }) => ({ contents: readFileSync(path, 'hex'), loader: 'text' }));
  },
};

/** Minified by esbuild and then by terser it is a twentieth less: this one gives names that compress better. */
const again = {
  module: true,
  ecma: 2022,
  keep_classnames: true,
  compress: { passes: 2 },
  format: { max_line_len: 1000 }, // Node prints the line that an uncaught error was thrown in, and then the error
};

async function bundle(outdir) {
  const esbuild = await import('esbuild');
  const { minify } = await import('terser');
  const { nameClasses } = await import('./class-names.mjs');
  const options = {
    absWorkingDir: root,
    entryPoints,
    outdir,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'neutral',
    external,
    target: 'es2022',
    plugins: [wasmAsText],
    ignoreAnnotations: true, // package.json's sideEffects are about dist/
    minify: true, // classes that a user sees carry their names (`static name`)
    sourcemap: true,
    write: false,
    logLevel: 'warning',
  };
  // esbuild has told what is wrong by then.
  const { outputFiles } = await esbuild
    .build(options)
    .catch(() => Promise.reject(new Problem('The package could not be bundled.')));
  const texts = new Map(outputFiles.map(({ path, text }) => [path, text]));
  for (const [path, text] of texts) {
    if (path.endsWith('.map')) continue;
    const named = nameClasses(text, JSON.parse(texts.get(`${path}.map`)));
    const sourceMap = { content: named.map, url: `${basename(path)}.map`, includeSources: true };
    const { code, map } = await minify(named.text, { ...again, sourceMap });
    writeFileSync(path, code);
    writeFileSync(`${path}.map`, map);
  }
}

await entry(import.meta.url, build);
