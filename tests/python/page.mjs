// What the scripts beside it read and go on with: trainings in simdescent, saved. After `npm run build`: `node page.mjs`
// between the two halves of torch_groups.py and keras_cluster.py, and before torch_cluster.py.
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { init } from '../../dist/index.js';
import { saveTorch } from '../../dist/torch.js';
import { trained, weightsOf } from '../node/cluster.mjs';
import * as keras from '../node/keras-cluster.mjs';
import * as groups from '../node/torch-groups.mjs';

await init();
const at = (name) => fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));
const read = async (name) => new Uint8Array(await readFile(at(name)));

const { variables, optimizer } = trained();
await writeFile(at('cluster/page.json'), `${JSON.stringify(weightsOf(variables))}\n`);
await writeFile(at('cluster/page.safetensors'), saveTorch(optimizer, variables));

const { cases } = JSON.parse(await readFile(at('torch-groups/index.json'), 'utf8'));
const pages = {};
for (const recorded of cases) {
  const { file } = recorded;
  const { optimizer, variables } = groups.paged(recorded, await read(`torch-groups/${file}`));
  pages[file] = variables.map(({ value }) => [...value]);
  await writeFile(at(`torch-groups/page-${file}`), saveTorch(optimizer, variables));
}
await writeFile(at('torch-groups/page.json'), `${JSON.stringify(pages)}\n`);

for (const name of keras.names) {
  const { saved } = await keras.paged(await read(`keras-cluster/${name}.start.keras`));
  await writeFile(at(`keras-cluster/${name}.page.keras`), saved);
}
