// Threads need shared memory, and shared memory a page that is cross-origin isolated. The host of what `vite build` makes
// must send these headers, too.
import { defineConfig } from 'vite';

const headers = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
};
export default defineConfig({
  base: './',
  build: { target: 'es2022' }, // for await outside of functions
  server: { headers },
  preview: { headers },
});
