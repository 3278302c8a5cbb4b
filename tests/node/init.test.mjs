// The engine's start: what may be done before init(), and in how many ways init() may be called.
// Most of it runs in processes of its own, because init() happens once in a process.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { root, runModule } from './helpers.mjs';

const STEP = `
  const w = new Variable([1, 2, 3]);
  new Adam().apply([Float32Array.of(1, 1, 1)], [w]);
  console.log([...w.value].every((x, i) => Math.abs(x - (i + 0.999)) < 1e-5));
`;

test('before init(), whatever needs the engine says to await init()', () => {
  const printed = runModule(`
    import { Adam, LossScaleOptimizer, Variable, schedules } from './dist/index.js';
    const cosine = new schedules.CosineDecay({ initialLearningRate: 0.1, decaySteps: 10 });
    const calls = [() => new Variable([1]), () => new Adam(), () => cosine.at(0)];
    for (const call of calls) {
      try { call(); console.log('no error'); } catch (error) { console.log(error.name, error.message); }
    }
  `);
  const lines = printed.split('\n');
  assert.equal(lines.length, 3);
  for (const line of lines) assert.match(line, /^Error .*await init\(\)/);
});

test('the first error of a beginner, which nobody catches, can be read', () => {
  const program = "import { Adam } from './dist/index.js'; new Adam();";
  const options = { cwd: root, encoding: 'utf8' };
  const { stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', program], options);
  assert.match(stderr, /^Error: new Adam\(\) needs the engine: await init\(\) first/m);
  assert.match(stderr, /at new Adam /);
  assert.ok(stderr.length < 5000, `Node prints ${stderr.length} characters, the line that throws among them`);
});

test('schedules, constraints and their configs can be made before init()', () => {
  const printed = runModule(`
    import { constraints, schedules } from './dist/index.js';
    const cosine = new schedules.CosineDecay({ initialLearningRate: 0.1, decaySteps: 10 });
    const norm = new constraints.MaxNorm({ maxValue: 3 });
    console.log(cosine.getConfig().decay_steps, norm.getConfig().max_value);
  `);
  assert.equal(printed, '10 3');
});

test('init() tells the variant, the threads and the memory', () => {
  const info = JSON.parse(
    runModule(`import { init } from './dist/index.js'; console.log(JSON.stringify(await init()));`),
  );
  assert.equal(info.variant, 'simd128');
  assert.ok(info.threads >= 1);
  assert.ok(info.memoryBytes > 0 && info.memoryBytes % 65536 === 0);
});

test('init() may be called again, also at the same time, and starts one engine', () => {
  const printed = runModule(`
    import { Adam, Variable, init } from './dist/index.js';
    await Promise.all([init(), init(), init()]);
    const early = new Variable([5]);
    await init();
    const late = new Variable([6]);
    console.log(early.value.buffer === late.value.buffer, early.value[0]);
    ${STEP}
  `);
  assert.equal(printed, 'true 5\ntrue');
});

const READ = `import { readFileSync } from 'node:fs'; const bytes = readFileSync('dist/simdescent.wasm');`;
const forms = {
  'an ArrayBuffer view': 'bytes',
  'an ArrayBuffer': 'bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength)',
  'a WebAssembly.Module': 'new WebAssembly.Module(bytes)',
  'a Response': "new Response(bytes, { headers: { 'content-type': 'application/wasm' } })",
};

for (const [form, expression] of Object.entries(forms)) {
  test(`init({ wasm }) takes ${form}`, () => {
    const printed = runModule(`
      ${READ}
      import { Adam, Variable, init } from './dist/index.js';
      await init({ wasm: ${expression} });
      ${STEP}
    `);
    assert.equal(printed, 'true');
  });
}

test('init() that failed says why and can be tried again', () => {
  const printed = runModule(`
    import { Adam, Variable, init } from './dist/index.js';
    await init({ wasm: new Uint8Array([1, 2, 3, 4]) }).catch((error) => console.log(error instanceof Error));
    await init();
    ${STEP}
  `);
  assert.equal(printed, 'true\ntrue');
});

test('the package works where code must not be made from strings (a strict content security policy)', () => {
  const printed = runModule(
    `
    import { Adam, LossScaleOptimizer, Variable, init } from './dist/index.js';
    try { (0, eval)('1'); console.log('eval works'); } catch { console.log('eval is refused'); }
    await init();
    new LossScaleOptimizer(new Adam({ clipnorm: 1, weightDecay: 0.1 })).apply([[1, 2]].map((g) => Float32Array.from(g)), [new Variable([1, 2])]);
    ${STEP}
  `,
    { flags: ['--disallow-code-generation-from-strings'] },
  );
  assert.equal(printed, 'eval is refused\ntrue');
});

const OUTCOME = `
  const outcome = (promise) => promise.then((info) => console.log(info.threads), (e) => console.log(e.name + ': ' + e.message));
`;

test('init() with a module that is not ours is refused, by bytes or compiled, and spoils nothing', () => {
  const printed = runModule(`
    ${READ}
    import { Adam, Variable, init } from './dist/index.js';
    ${OUTCOME}
    process.on('unhandledRejection', (e) => console.log('unhandled', e));
    const empty = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]);
    const kernels = readFileSync('dist/kernels.wasm');
    const others = [empty, kernels, bytes.subarray(0, 5000), new WebAssembly.Module(empty), new WebAssembly.Module(kernels)];
    for (const wasm of others)
      for (const threads of [1, 2]) await outcome(init({ wasm, threads }));
    await init();
    ${STEP}
  `);
  const lines = printed.split('\n');
  assert.equal(lines.length, 11);
  for (const line of lines.slice(0, -1))
    assert.match(line, /^Error: init: the engine could not be started \(.+\); option 'wasm' must be/);
  assert.equal(lines.at(-1), 'true');
});

test('where workers are refused init() runs with one thread, and says why', () => {
  const refusals = [
    `worker.Worker = class { constructor() { throw new Error('no workers here'); } };`,
    `worker.Worker = class { on(_, f) { setTimeout(f, 1, new Error('no workers here')); } unref() {} terminate() {} };`,
  ];
  for (const refusal of refusals) {
    const printed = runModule(`
      import worker from 'node:worker_threads';
      import { syncBuiltinESMExports } from 'node:module';
      import { Adam, Variable, init } from './dist/index.js';
      ${refusal}
      syncBuiltinESMExports();
      const { threads, threadsNote } = await init({ threads: 3 });
      console.log(threads, threadsNote);
      ${STEP}
    `);
    assert.equal(printed, '1 the worker threads could not be started: no workers here\ntrue');
  }
});

test('without WebAssembly, or where a policy forbids it, the error names the cure', () => {
  const without = runModule(`
    import { init } from './dist/index.js';
    ${OUTCOME}
    delete globalThis.WebAssembly;
    await outcome(init());
    await outcome(init({ threads: 2 }));
  `);
  for (const line of without.split('\n'))
    assert.match(line, /^Error: init: there is no WebAssembly here: .*--jitless/);
  for (const text of [
    "Refused to compile or instantiate WebAssembly module because 'unsafe-eval' is not an allowed source of script",
    'call to WebAssembly.compile() blocked by CSP',
  ]) {
    const printed = runModule(`
      import { init } from './dist/index.js';
      ${OUTCOME}
      WebAssembly.compile = async () => { throw new WebAssembly.CompileError(${JSON.stringify(text)}); };
      await outcome(init());
    `);
    assert.match(printed, /^Error: init: .*'wasm-unsafe-eval'/);
  }
});

test('options of init() that say nothing, or come too late, are refused', () => {
  const printed = runModule(`
    import { init } from './dist/index.js';
    ${OUTCOME}
    const bad = [4, null, 'auto', [2], new Map([['threads', 2]]), Object.create({ threads: 2 }), { thread: 2 }];
    for (const options of bad) await outcome(init(options));
    await outcome(init());
    await outcome(init({ threads: 1 }));
    await outcome(init({ threads: 4 }));
    await outcome(init({ threads: 'auto' }));
    await outcome(init({}));
  `);
  const lines = printed.split('\n');
  for (const line of lines.slice(0, 6))
    assert.match(line, /^TypeError: init: options must be a plain object/);
  assert.match(lines[6], /^TypeError: init: unknown option 'thread'. Did you mean 'threads'\?/);
  assert.deepEqual([lines[7], lines[8], lines[11]], ['1', '1', '1']);
  for (const line of [lines[9], lines[10]]) assert.match(line, /^Error: init: threads: .* comes too late/);
});
