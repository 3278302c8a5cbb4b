// `npm start`: builds the package and serves the demo, and the documentation beside it, until it is stopped. `--port N`
// asks for a port (the next free one is taken when it is not free), `--host` opens the demo's server to the network.
import { parseArgs } from 'node:util';
import { build } from './build.mjs';
import { serveDocs } from './build-docs.mjs';
import { entry, root, say } from './setup/run.mjs';

await entry(import.meta.url, async (args) => {
  const options = { port: { type: 'string', default: '5173' }, host: { type: 'boolean', default: false } };
  const { values } = parseArgs({ args, options });
  await build();
  const { createServer } = await import('vite');
  const server = await createServer({
    configFile: `${root}/vite.config.js`,
    server: { port: Number(values.port), ...(values.host && { host: true }) },
  });
  await server.listen();
  const { port } = server.httpServer.address();
  say(`\nThe demo is at  http://localhost:${port}/  (Ctrl+C stops it)`);
  for (const url of server.resolvedUrls.network) say(`and on the network at  ${url}`);
  try {
    const url = await serveDocs(`http://localhost:${port}/`);
    process.env.SIMDESCENT_DOCS = url; // vite.config.js: the demo's link
    say(`The documentation is at  ${url}`);
  } catch (error) {
    say(`The documentation cannot be served: ${error.message}`);
  }
});
