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

// The page is written in parts: `<!-- include PATH name="value" … -->` stands for the file PATH in demo/, with
// {name} replaced by the value. What the browser gets is one static page.
const include = (html) =>
  html.replace(/<!-- include (\S+)(.*?) -->/g, (_, path, values) => {
    const part = readFileSync(here(`demo/${path}`), 'utf8').trimEnd();
    const named = [...values.matchAll(/(\w+)="([^"]*)"/g)];
    const filled = named.reduce((text, [, name, value]) => text.replaceAll(`{${name}}`, value), part);
    return include(filled);
  });
// Where the documentation is served beside the page, its link goes there, and not to the package's page.
const npmPage = 'href="https://www.npmjs.com/package/simdescent">Docs';
const linked = (html, docs = process.env.SIMDESCENT_DOCS) =>
  docs ? html.replaceAll(npmPage, `href="${docs}">Docs`) : html;
const includes = {
  name: 'includes',
  transformIndexHtml: { order: 'pre', handler: (html) => linked(include(html)) },
};

// Where it is known where the page will lie, its card says so: a picture with half an address is shown by nobody.
const placed = (html, address = process.env.SIMDESCENT_ADDRESS) =>
  address
    ? html.replace(
        /property="og:image" content="\.\//,
        `property="og:url" content="${address}" />\n    <meta property="og:image" content="${address}`,
      )
    : html;
const places = {
  name: 'places',
  enforce: 'post', // when the picture has its name
  generateBundle(_, files) {
    const page = files['index.html'];
    page.source = placed(page.source);
  },
};

// The tests choose a port. While they run, a package that is built anew must not reload the page under them.
const underTest = process.env.SIMDESCENT_TEST_PORT !== undefined;

export default defineConfig({
  root: here('demo'),
  base: './',
  cacheDir: here('build/vite'),
  resolve: { alias },
  plugins: [includes, places],
  // Found only when somebody asks for them: prepared beforehand, or the server would reload the page just then.
  optimizeDeps: {
    include: [
      '@tensorflow/tfjs-backend-cpu',
      '@tensorflow/tfjs-backend-wasm',
      '@tensorflow/tfjs-core',
      '@tensorflow/tfjs-core/dist/register_all_gradients',
    ],
  },
  worker: { format: 'es' },
  server: {
    host: '127.0.0.1',
    headers,
    fs: { allow: [here('.')] },
    ...(underTest && { hmr: false, watch: null }),
  },
  preview: { host: '127.0.0.1', headers },
  build: {
    outDir: here('build/demo'),
    emptyOutDir: true,
    target: 'es2022',
    // A data: address could not be fetched under the page's policy. TensorFlow.js is large, and comes when asked for.
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 1000,
  },
});
