// The package in what people bundle with, without any configuration: esbuild, Vite, Rollup and webpack each make a bundle
// of a small program, which then runs in Node. The packed package, and heavier tools, are scripts/consumers.mjs'.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import nodeResolve from '@rollup/plugin-node-resolve';
import * as esbuild from 'esbuild';
import { rollup } from 'rollup';
import { build as viteBuild } from 'vite';
import webpack from 'webpack';
import * as simdescent from '../../dist/index.js';
import { root } from './helpers.mjs';

const program = `
  import { init, Variable, Adam } from 'simdescent';
  await init();
  const w = new Variable([1, 2]);
  const optimizer = new Adam({ learningRate: 0.1 });
  optimizer.apply([Float32Array.of(1, -1)], [w]);
  console.log(w.value.map((x) => Math.round(x * 1000)).join());
`;

let folder;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'simdescent-bundlers-'));
  await mkdir(join(folder, 'node_modules'));
  await symlink(root, join(folder, 'node_modules/simdescent'));
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
  await writeFile(join(folder, 'main.js'), program);
});
after(() => rm(folder, { recursive: true }));

async function runs(file) {
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [file]);
  assert.equal(stdout.trim(), '900,2100');
  assert.equal(stderr, '');
}

/** A program that imports Adam alone is not to carry what else there is. */
async function hasAdamAlone(file) {
  const text = await readFile(file, 'utf8');
  const found = optimizers.filter(([name]) => new RegExp(`\\bstatic name ?= ?["']${name}["']`).test(text));
  assert.deepEqual(
    found.map(([name]) => name),
    ['Adam'],
  );
}
const optimizers = Object.entries(simdescent).filter(
  ([, type]) => type.prototype instanceof simdescent.Optimizer || type === simdescent.OptimizerMap,
);

/** Files of another kind: a second copy of the wasm, say. (A lazily loaded part is a script of its own.) */
async function otherThanScripts(directory) {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile() && !/\.m?js$/.test(entry.name)).map(({ name }) => name);
}

test('esbuild', async () => {
  const outfile = join(folder, 'esbuild/main.js');
  const { warnings } = await esbuild.build({
    absWorkingDir: folder,
    entryPoints: ['main.js'],
    outfile,
    bundle: true,
    format: 'esm',
    logLevel: 'silent',
  });
  assert.deepEqual(warnings, []);
  await runs(outfile);
  await hasAdamAlone(outfile);
});

test('classes keep their names when a bundler gives them short ones', async () => {
  const outfile = join(folder, 'minified/names.js');
  const contents = `
    import * as simdescent from 'simdescent';
    const { schedules, constraints } = simdescent;
    const classes = Object.entries({ ...simdescent, ...schedules, ...constraints });
    const renamed = classes.filter(([name, x]) => /^[A-Z]/.test(name) && x.name !== name);
    console.log(classes.length > 20, renamed.join());`;
  await esbuild.build({
    stdin: { contents, resolveDir: folder },
    outfile,
    bundle: true,
    minify: true,
    format: 'esm',
    logLevel: 'silent',
  });
  const { stdout } = await promisify(execFile)(process.execPath, [outfile]);
  assert.equal(stdout.trim(), 'true');
});

test('Vite, which emits nothing but scripts', async () => {
  const outDir = join(folder, 'vite');
  await viteBuild({
    root: folder,
    configFile: false,
    logLevel: 'silent',
    build: {
      outDir,
      rollupOptions: { input: join(folder, 'main.js'), output: { entryFileNames: 'main.js' } },
    },
  });
  assert.deepEqual(await otherThanScripts(outDir), []);
  await runs(join(outDir, 'main.js'));
});

test('Vite, asked for the address of the wasm, emits that file too', async () => {
  const main = join(folder, 'address.js');
  await writeFile(main, "import wasm from 'simdescent/simdescent.wasm?url';\nconsole.log(wasm);");
  const outDir = join(folder, 'vite-url');
  await viteBuild({
    root: folder,
    configFile: false,
    logLevel: 'silent',
    build: { outDir, rollupOptions: { input: main } },
  });
  const [name, ...others] = await otherThanScripts(outDir);
  assert.match(name, /^simdescent.*\.wasm$/);
  assert.deepEqual(others, []);
});

test('Rollup, which emits nothing but scripts', async () => {
  const dir = join(folder, 'rollup');
  const warnings = [];
  const bundle = await rollup({
    input: join(folder, 'main.js'),
    plugins: [nodeResolve()],
    onLog: (_, log) => warnings.push(log.message),
  });
  await bundle.write({ dir, format: 'es' });
  await bundle.close();
  assert.deepEqual(warnings, []);
  assert.deepEqual(await otherThanScripts(dir), []);
  await runs(join(dir, 'main.js'));
  await hasAdamAlone(join(dir, 'main.js'));
});

test('webpack, which emits nothing but scripts', async () => {
  for (const target of ['web', 'node']) {
    const path = join(folder, 'webpack', target);
    const compiler = webpack({
      context: folder,
      entry: './main.js',
      mode: 'production',
      target,
      output: { path, filename: 'main.js', chunkFormat: target === 'node' ? 'commonjs' : undefined },
    });
    const stats = await promisify(compiler.run.bind(compiler))();
    const { errors } = stats.toJson({ errors: true });
    assert.deepEqual(errors, []);
    assert.deepEqual(await otherThanScripts(path), []);
    if (target === 'web') continue; // its loader of further scripts wants a document
    await writeFile(join(path, 'package.json'), '{ "type": "commonjs" }');
    await runs(join(path, 'main.js'));
    await hasAdamAlone(join(path, 'main.js'));
  }
});
