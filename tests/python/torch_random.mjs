// The half of torch_random.py that runs here. `node torch_random.mjs FOLDER`: steps its cases from the start and from
// PyTorch's files, prints what differs, and saves for the way back.
import { readFileSync, writeFileSync } from 'node:fs';
import { init, optimizers, Variable } from '../../dist/index.js';
import { openTorch, saveTorch } from '../../dist/torch.js';

await init();
console.warn = () => {}; // of parameters without a gradient
const folder = process.argv[2];
const cases = JSON.parse(readFileSync(`${folder}/cases.json`, 'utf8'));
const floats = (lists) => lists.map((list) => list && Float32Array.from(list));

const inKeras = {
  alpha: 'rho',
  eps: 'epsilon',
  lr: 'learning_rate',
  ...{ dampening: 'dampening', lr_decay: 'lr_decay' },
};
function configOf(name, { betas, weight_decay: decay, ...options }) {
  const config = Object.fromEntries(Object.entries(options).map(([key, x]) => [inKeras[key] ?? key, x]));
  if (betas) [config.beta_1, config.beta_2] = betas;
  if (name === 'Adagrad') config.initial_accumulator_value = 0;
  return { ...config, weight_decay: name === 'AdamW' ? decay : decay || null, compat: 'torch' };
}

const variablesOf = ({ shapes }, values) =>
  values.map((value, k) => new Variable(Float32Array.from(value), { path: `p${k}`, shape: shapes[k] }));

/** What differs after a step, or null. */
function differs({ after, slack }, t, variables) {
  for (const [k, { value }] of variables.entries())
    for (const [i, own] of value.entries()) {
      const theirs = after[t][k][i];
      if (!(Math.abs(own - theirs) <= 1e-6 * Math.max(1, Math.abs(theirs)) + slack[t][k]))
        return `step ${t}, parameter ${k}: ${theirs} in PyTorch, here ${own}`;
    }
  return null;
}

/** An optimizer for each group, made from options. */
function fromStart(recorded) {
  const { name, groups, values, saved, isRounded } = recorded;
  const variables = variablesOf(recorded, values);
  let end = 0;
  const parts = groups.flatMap(([count, options]) => {
    const mine = variables.slice(end, end + count);
    const from = end;
    end += count;
    if (count === 0) return [];
    const optimizer = optimizers.deserialize({ class_name: name, config: configOf(name, options) });
    optimizer.build(mine);
    return [{ optimizer, from, count }];
  });
  let told = null;
  // PyTorch goes on with states that were rounded when they were saved.
  for (let t = 0; t < (isRounded ? saved : recorded.grads.length) && !told; t++) {
    const grads = floats(recorded.grads[t]);
    for (const { optimizer, from, count } of parts) {
      const own = grads.slice(from, from + count);
      if (own.some(Boolean)) optimizer.apply(own);
    }
    told = differs(recorded, t, variables);
  }
  for (const each of [...parts.map(({ optimizer }) => optimizer), ...variables]) each.dispose();
  return told && `from the start, ${told}`;
}

/** From PyTorch's file; saves on the way. */
function fromFile(recorded) {
  const { name, saved, file, after, grads } = recorded;
  const variables = variablesOf(recorded, saved === 0 ? recorded.values : after[saved - 1]);
  const optimizer = openTorch(new Uint8Array(readFileSync(`${folder}/${file}`)), variables, { name });
  const page = { at: saved + 2, after: [] };
  let told = null;
  for (let t = saved; t < grads.length; t++) {
    if (t === page.at) {
      writeFileSync(`${folder}/page-${file}`, saveTorch(optimizer, variables));
      page.values = variables.map(({ value }) => [...value]);
    }
    const own = floats(grads[t]);
    if (own.some(Boolean)) optimizer.apply(own);
    told ??= differs(recorded, t, variables);
    if (t >= page.at) page.after.push(variables.map(({ value }) => [...value]));
  }
  writeFileSync(`${folder}/page-${file}.json`, JSON.stringify(page));
  for (const each of [optimizer, ...variables]) each.dispose();
  return told && `from the file, ${told}`;
}

const told = cases.flatMap((recorded) =>
  [fromStart(recorded), fromFile(recorded)]
    .filter(Boolean)
    .map((text) => `${recorded.file}, ${recorded.name}: ${text}`),
);
for (const text of told) console.log(text);
console.log(`${cases.length} cases, ${told.length} differ here`);
process.exitCode = told.length > 0 ? 1 : 0;
