// A model that Keras trained for 5 steps and saved goes on here for 8 more, by the gradients that Keras itself had, and
// arrives where Keras arrived. The file that is saved then opens in Keras.
import { readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { init, Variable } from 'simdescent';
import { openKeras, saveKeras } from 'simdescent/keras';

await init();
const bytes = new Uint8Array(await readFile('model.keras'));
const { optimizer, variables: found, build } = await openKeras(bytes);
const variables = found.map(
  ({ path, shape, value, constraint }) => new Variable(value, { path, shape, constraint }),
);
build(variables);
console.log(optimizer.name, optimizer.iterations, variables.length); // adam 5 4

// Yours would come from a backward pass.
const { gradients, arrived } = JSON.parse(await readFile('keras-went-on.json', 'utf8'));
for (const step of gradients) optimizer.apply(step.map((values) => Float32Array.from(values)));

const differences = variables.flatMap(({ value }, k) =>
  [...value].map((x, i) => Math.abs(x - arrived[k][i])),
);
console.log(optimizer.iterations, Math.max(...differences) < 1e-7); // 13 true

await writeFile(`${tmpdir()}/continued.keras`, await saveKeras(bytes, optimizer, variables));
