// The site of the documentation: the pages of docs/ as they lie there, and api/, which TypeDoc makes of the package's
// types. `npm run build:docs` builds it (scripts/build-docs.mjs), `npm start` serves it beside the demo.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitepress';

const docs = fileURLToPath(new URL('..', import.meta.url));
const root = join(docs, '..');
const pages = (...names) => names.map(([text, name]) => ({ text, link: `/${name}` }));

const demo = { text: 'Demo', link: process.env.SIMDESCENT_DEMO ?? '/demo/index.html', target: '_self' };

// VitePress' own colours of code and of two details are paler than WCAG's 4.5 : 1, and its place for a picture is an icon's.
// On a phone a table's cells are nearer to each other, and long names of code break, so that it fits.
const code = { light: 'github-light-high-contrast', dark: 'github-dark-high-contrast' };
const style = `
  html:root { --vp-code-lang-color: var(--vp-c-text-2); --vp-button-brand-bg: var(--vp-c-indigo-1); }
  html.dark:root { --vp-button-brand-bg: var(--vp-c-indigo-3); }
  html .VPHero .image-src { max-width: 20rem; }
  @media (min-width: 960px) { html .VPHero .image-src { max-width: 13rem; } }
  @media (min-width: 1200px) { html .VPHero .image-src { max-width: 27rem; } }
  @media (max-width: 639px) {
    html .vp-doc :is(td, th) { padding-inline: 8px; }
    html .vp-doc td:not(:first-child) code { overflow-wrap: anywhere; }
  }
`;

/** In the search pages come before the reference. It runs in the browser, from its text. */
const boostDocument = (id) => (id.includes('/api/') ? 0.3 : 1);

/** The file that a link of a page is to: beside the page, or, in what is included of README, beside that. */
const fileOf = (page, path) =>
  [join(docs, dirname(page), path), join(root, path)].find((file) => existsSync(file));

/**
 * Links of the repository as links of the site. README's to docs/ and those to the examples have pages here; other files
 * of the repository have none, and stay as names. What does not exist is left for the build to find.
 */
function links(md) {
  md.core.ruler.push('links', ({ tokens, env }) => {
    const parts = tokens.flatMap(({ children }) => children ?? []);
    parts.forEach((token, k) => {
      const href = token.type === 'link_open' && token.attrGet('href');
      if (!href || /^(\w+:|#|\/)/.test(href) || env.relativePath.startsWith('api/')) return;
      const [path, place] = href.split(/(?=#)/);
      const file = fileOf(env.relativePath, path);
      if (file === undefined) return;
      const page = file === join(root, 'examples/README.md') ? 'examples.md' : relative(docs, file);
      if (!page.startsWith('..')) {
        token.attrSet('href', page + (place ?? ''));
        return;
      }
      token.attrs = [];
      for (const end of [token, parts.slice(k).find(({ type }) => type === 'link_close')]) end.tag = 'span';
    });
  });
}

/** VitePress' home page has no landmark for what it is about: its outermost `div` becomes `main`. */
const homeIsMain = {
  name: 'home-is-main',
  enforce: 'pre',
  transform: (code, id) =>
    id.endsWith('/VPHome.vue')
      ? code
          .replace(/(<template>\s*)<div\b/, '$1<main')
          .replace(/<\/div>(\s*<\/template>\s*<style)/, '</main>$1')
      : undefined,
};

export default defineConfig({
  title: 'simdescent',
  description: 'Gradient-descent optimizers for the web: Keras’ numbers, SIMD WebAssembly, WebGPU.',
  base: process.env.SIMDESCENT_BASE ?? '/',
  outDir: join(root, 'build/site'),
  cacheDir: join(root, 'build/vitepress'),
  srcExclude: ['node_modules/**'],
  head: [
    ['link', { rel: 'icon', href: `${process.env.SIMDESCENT_BASE ?? '/'}favicon.svg` }],
    ['style', {}, style],
  ],
  vite: { publicDir: join(root, 'build/docs-public'), logLevel: 'warn', plugins: [homeIsMain] },
  /** Where the demo is only this file knows. */
  transformPageData({ frontmatter }) {
    frontmatter.hero?.actions.push({ ...demo, theme: 'alt' });
  },
  markdown: { theme: code, config: links, languageAlias: { mjs: 'js' } },
  themeConfig: {
    search: { provider: 'local', options: { miniSearch: { searchOptions: { boostDocument } } } },
    outline: [2, 3],
    nav: [
      ...pages(['Start', 'start'], ['Optimizers', 'optimizers'], ['Examples', 'examples'], ['API', 'api/']),
      demo,
    ],
    sidebar: {
      '/api/': JSON.parse(readFileSync(join(docs, 'api/typedoc-sidebar.json'), 'utf8')),
      '/': [
        {
          text: 'Begin',
          items: pages(['Start', 'start'], ['Examples', 'examples'], ['Which optimizer, when', 'optimizers']),
        },
        {
          text: 'Training',
          items: pages(
            ['Options of every optimizer', 'options'],
            ['Schedules', 'schedules'],
            ['Constraints', 'constraints'],
            ['Sparse gradients', 'sparse'],
            ['AdamMultilr', 'multilr'],
            ['Loss scale', 'loss-scale'],
            ['State in fewer bits', 'state-dtype'],
            ['What a step was like', 'monitor'],
            ['State in IndexedDB', 'indexeddb'],
          ),
        },
        {
          text: 'Coming from',
          items: pages(
            ['tf.train', 'from-tf-train'],
            ['Keras', 'from-keras'],
            ['PyTorch', 'from-pytorch'],
            ['Files of Keras and PyTorch', 'files'],
            ['To the cluster and back', 'python'],
          ),
        },
        {
          text: 'With other libraries',
          items: pages(
            ['TensorFlow.js', 'tensorflow'],
            ['jax-js', 'jax'],
            ['Variables on the GPU', 'webgpu'],
            ['Your own WebGPU engine', 'webgpu-engine'],
            ['Your own WebAssembly engine', 'kernels'],
            ['Any other library', 'any-library'],
            ['Many machines', 'distributed'],
          ),
        },
        {
          text: 'Promises',
          items: pages(['Numbers', 'numbers'], ['Speed', 'speed'], ['Reliability', 'reliability']),
        },
      ],
    },
  },
});
