// What goes wrong: no adapter, no device, no memory, a lost device, buffers that cannot be used. Every refusal is
// clear and comes before anything is enqueued, or at the next sync() where only the device can know.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Adam, Variable } from '../../dist/index.js';
import { initWebGPU } from '../../dist/webgpu.js';
import { assertRefused, assertSameBits, randomFloats } from '../node/helpers.mjs';
import { entry, openGpu } from './adapter.mjs';
import { bufferWith, counting, usage } from './helpers.mjs';

/** A device whose scopes of one kind report an error, as they do when memory runs out. */
function exhausted(device) {
  const stack = [];
  const [push, pop] = [device.pushErrorScope.bind(device), device.popErrorScope.bind(device)];
  const state = { active: true };
  device.pushErrorScope = (filter) => {
    stack.push(filter);
    push(filter);
  };
  device.popErrorScope = async () => {
    const filter = stack.pop();
    const found = await pop();
    return state.active && filter === 'out-of-memory' ? { message: 'out of memory' } : found;
  };
  return state;
}

describe('no device', () => {
  test('no adapter: an error, or null where WebGPU is optional', async () => {
    const nothing = { requestAdapter: async () => null };
    await assert.rejects(initWebGPU({ gpu: nothing }), /no WebGPU adapter/);
    assert.equal(await initWebGPU({ gpu: nothing, optional: true }), null);
    if (!globalThis.navigator?.gpu) await assert.rejects(initWebGPU(), /navigator\.gpu/);
  });

  test('a refused device is an error with its cause, optional or not', async () => {
    const adapter = await entry.requestAdapter();
    const refusing = {
      info: adapter.info,
      limits: adapter.limits,
      requestDevice: async () => {
        throw new Error('not today');
      },
    };
    const gpu = { requestAdapter: async () => refusing };
    for (const optional of [false, true])
      await assert.rejects(initWebGPU({ gpu, optional }), (error) => {
        assert.match(error.message, /refused a device: not today/);
        return error.cause.message === 'not today';
      });
  });

  test('wrong options', async () => {
    await assert.rejects(initWebGPU({ gpus: entry }), { name: 'TypeError', message: /'gpus'/ });
    await assert.rejects(initWebGPU({ device: {} }), { name: 'TypeError', message: /GPUDevice/ });
    const gpu = await openGpu();
    const optimizer = new Adam();
    await assert.rejects(optimizer.offload(gpu), /not built/);
    optimizer.build([new Variable(4, { name: 'v' })]);
    await assert.rejects(optimizer.offload({}), { name: 'TypeError', message: /initWebGPU/ });
    await assert.rejects(optimizer.offload(gpu, { minSize: -1 }), { name: 'RangeError', message: /minSize/ });
    await assert.rejects(optimizer.offload(gpu, { size: 1 }), { name: 'TypeError', message: /'size'/ });
    optimizer.dispose();
    gpu.dispose();
  });
});

describe('no memory', () => {
  test('offload moves nothing; with memory again it does', async () => {
    const gpu = await openGpu();
    const values = randomFloats(1000, 1);
    const v = new Variable(values, { name: 'v' });
    const optimizer = new Adam();
    optimizer.build([v]);
    optimizer.apply([randomFloats(1000, 2)]);
    const before = [v.value.slice(), optimizer.serializeState()];
    const memory = exhausted(gpu.device);
    await assert.rejects(optimizer.offload(gpu, { minSize: 0 }), { name: 'RangeError', message: /memory/ });
    assert.equal(v.placement, 'wasm');
    assertSameBits(v.value, before[0]);
    assert.deepEqual(optimizer.serializeState(), before[1]);
    memory.active = false;
    await gpu.sync().catch(() => {}); // what the device said meanwhile
    await optimizer.offload(gpu, { minSize: 0 });
    assert.equal(v.placement, 'gpu');
    assertSameBits(await v.read(), before[0]);
    optimizer.dispose();
    v.dispose();
    gpu.dispose();
  });

  test('gpu.variable tells at the next sync()', async () => {
    const gpu = await openGpu();
    exhausted(gpu.device);
    const v = gpu.variable(100, { name: 'v' });
    await assert.rejects(gpu.sync(), /refused a command: out of memory/);
    v.dispose();
    gpu.dispose();
  });
});

describe('a device lost in mid-training', () => {
  const built = async () => {
    const gpu = await openGpu();
    const small = new Variable(randomFloats(8, 1), { name: 'small' });
    const large = new Variable(randomFloats(2000, 2), { name: 'large' });
    const optimizer = new Adam({ learningRate: 0.1 });
    optimizer.build([small, large]);
    await optimizer.offload(gpu, { minSize: 1000 });
    const grads = (k) => [randomFloats(8, k), randomFloats(2000, k)];
    optimizer.apply(grads(3));
    return { gpu, small, large, optimizer, grads };
  };

  test('every use says so; what was read before continues the training in the engine', async () => {
    const { gpu, small, large, optimizer, grads } = await built();
    const state = await optimizer.readState();
    const values = await large.read();
    const kept = small.value.slice();
    gpu.device.destroy();
    await gpu.lost;
    const lost = /device was lost .*onload\(\)/s;
    assertRefused(() => optimizer.apply(grads(4)), Error, lost);
    assertRefused(() => optimizer.record({ beginComputePass() {} }, grads(4)), Error, lost);
    assertRefused(() => gpu.variable(4, { name: 'x' }), Error, /lost/);
    assertRefused(() => large.assign(values), Error, /lost/);
    for (const use of [() => gpu.sync(), () => large.read(), () => optimizer.readState()])
      await assert.rejects(use, /lost/);
    assertSameBits(small.value, kept);
    assert.equal(optimizer.iterations, 1);

    await assert.rejects(optimizer.onload(), (error) => {
      assert.match(error.message, /'large'.*zero now.*assign\(\) and loadState\(\)/s);
      return !error.message.includes("'small'");
    });
    assert.equal(large.placement, 'wasm');
    assertSameBits(large.value, new Float32Array(2000));
    assertSameBits(small.value, kept);
    large.assign(values);
    optimizer.loadState(state);
    optimizer.apply(grads(4));
    assert.equal(optimizer.iterations, 2);

    const expected = new Variable(values, { name: 'large' });
    const other = new Adam({ learningRate: 0.1 });
    const otherSmall = new Variable(kept, { name: 'small' });
    other.build([otherSmall, expected]);
    other.loadState(state);
    other.apply(grads(4));
    assertSameBits(large.value, expected.value);
    for (const each of [optimizer, other, small, large, expected, otherSmall]) each.dispose();
  });

  test('a read and a sync under way are rejected', async () => {
    const { gpu, small, large, optimizer } = await built();
    const [read, state, sync] = [large.read(), optimizer.readState(), gpu.sync()];
    gpu.device.destroy();
    const outcomes = await Promise.allSettled([read, state, sync]);
    for (const { status, reason } of outcomes)
      if (status === 'rejected') assert.match(reason.message, /lost|failed/);
    await assert.rejects(gpu.sync(), /lost/);
    for (const each of [optimizer, small, large]) each.dispose();
  });
});

/** Loses the device at the k-th call that is made to it; `calls` counts them. */
function losing(gpu, k) {
  const state = { calls: 0 };
  const { device } = gpu;
  const hook = (object, name) => {
    const original = object[name].bind(object);
    object[name] = (...args) => {
      if (state.calls++ === k) device.destroy();
      return original(...args);
    };
  };
  for (const name of ['createBuffer', 'createBindGroup', 'createCommandEncoder', 'pushErrorScope'])
    hook(device, name);
  for (const name of ['writeBuffer', 'submit', 'onSubmittedWorkDone']) hook(device.queue, name);
  return state;
}

describe('a device lost at any call that is made to it', () => {
  const phases = {
    'a step of arrays': ({ optimizer, grads }) => optimizer.apply(grads),
    'a step of buffers': ({ optimizer, grads, buffer }) => optimizer.apply([grads[0], buffer]),
    'a norm over both places': ({ optimizer, grads }) => {
      optimizer.clipnorm = null;
      optimizer.globalClipnorm = 0.5;
      return optimizer.apply(grads);
    },
    'reading the state': ({ optimizer }) => optimizer.readState(),
    'reading a variable': ({ large }) => large.read(),
    offload: async ({ gpu, optimizer }) => optimizer.offload(gpu, { minSize: 0 }),
    onload: ({ optimizer }) => optimizer.onload(),
  };
  const soon = (promise) => {
    let timer;
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error('it never settled')), 10_000);
    });
    return Promise.race([promise, late]).finally(() => clearTimeout(timer));
  };
  for (const [name, phase] of Object.entries(phases))
    test(`${name}: refused or done, and the training goes on from what was saved`, async (t) => {
      let isThrough = false;
      let losses = 0;
      for (let k = 0; !isThrough; k++) {
        const gpu = await openGpu();
        const small = new Variable(randomFloats(8, 1), { name: 'small' });
        const large = new Variable(randomFloats(2000, 2), { name: 'large' });
        const optimizer = new Adam({ learningRate: 0.1, clipnorm: 1 });
        optimizer.build([small, large]);
        await optimizer.offload(gpu, { minSize: 1000 });
        const grads = [randomFloats(8, 3), randomFloats(2000, 3)];
        await optimizer.apply(grads);
        const saved = [await optimizer.readState(), small.value.slice(), await large.read()];
        const buffer = bufferWith(gpu, grads[1]);
        const state = losing(gpu, k);
        let error = null;
        try {
          await soon(phase({ gpu, optimizer, large, grads, buffer }));
          await soon(gpu.sync());
        } catch (thrown) {
          error = thrown;
          assert.match(error.message, /lost|destroyed|failed|no memory/i, error.stack);
        }
        isThrough = state.calls <= k;
        if (isThrough) assert.equal(error, null, error?.stack);
        else {
          losses++;
          await gpu.lost;
          await soon(optimizer.onload()).catch(({ message }) => assert.match(message, /'large'.*zero now/s));
          assert.deepEqual([small.placement, large.placement], ['wasm', 'wasm']);
          optimizer.globalClipnorm = null;
          optimizer.clipnorm = 1;
          small.assign(saved[1]);
          large.assign(saved[2]);
          optimizer.loadState(saved[0]);
          optimizer.apply(grads);
          const expected = [
            new Variable(saved[1], { name: 'small' }),
            new Variable(saved[2], { name: 'large' }),
          ];
          const other = new Adam({ learningRate: 0.1, clipnorm: 1 });
          other.build(expected);
          other.loadState(saved[0]);
          other.apply(grads);
          assertSameBits(small.value, expected[0].value);
          assertSameBits(large.value, expected[1].value);
          for (const each of [other, ...expected]) each.dispose();
        }
        for (const each of [optimizer, small, large]) each.dispose();
        gpu.dispose();
      }
      t.diagnostic(`${losses} losses`);
      assert.ok(losses > 0);
    });
});

describe('buffers that cannot be used', () => {
  test('are refused before anything is enqueued', async () => {
    const gpu = await openGpu();
    const size = 2 ** 18;
    const large = gpu.variable(size, { name: 'large' });
    const small = gpu.variable(8, { name: 'small' });
    const optimizer = new Adam();
    optimizer.build([large, small]);
    const good = bufferWith(gpu, new Float32Array(size));
    const make = (bytes, flags) => gpu.device.createBuffer({ size: bytes, usage: flags });
    const mapped = gpu.device.createBuffer({
      size: 32,
      usage: usage.storage | usage.copySrc,
      mappedAtCreation: true,
    });
    const before = await optimizer.readState();
    const counts = counting(gpu);
    const refusals = [
      [[make(size * 4, usage.copyDst), null], RangeError, /'large'.*usage STORAGE/s],
      [[good, make(32, usage.storage)], RangeError, /'small'.*COPY_SRC/s],
      [[good, make(36, usage.storage | usage.copySrc)], RangeError, /'small'.*32 bytes/s],
      [[make(size * 4 - 4, usage.storage), null], RangeError, /'large'.*bytes/s],
      [[{ buffer: good, offset: 2 }, null], RangeError, /multiple of 4/],
      [[{ buffer: good, offset: 4 }, null], RangeError, /bytes/],
      [[good, mapped], Error, /mapped/],
      [[good, new Float32Array(7)], TypeError, /GPUBuffer/],
      [[{}, null], TypeError, /'large'/],
    ];
    for (const [grads, Type, pattern] of refusals.slice(0, 7))
      assertRefused(() => optimizer.apply(grads), Type, pattern);
    assert.throws(() => optimizer.apply(refusals[7][0]), RangeError);
    assertRefused(() => optimizer.apply(refusals[8][0]), TypeError, /'large'/);
    assert.deepEqual(counts, { dispatches: 0, submits: 0 });
    const local = new Variable(8, { name: 'local' });
    const other = new Adam();
    other.build([local]);
    assertRefused(() => other.apply([make(32, usage.storage)]), TypeError, /'local'/);
    assert.equal(optimizer.iterations, 0);
    assert.deepEqual(await optimizer.readState(), before);
    await gpu.sync();
    for (const each of [optimizer, other, large, small, local]) each.dispose();
    gpu.dispose();
  });

  test('gpu.wrap takes what it can step, and nothing else', async () => {
    const gpu = await openGpu();
    const all = usage.storage | usage.copySrc | usage.copyDst;
    const buffer = gpu.device.createBuffer({ size: 1024, usage: all });
    assertRefused(() => gpu.wrap(new Float32Array(4)), TypeError, /GPUBuffer/);
    assertRefused(() => gpu.wrap(buffer, { shape: [100] }), RangeError, /400 bytes/);
    assertRefused(() => gpu.wrap(buffer, { shape: [4], offset: 16 }), RangeError, /multiple of 256/);
    assertRefused(() => gpu.wrap(buffer, { shape: [64, 4], offset: 256 }), RangeError, /1024 bytes/);
    const partly = gpu.device.createBuffer({ size: 64, usage: usage.storage });
    assertRefused(() => gpu.wrap(partly), RangeError, /COPY_SRC and COPY_DST/);
    const first = gpu.wrap(buffer, { name: 'first' });
    const second = gpu.wrap(buffer, { name: 'second', offset: 512, shape: [16] });
    assert.throws(() => new Adam().build([first, second]), /overlap/);
    const other = await openGpu();
    const there = other.variable(4, { name: 'there' });
    assert.throws(() => new Adam().build([first, there]), /another GPU device/);
    first.dispose();
    gpu.device.queue.writeBuffer(buffer, 0, new Float32Array(4)); // not destroyed
    await gpu.sync();
    for (const each of [second, there]) each.dispose();
    gpu.dispose();
    other.dispose();
  });

  test('a buffer of another device is known to the device alone: sync() rejects', async () => {
    const gpu = await openGpu();
    const other = await openGpu();
    const v = gpu.variable(2 ** 18, { name: 'v' });
    const optimizer = new Adam();
    optimizer.build([v]);
    await gpu.sync();
    optimizer.apply([bufferWith(other, new Float32Array(2 ** 18))]);
    await assert.rejects(gpu.sync(), /refused a command/);
    await gpu.sync(); // told once
    assertSameBits(await v.read(), new Float32Array(2 ** 18));
    for (const each of [optimizer, v]) each.dispose();
    gpu.dispose();
    other.dispose();
  });

  test('a device of the caller’s is used as it is and not destroyed', async () => {
    const device = await (await entry.requestAdapter()).requestDevice();
    const gpu = await initWebGPU({ device });
    assert.equal(gpu.device, device);
    const v = gpu.variable([1, 2, 3], { name: 'v' });
    gpu.dispose();
    assertSameBits(await v.read(), Float32Array.of(1, 2, 3));
    v.dispose();
    device.destroy();
  });
});
