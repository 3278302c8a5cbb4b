// An empty page on a host that exists only in the GPU tests, with the files of the repository. WebGPU needs a
// secure one.
import { readFile } from 'node:fs/promises';
import type { Page } from '@playwright/test';

const root = new URL('../../', import.meta.url);
const types: Record<string, string> = {
  js: 'text/javascript',
  mjs: 'text/javascript',
  json: 'application/json',
};

export async function open(page: Page) {
  await page.route('https://gpu.test/**', async (route) => {
    const path = new URL(route.request().url()).pathname.slice(1);
    if (path === '') return route.fulfill({ body: '<!doctype html>', contentType: 'text/html' });
    const type = types[path.split('.').pop() as string] ?? 'text/plain';
    return route.fulfill({ body: await readFile(new URL(path, root)), contentType: type });
  });
  await page.goto('https://gpu.test/');
}
