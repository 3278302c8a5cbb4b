// The server of the demo page: the page as it lies in demo/, the library as it was built into dist/.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const { name, exports } = JSON.parse(readFileSync(here('package.json'), 'utf8'));

// The page imports the package by its name, through the package's own table of entry points.
const alias = Object.entries(exports).map(([path, target]) => ({
  find: new RegExp(`^${name}${path.slice(1).replaceAll('.', '\\.')}$`),
  replacement: here(typeof target === 'string' ? target : target.default),
}));

// Cross-origin isolation: a page may share memory between threads only with these.
const headers = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
};

export default defineConfig({
  root: here('demo'),
  base: './',
  cacheDir: here('build/vite'),
  resolve: { alias },
  server: { host: '127.0.0.1', headers, fs: { allow: [here('.')] } },
  preview: { host: '127.0.0.1', headers },
  build: { outDir: here('build/demo'), emptyOutDir: true, target: 'es2022' },
});
