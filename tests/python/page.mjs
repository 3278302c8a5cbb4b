// What the scripts beside it read: trainings in simdescent, saved. After `npm run build`:
// `node tests/python/page.mjs && python3 tests/python/torch_cluster.py && python3 tests/python/keras_view.py`. Files of
// torch_groups.py are read and saved again, for its second half.
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { init } from '../../dist/index.js';
import { saveTorch } from '../../dist/torch.js';
import { trained, trainedKeras, weightsOf } from '../node/cluster.mjs';
import { paged } from '../node/torch-groups.mjs';

await init();
const at = (name) => fileURLToPath(new URL(name, import.meta.url));
const { variables, optimizer } = trained();
await writeFile(at('../fixtures/cluster/page.json'), `${JSON.stringify(weightsOf(variables))}\n`);
await writeFile(at('../fixtures/cluster/page.safetensors'), saveTorch(optimizer, variables));
const keras = new Uint8Array(await readFile(at('../vectors/keras-files/adam.keras')));
await writeFile(at('../fixtures/cluster/page.keras'), (await trainedKeras(keras)).saved);

const groups = (name) => at(`../fixtures/torch-groups/${name}`);
const { cases } = JSON.parse(await readFile(groups('index.json'), 'utf8'));
const pages = {};
for (const recorded of cases) {
  const { optimizer, variables } = paged(recorded, new Uint8Array(await readFile(groups(recorded.file))));
  pages[recorded.file] = variables.map(({ value }) => [...value]);
  await writeFile(groups(`page-${recorded.file}`), saveTorch(optimizer, variables));
}
await writeFile(groups('page.json'), `${JSON.stringify(pages)}\n`);
