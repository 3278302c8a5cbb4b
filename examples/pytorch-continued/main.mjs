// A torch.optim.Adam that took 5 steps, its state_dict saved as safetensors, goes on here for more, by the gradients that
// PyTorch had, and arrives where PyTorch arrived. What is saved then is for load_state_dict.
import { readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { init, Variable } from 'simdescent';
import { openTorch, saveTorch } from 'simdescent/torch';

await init();
const { weights, gradients, arrived } = JSON.parse(await readFile('torch-went-on.json', 'utf8'));
const variables = [
  new Variable(weights[0], { path: 'weight', shape: [5, 3] }),
  new Variable(weights[1], { path: 'bias' }),
];
const optimizer = openTorch(new Uint8Array(await readFile('adam.safetensors')), variables);
console.log(optimizer.compat, optimizer.iterations); // torch 5

for (const step of gradients) optimizer.apply(step.map((values) => Float32Array.from(values)));

const differences = variables.flatMap(({ value }, k) =>
  [...value].map((x, i) => Math.abs(x - arrived[k][i])),
);
console.log(optimizer.iterations, Math.max(...differences) < 1e-6); // 13 true

await writeFile(`${tmpdir()}/continued.safetensors`, saveTorch(optimizer, variables));
