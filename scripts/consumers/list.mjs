// What consumers.mjs tries: for each the packages that it wants beside ours, its files, and the programs to run, the last
// of which prints what the optimizer made of two weights. As few options as the tool will run with.

/** 1 - 0.1 and 2 + 0.1, in thousandths. */
export const expected = '900,2100';

const step = `
  const w = new Variable([1, 2]);
  new Adam({ learningRate: 0.1 }).apply([Float32Array.of(1, -1)], [w]);`;
const shown = `w.value.map((x) => Math.round(x * 1000)).join()`;

const program = `
  import { init, Variable, Adam } from 'simdescent';
  await init();${step}
  console.log(${shown});`;

/** The same where there is no `await` at the top of a file. */
const called = `
  init().then(() => {${step}
    console.log(${shown});
  });`;

const node = { files: { 'main.js': program }, steps: [['node', 'main.js']] };

/** One that is called from a script of its own: `build.js` makes out/main.js. */
const byScript = (packages, build) => ({
  packages,
  files: { 'main.js': program, 'build.js': build },
  steps: [
    ['node', 'build.js'],
    ['node', 'out/main.js'],
  ],
});

export const consumers = {
  node,
  require: {
    files: {
      'main.cjs': `const { init, Variable, Adam } = require('simdescent');${called}`,
    },
    steps: [['node', 'main.cjs']],
  },
  typescript: {
    packages: ['typescript'],
    files: {
      'main.ts': `${program}\nexport const checked: number = w.size;`,
      'tsconfig.json': `{ "compilerOptions": {
        "strict": true, "module": "nodenext", "target": "es2022", "lib": ["es2022", "dom"], "types": [], "outDir": "out"
      }, "files": ["main.ts"] }`,
    },
    steps: [
      ['tsc', '-p', '.'],
      ['node', 'out/main.js'],
    ],
  },
  esbuild: {
    packages: ['esbuild'],
    files: { 'main.js': program },
    steps: [
      ['esbuild', 'main.js', '--bundle', '--format=esm', '--outfile=out/main.js'],
      ['node', 'out/main.js'],
    ],
  },
  vite: {
    packages: ['vite'],
    files: {
      'main.js': program,
      'vite.config.js': `export default {
        build: { outDir: 'out', rollupOptions: { input: 'main.js', output: { entryFileNames: 'main.js' } } },
      };`,
    },
    steps: [
      ['vite', 'build'],
      ['node', 'out/main.js'],
    ],
  },
  rollup: byScript(
    ['rollup', '@rollup/plugin-node-resolve'],
    `import { rollup } from 'rollup';
     import resolve from '@rollup/plugin-node-resolve';
     const bundle = await rollup({ input: 'main.js', plugins: [resolve()] });
     await bundle.write({ dir: 'out', format: 'es' });`,
  ),
  webpack: byScript(
    ['webpack'],
    `import webpack from 'webpack';
     const compiler = webpack({
       context: import.meta.dirname ?? process.cwd(), entry: './main.js', mode: 'production', target: 'node',
       experiments: { outputModule: true },
       output: { path: process.cwd() + '/out', filename: 'main.js', module: true },
     });
     compiler.run((error, stats) => {
       if (error || stats.hasErrors()) throw error ?? new Error(stats.toString());
     });`,
  ),
  parcel: {
    packages: ['parcel'],
    files: { 'main.js': `import { init, Variable, Adam } from 'simdescent';${called}` },
    steps: [
      ['parcel', 'build', 'main.js', '--dist-dir', 'out', '--no-cache', '--no-source-maps'],
      ['node', 'out/main.js'],
    ],
  },
  next: {
    packages: ['next', 'react', 'react-dom'],
    files: {
      'app/layout.js': `export default ({ children }) => <html><body>{children}</body></html>;`,
      'app/page.js': `
        import { init, Variable, Adam } from 'simdescent';
        export default async function Page() {
          await init();${step}
          return <p>{${shown}}</p>;
        }`,
    },
    steps: [['next', 'build']],
    result: '.next/server/app/index.html',
  },
  bun: { packages: ['bun'], files: node.files, steps: [['bun', 'main.js']] },
  deno: {
    packages: ['deno'],
    files: node.files,
    steps: [['deno', 'run', '--allow-read', '--allow-env', 'main.js']],
  },
};
