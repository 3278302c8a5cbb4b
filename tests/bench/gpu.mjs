// `npm run bench -- gpu`: one step of Adam on the GPU, beside a copy of the same bytes on the same device, beside
// TensorFlow.js' Adam on the same device, and beside the engine, with the gradients uploaded and without. Starts
// itself anew in an environment in which an adapter is found, if there is none in its own.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { create, globals } from 'webgpu';
import { Adam, init, Variable } from '../../dist/index.js';
import { initWebGPU } from '../../dist/webgpu.js';
import { softwareEnvironment } from '../gpu/software.mjs';
import { machine, print, sizeName } from './report.mjs';
import { gradientOf, hyper, weightsOf } from './variants/data.mjs';

const bytesPerParameter = 28; // w, g, m, v are read and w, m, v written
const started = 'SIMDESCENT_GPU_BENCH';

const entry = create([]);
const adapter = await entry.requestAdapter();
if (!adapter && !process.env[started]) {
  const env = { ...process.env, ...softwareEnvironment(), [started]: '1' };
  const self = fileURLToPath(import.meta.url);
  const { status } = spawnSync(process.execPath, [self, ...process.argv.slice(2)], { env, stdio: 'inherit' });
  process.exit(status ?? 1);
}
if (!adapter) {
  process.stderr.write(
    'There is no WebGPU adapter here, not even a software one (Debian’s chromium has one).\n',
  );
  process.exit(1);
}
const software = adapter.info.architecture === 'swiftshader';
const quick = process.argv.includes('--quick');
// A software adapter computes; its large sizes say nothing more, and TensorFlow.js' temporaries fill the machine.
const plan =
  software || quick
    ? { flat: [2 ** 18, 2 ** 20, 2 ** 22].slice(0, quick ? 1 : 3), many: { count: 100, size: 10_000 } }
    : { flat: [2 ** 20, 2 ** 24, 2 ** 26], many: { count: 1000, size: 10_000 } };
const rounds = quick ? 2 : 7;

await init();
const device = await adapter.requestDevice({
  requiredLimits: {
    maxBufferSize: adapter.limits.maxBufferSize,
    maxStorageBufferBindingSize: adapter.limits.maxStorageBufferBindingSize,
  },
});
const gpu = await initWebGPU({ device });

/** Milliseconds of one step: the least of some rounds of `steps` each, as others on the machine only add. */
async function fastest(variants, steps) {
  const least = variants.map(() => Number.POSITIVE_INFINITY);
  for (let round = 0; round <= rounds; round++) {
    for (const [k, { run, wait }] of variants.entries()) {
      const start = performance.now();
      for (let i = 0; i < steps; i++) run();
      await wait();
      if (round > 0) least[k] = Math.min(least[k], (performance.now() - start) / steps);
    }
  }
  return least;
}

const done = () => device.queue.onSubmittedWorkDone();

function buffer(values) {
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  const made = device.createBuffer({ size: values.byteLength, usage });
  device.queue.writeBuffer(made, 0, values);
  return made;
}

/** The library on the GPU, with gradients there and with uploaded ones; `count` tensors of `size`. */
function library(count, size) {
  const variables = Array.from({ length: count }, (_, k) => gpu.variable(weightsOf(size), { name: `w${k}` }));
  const optimizer = new Adam(hyper);
  optimizer.build(variables);
  const uploaded = variables.map(() => gradientOf(size));
  const there = uploaded.map(buffer);
  return {
    variants: [
      { name: 'GPU, gradients there', run: () => optimizer.apply(there), wait: done },
      { name: 'GPU, gradients uploaded', run: () => optimizer.apply(uploaded), wait: done },
    ],
    dispose() {
      for (const each of [optimizer, ...variables]) each.dispose();
      for (const each of there) each.destroy();
    },
  };
}

function engineStep(count, size) {
  const variables = Array.from({ length: count }, (_, k) => new Variable(weightsOf(size), { name: `w${k}` }));
  const optimizer = new Adam(hyper);
  optimizer.build(variables);
  for (const v of variables) v.gradient.set(gradientOf(size));
  return {
    variants: [{ name: 'engine, one thread', run: () => optimizer.step(), wait: async () => {} }],
    dispose() {
      for (const each of [optimizer, ...variables]) each.dispose();
    },
  };
}

/** As many bytes as a step reads and writes, in copies of a size that every device allows. */
function copies(total) {
  const part = Math.min((total * bytesPerParameter) / 2, 2 ** 27);
  const times = (total * bytesPerParameter) / 2 / part;
  const [from, to] = [0, 1].map(() =>
    device.createBuffer({
      size: Math.ceil(part / 4) * 4,
      usage: GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
    }),
  );
  const run = () => {
    const encoder = device.createCommandEncoder();
    for (let left = times; left > 0; left--)
      encoder.copyBufferToBuffer(from, 0, to, 0, Math.floor((part * Math.min(left, 1)) / 4) * 4);
    device.queue.submit([encoder.finish()]);
  };
  return {
    variants: [{ name: 'copy of the same bytes', run, wait: done }],
    dispose() {
      from.destroy();
      to.destroy();
    },
  };
}

let tf = null;
async function tfjs(count, size) {
  if (!tf) {
    Object.assign(globalThis, globals);
    Object.defineProperty(globalThis, 'navigator', {
      value: { gpu: entry, userAgent: '' },
      configurable: true,
    });
    tf = await import('@tensorflow/tfjs-core');
    const { WebGPUBackend } = (await import('@tensorflow/tfjs-backend-webgpu')).default;
    tf.removeBackend('webgpu');
    tf.registerBackend('webgpu', () => new WebGPUBackend(device, adapter.info));
    tf.enableProdMode();
    await tf.setBackend('webgpu');
    await tf.ready();
  }
  const optimizer = tf.train.adam(hyper.learningRate, hyper.beta1, hyper.beta2, hyper.epsilon);
  const names = Array.from({ length: count }, (_, k) => `w${k}`);
  const variables = names.map((name) => tf.variable(tf.tensor1d(weightsOf(size)), true, name));
  const gradients = Object.fromEntries(names.map((name) => [name, tf.tensor1d(gradientOf(size))]));
  const wait = async () => {
    const backend = tf.backend();
    backend.ensureCommandEncoderReady();
    backend.endComputePassEncoder();
    backend.submitQueue();
    await done();
  };
  return {
    variants: [{ name: 'TensorFlow.js, webgpu', run: () => optimizer.applyGradients(gradients), wait }],
    dispose() {
      for (const each of [optimizer, ...variables, ...Object.values(gradients)]) each.dispose();
    },
  };
}

const about = machine();
process.stdout.write(
  `${adapter.info.description || adapter.info.device}${software ? ' (software: only the ratio to TensorFlow.js counts)' : ''}; ` +
    `${about.cpu}, Node ${about.node}, load ${about.load.join(' ')}\n\n`,
);
Object.assign(globalThis, globals);
const cases = [...plan.flat.map((size) => ({ count: 1, size })), plan.many];
const rows = [];
for (const { count, size } of cases) {
  const total = count * size;
  const makers = [
    () => library(count, size),
    () => copies(total),
    () => tfjs(count, size),
    () => engineStep(count, size),
  ];
  const groups = [];
  for (const make of makers) groups.push(await make());
  const variants = groups.flatMap((group) => group.variants);
  const times = await fastest(variants, total > 2 ** 22 ? 2 : 5);
  for (const group of groups) group.dispose();
  rows.push({ label: count > 1 ? `${count} x ${sizeName(size)}` : sizeName(size), total, times, variants });
}
await gpu.sync();

const columns = rows.map(({ label }) => label);
const lines = (of) =>
  rows[0].variants.map(({ name }, k) => [name, ...rows.map((row) => of(row, k).toPrecision(3))]);
process.stdout.write(
  `${print(
    'ms a step',
    columns,
    lines(({ times }, k) => times[k]),
  )}\n`,
);
process.stdout.write(
  `${print(
    'ns a parameter',
    columns,
    lines(({ times, total }, k) => (times[k] * 1e6) / total),
  )}\n`,
);
const ratio = (name, of) => [name, ...rows.map(({ times }) => of(times).toPrecision(3))];
process.stdout.write(
  print('ratios', columns, [
    ratio('share of copy bandwidth', ([step, , copy]) => copy / step),
    ratio('TensorFlow.js / GPU step', ([step, , , theirs]) => theirs / step),
    ratio('engine / GPU with upload', ([, upload, , , engine]) => engine / upload),
  ]),
);
gpu.dispose();
device.destroy();
process.exit(0); // Dawn keeps threads running
