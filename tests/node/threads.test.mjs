// Threads over a shared memory: the same bits whatever their number, no hang, and nothing left behind. Each test
// runs in a process of its own, because an engine is started once.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { root } from './helpers.mjs';

async function run(program, flags = []) {
  const source = `import * as sd from '${root}dist/index.js';\n${program}`;
  const options = { timeout: 60_000 };
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [...flags, '--input-type=module', '-e', source],
    options,
  );
  return stdout.trim();
}

/** Steps of several kinds over sizes round the parts; prints a fingerprint of all bits. */
const train = (threads) => `
  const { createHash } = await import('node:crypto');
  const info = await sd.init({ threads: ${threads} });
  if (info.threads !== ${threads}) throw new Error(JSON.stringify(info));
  let s = 7;
  const numbers = (n) => Float32Array.from({ length: n }, () => ((s = (s * 48271) % 2147483647) / 2147483647) * 2 - 1);
  const hash = createHash('sha256');
  for (const options of [
    {},
    { amsgrad: true, weightDecay: 0.01, useEma: true },
    { clipnorm: 1, lossScaleFactor: 3, gradientAccumulationSteps: 3 },
    { globalClipnorm: 1, gradientAccumulationSteps: 2 },
    { compat: 'torch', weightDecay: 0.1 },
    { stateDtype: 'bfloat16', useEma: true },
    { stateDtype: 'int8', amsgrad: true, clipnorm: 1 },
  ]) {
    const optimizer = new sd.Adam({ learningRate: 0.01, ...options });
    const variables = [300_001, 5, 32_768, 98_303].map((n, i) => new sd.Variable(numbers(n), { path: 'v' + i }));
    optimizer.build(variables);
    for (let t = 0; t < 7; t++) {
      for (const v of variables) v.gradient.set(numbers(v.size));
      if (t % 2) optimizer.step();
      else optimizer.apply(variables.map((v, i) => (i === 1 ? null : v.gradient.slice())));
    }
    for (const v of variables) hash.update(v.value.slice());
    for (const x of optimizer.getWeights()) hash.update(typeof x === 'number' ? String(x) : x);
    optimizer.dispose();
  }
  console.log(hash.digest('hex'));
`;

test('1, 2, 3, 4 and 7 threads leave the same bits', async () => {
  const one = await run(train(1));
  assert.match(one, /^[0-9a-f]{64}$/);
  for (const threads of [2, 3, 4, 7]) assert.equal(await run(train(threads)), one, `${threads} threads`);
});

test('views taken before the shared memory grew are still known as its own', async () => {
  const program = `
    await sd.init({ threads: 2 });
    const w = new sd.Variable(1 << 20, { name: 'w' });
    const [value, gradient] = [w.value, w.gradient.fill(1)];
    while (new sd.Variable(1 << 18).value.buffer === value.buffer);
    const optimizer = new sd.Adam();
    try {
      optimizer.build([value]);
    } catch (error) {
      console.log(error.message);
    }
    optimizer.build([w]);
    const set = Float32Array.prototype.set;
    let copies = 0;
    Float32Array.prototype.set = function (...args) {
      copies++;
      return set.apply(this, args);
    };
    optimizer.apply([gradient]);
    optimizer.step();
    console.log(copies, w.value.every((x) => x === w.value[0] && x < 0));`;
  assert.match(await run(program), /is a view of the engine's memory.*\n0 true$/);
});

test('an idle pool does not keep a program alive', async () => {
  assert.equal(await run(`console.log((await sd.init({ threads: 2 })).threads)`), '2');
});

test('endThreads() ends the workers, and one thread goes on with the same state', async () => {
  const program = `
    await sd.init({ threads: 2 });
    const v = new sd.Variable(400_000);
    const optimizer = new sd.Adam({ learningRate: 0.5 });
    v.gradient.fill(1);
    optimizer.build([v]);
    optimizer.step();
    await sd.endThreads();
    await sd.endThreads();
    const { threads } = await sd.init({ threads: 2 });
    optimizer.step();
    console.log(threads, v.value.every((x) => Math.abs(x + 1) < 1e-4));
  `;
  assert.equal(await run(program), '1 true');
});

for (const [name, cost, expected] of [
  ['late', { shared: 3, alone: 1 }, [0, 0.05]],
  ['quick', { shared: 1, alone: 1.8 }, [0.9, 1]],
])
  test(`workers that are ${name}: steps are shared if that is faster, and the other way is tried now and then`, async () => {
    // A clock that goes by what a step did: whether it has told the workers of its parts.
    const program = `
      await sd.init({ threads: 2 });
      const { notify } = Atomics;
      let [told, shared, now] = [false, 0, 0];
      Atomics.notify = (...args) => {
        told = true;
        shared++;
        return notify(...args);
      };
      performance.now = () => {
        now += told ? ${cost.shared} : ${cost.alone};
        told = false;
        return now;
      };
      const v = new sd.Variable(1 << 19);
      v.gradient.fill(1);
      const optimizer = new sd.SGD();
      optimizer.build([v]);
      const steps = (count) => {
        shared = 0;
        for (let k = 0; k < count; k++) optimizer.step();
        return shared;
      };
      steps(100);
      console.log(steps(2000) / 2000);
      await sd.endThreads();`;
    const share = Number(await run(program));
    assert.ok(share >= expected[0] && share < expected[1], `${share} of the steps were shared`);
  });

test("'auto' starts at least one thread, and wrong numbers are refused by name", async () => {
  assert.ok(Number(await run(`console.log((await sd.init({ threads: 'auto' })).threads)`)) >= 1);
  for (const [threads, kind] of [
    ['0', 'RangeError'],
    ['1.5', 'RangeError'],
    ['"two"', 'TypeError'],
    ['65', 'RangeError'],
  ]) {
    const told = await run(
      `await sd.init({ threads: ${threads} }).catch((e) => console.log(e.name, e.message))`,
    );
    assert.match(told, new RegExp(`^${kind} init: threads must be an integer from 1 to 64, or 'auto', got`));
  }
});

test('where no memory can be shared there is one thread, and the runtime info says why', async () => {
  const program = `
    globalThis.crossOriginIsolated = false;
    const { threads, threadsNote } = await sd.init({ threads: 2 });
    console.log(threads, threadsNote);
  `;
  assert.match(await run(program), /^1 the page is not cross-origin isolated/);
  const compiled = `
    const { readFile } = await import('node:fs/promises');
    const wasm = await WebAssembly.compile(await readFile('${root}dist/simdescent.wasm'));
    const { threads, threadsNote } = await sd.init({ threads: 2, wasm });
    console.log(threads, threadsNote);
  `;
  assert.match(await run(compiled), /^1 a compiled WebAssembly.Module cannot be made shared/);
});

test('a growing shared memory keeps values, gradients and states', async () => {
  const program = `
    await sd.init({ threads: 2 });
    const v = new sd.Variable([1, 2, 3]);
    const kept = v.gradient;
    kept.fill(1);
    const optimizer = new sd.Adam({ learningRate: 0.5 });
    optimizer.apply([kept], [v]);
    const large = new sd.Variable(3_000_000);
    optimizer.apply([kept], [v]);
    const other = new sd.Adam({ learningRate: 0.5 });
    other.apply([new Float32Array(3_000_000).fill(2)], [large]);
    console.log([...v.value].map((x) => x.toFixed(3)).join(), large.value.every((x) => Math.abs(x + 0.5) < 1e-4));
  `;
  assert.equal(await run(program), '0.000,1.000,2.000 true');
});

test('a worker that dies in the middle of a step is an error, not a hang', async () => {
  const program = `
    await sd.init({ threads: 2 });
    const v = new sd.Variable(4_000_000);
    v.gradient.fill(1);
    const optimizer = new sd.Adam();
    optimizer.build([v]);
    // One part is never reported as done, as if the thread that claimed it had died.
    const load = Atomics.load;
    const done = 2; // see Control in web/threads/pool.ts
    Atomics.load = (array, index) => load(array, index) - (index === done ? 1 : 0);
    const now = performance.now.bind(performance);
    let asked = 0;
    performance.now = () => now() + 6_000 * asked++; // ten seconds pass quickly
    try {
      optimizer.step();
      console.log('no error');
    } catch (error) {
      console.log(error.message);
    }
    Atomics.load = load;
    performance.now = now;
    optimizer.step();
    console.log((await sd.init()).threads);
  `;
  assert.match(await run(program), /^A worker thread died in the middle of a step: .*\n1$/s);
});

// A worker ends at a call of Atomics: before it, or after it. Until it has claimed a part nobody misses it; from then on
// until it has reported the part nobody can know what became of that, and the step says so.
const phases = [
  ['load', 'before', 1, 'same'], // asleep
  ['sub', 'before', 1, 'same'],
  ['sub', 'after', 1, 'lost'],
  ['add', 'before', 1, 'lost'],
  ['add', 'after', 1, 'same'],
  ['sub', 'after', 2, 'lost'],
];
for (const [name, when, count, outcome] of phases)
  test(`a worker that dies ${when} call ${count} of Atomics.${name}: ${outcome}`, async () => {
    const program = `
      const threads = process.getBuiltinModule('node:worker_threads');
      const { Worker } = threads;
      const prelude = \`
        const { fatal } = process.getBuiltinModule('node:worker_threads').workerData;
        const { ${name}: original } = Atomics;
        let calls = 0;
        const die = () => {
          fatal[1] = 1;
          process.exit();
        };
        Atomics.${name} = (...args) => {
          const isIt = fatal[0] === 1 && ++calls === ${count};
          if (isIt && '${when}' === 'before') die();
          const result = original(...args);
          if (isIt) die();
          return result;
        };\`;
      const fatal = new Int32Array(new SharedArrayBuffer(8));
      threads.Worker = class extends Worker {
        constructor(source, options) {
          super(prelude + source, { ...options, workerData: { ...options.workerData, fatal } });
        }
      };
      const { notify } = Atomics;
      Atomics.notify = (...args) => {
        notify(...args); // and the worker comes first
        while (Atomics.load(fatal, 0) && !Atomics.load(fatal, 1));
      };
      const { threads: started } = await sd.init({ threads: 2 });
      const make = (n) => {
        const v = new sd.Variable(Float32Array.from({ length: n }, (_, k) => Math.sin(k)));
        const optimizer = new sd.Adam({ learningRate: 0.1 });
        optimizer.build([v]);
        v.gradient.set(v.value);
        return { v, optimizer };
      };
      const { v, optimizer } = make(4_000_000);
      optimizer.step();
      Atomics.store(fatal, 0, 1);
      const now = performance.now.bind(performance);
      let asked = 0;
      performance.now = () => now() + 3_000 * asked++;
      let told = 'same';
      try {
        for (let k = 0; k < 3; k++) optimizer.step();
      } catch (error) {
        told = /partly updated/.test(error.message) ? 'lost' : error.stack;
      }
      performance.now = now;
      const small = make(100); // one thread, always
      for (let k = 0; k < 4; k++) small.optimizer.step();
      const right = small.v.value.every((x, k) => x === v.value[k]) && optimizer.rawIterations === 4;
      if (told === 'same' && !right) told = 'wrong';
      optimizer.step();
      console.log(started, told);
      process.exit();
    `;
    assert.equal(await run(program), `2 ${outcome}`);
  });
