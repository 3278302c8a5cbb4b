// Damaged and malicious files: bits flipped anywhere, archives cut off or mislabelled, archives that unpack to more
// than they say. Each is refused with an error of ours or opens with the same numbers; none takes long or much memory.
// The damage is made here, in real files, from a seed; each kind is tried at many places.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { unzipSync, zipSync } from 'fflate';
import { Adam, init, Variable } from '../../dist/index.js';
import { openKeras, saveKeras } from '../../dist/keras.js';
import { assertSameBits, assertSameSnapshot, generator, root, runModule, snapshot } from './helpers.mjs';

before(() => init());

const folder = join(root, 'tests/vectors/keras-files');
const read = (file) => new Uint8Array(readFileSync(join(folder, file)));
const keras = read('adam.keras');
const flipped = (bytes, at, bit) => {
  const copy = bytes.slice();
  copy[at] ^= 1 << bit;
  return copy;
};
const variablesOf = (file) =>
  file.variables.map(({ value, path, shape }) => new Variable(value, { path, shape }));

const refused = (promise, Type, ...patterns) =>
  assert.rejects(promise, (error) => {
    assert.equal(error.constructor, Type, error.stack);
    for (const pattern of patterns) assert.match(error.message, pattern);
    return true;
  });

/** Runs `work` without what the HDF5 library says on the console. */
async function quietly(work) {
  const { error, warn } = console;
  console.error = console.warn = () => {};
  try {
    return await work();
  } finally {
    Object.assign(console, { error, warn });
  }
}

/** The numbers in a file: everything that it opens to. */
async function contents(bytes) {
  const file = await openKeras(bytes);
  const variables = variablesOf(file);
  file.build(variables);
  return [...file.variables.map(({ value }) => value), ...file.optimizer.getWeights()];
}

test('a bit flipped anywhere in an archive: refused, or the same numbers', async () => {
  const whole = await contents(keras);
  const next = generator(11);
  let refusals = 0;
  for (let k = 0; k < 400; k++) {
    const at = Math.floor(next() * keras.length);
    const bit = Math.floor(next() * 8);
    const found = await contents(flipped(keras, at, bit)).catch((error) => {
      assert.ok(error instanceof RangeError, `byte ${at}, bit ${bit}: ${error.stack}`);
      refusals++;
      return whole;
    });
    assert.deepEqual(found, whole, `byte ${at}, bit ${bit}`);
  }
  assert.ok(refusals > 300, `${refusals} of 400 refused`);
});

test('a checksum that does not match names the file in the archive', async () => {
  const { variables } = await openKeras(keras);
  const first = Buffer.from(variables[0].value.buffer);
  const at = Buffer.from(keras).indexOf(first.subarray(0, 16));
  await refused(openKeras(flipped(keras, at + 3, 6)), RangeError, /model\.weights\.h5.*checksum \(CRC-32\)/);
  const optimizer = new Adam();
  await refused(saveKeras(flipped(keras, at + 3, 6), optimizer, []), Error, /not built/);
});

test('an archive cut off anywhere is refused', async () => {
  for (let length = 0; length < keras.length; length += 577)
    await refused(openKeras(keras.subarray(0, length)), RangeError);
});

test('damaged HDF5 in a whole archive: an answer, within seconds, and an error of ours', async () => {
  // In a process of its own: a loop in the HDF5 library can be ended in no other way.
  const told = runModule(
    `
    import { readFileSync } from 'node:fs';
    import { unzipSync, zipSync } from 'fflate';
    import { init } from './dist/index.js';
    import { openKeras } from './dist/keras.js';
    import { generator } from './tests/node/helpers.mjs';
    await init();
    console.error = console.warn = () => {};
    const files = unzipSync(readFileSync('tests/vectors/keras-files/adam.keras'));
    const next = generator(5);
    const found = {};
    for (let k = 0; k < 1500; k++) {
      const h5 = files['model.weights.h5'].slice();
      for (let flips = 0; flips <= k % 3; flips++) h5[Math.floor(next() * h5.length)] ^= 1 << Math.floor(next() * 8);
      const bytes = zipSync({ ...files, 'model.weights.h5': h5 }, { level: 0 });
      const name = await openKeras(bytes).then(() => 'opened', (error) => error.constructor.name);
      found[name] = (found[name] ?? 0) + 1;
    }
    const hang = await openKeras(readFileSync('tests/vectors/keras-files/damaged-heap.keras')).catch((e) => e.message);
    const heap = unzipSync(readFileSync('tests/vectors/keras-files/damaged-heap.keras'));
    const again = await openKeras(zipSync(heap, { level: 0 })).catch((e) => e.message);
    console.log(JSON.stringify({ found, hang, again }));`,
    { timeout: 120_000 },
  );
  const { found, hang, again } = JSON.parse(told.split('\n').pop());
  assert.deepEqual(Object.keys(found).sort(), ['RangeError', 'opened']);
  assert.match(hang, /checksum/);
  assert.match(again, /model\.weights\.h5 is damaged or cut off: the strings at \d+ have no order/);
});

test('an archive that unpacks to more than it may, or than it says, is refused before it does', async () => {
  const files = unzipSync(keras);
  const bomb = zipSync({ ...files, 'model.weights.h5': new Uint8Array(2 ** 29) }, { level: 9 });
  assert.ok(bomb.length < 2 ** 20);
  const before = process.memoryUsage().rss;
  await refused(openKeras(bomb), RangeError, /unpacks to 536870912, more than .* maxBytes/);
  assert.ok(process.memoryUsage().rss - before < 2 ** 26, 'memory');
  // What nobody asks for is not unpacked, also not in saving.
  const aside = zipSync({ ...files, 'assets/large': new Uint8Array(2 ** 29) }, { level: 9 });
  const file = await openKeras(aside);
  const variables = variablesOf(file);
  file.build(variables);
  const saved = await saveKeras(aside, file.optimizer, variables);
  assert.ok(saved.length < 2 ** 20);
  assert.ok(process.memoryUsage().rss - before < 2 ** 27, 'memory');
  assert.deepEqual(await contents(saved), await contents(keras));
  // Said to be small: the size in the directory is changed.
  const small = zipSync({ ...files, 'config.json': new Uint8Array(2 ** 24) }, { level: 9 });
  const view = new DataView(small.buffer, small.byteOffset);
  for (let at = 0; at + 46 < small.length; at++)
    if (view.getUint32(at, true) === 0x02014b50 && view.getUint32(at + 24, true) === 2 ** 24)
      view.setUint32(at + 24, 1000, true);
  await refused(openKeras(small), RangeError, /config\.json.*damaged: its 1000 bytes cannot be unpacked/);
  const generous = zipSync(files, { level: 9 });
  await refused(openKeras(generous, { maxBytes: 1000 }), RangeError, /more than the \d+ that are allowed/);
  assert.deepEqual(await contents(generous), await contents(keras));
});

test('saved archives are whole, and what was not changed is as it was', async () => {
  const files = { ...unzipSync(keras), 'assets/ä.txt': new TextEncoder().encode('a'.repeat(1000)) };
  for (const level of [0, 9]) {
    const given = zipSync(files, { level });
    const file = await openKeras(given);
    const variables = variablesOf(file);
    file.build(variables);
    const saved = unzipSync(await saveKeras(given, file.optimizer, variables));
    assert.deepEqual(Object.keys(saved), Object.keys(files));
    assert.deepEqual(saved['assets/ä.txt'], files['assets/ä.txt']);
    assert.deepEqual(saved['config.json'], files['config.json']);
  }
});

test('datasets that are said to hold more than the file are refused', async () => {
  const { default: hdf5 } = await import('h5wasm');
  const { FS } = await hdf5.ready;
  const files = unzipSync(keras);
  const file = new hdf5.File('/huge.h5', 'w');
  const group = file.create_group('layers').create_group('dense').create_group('vars');
  const data = new Float32Array(4);
  group.create_dataset({ name: '0', data, shape: [4], maxshape: [null], chunks: [4] }).resize([2 ** 30]);
  file.close();
  const bytes = zipSync({ ...files, 'model.weights.h5': FS.readFile('/huge.h5') });
  await quietly(() =>
    refused(openKeras(bytes), RangeError, /'layers\/dense\/vars\/0' is said to hold 4294967296 bytes/),
  );
});

test('unknown options are refused with the nearest name', async () => {
  const file = await openKeras(keras);
  const variables = variablesOf(file);
  file.build(variables);
  await refused(
    openKeras(keras, { customObject: {} }),
    TypeError,
    /'customObject'.*Did you mean 'customObjects'/,
  );
  await refused(openKeras(keras, null), TypeError, /options are an object, got null/);
  await refused(
    openKeras(keras, { maxBytes: -1 }),
    RangeError,
    /maxBytes must be a number > 0, got number -1/,
  );
  await refused(
    saveKeras(keras, file.optimizer, variables, { custom_objects: {} }),
    TypeError,
    /Did you mean 'customObjects'/,
  );
  assert.throws(
    () => file.optimizer.addVariable({ shape: [1], initialiser: 'ones' }),
    /Did you mean 'initializer'/,
  );
});

test('moments that cannot be are refused wherever a state is read, and nothing changes', async () => {
  const variables = ['a', 'b'].map((path) => new Variable([1, 1], { path }));
  const optimizer = new Adam();
  optimizer.build(variables);
  const before = snapshot(optimizer, variables);
  // As optimizer_v2 lists them: all m, then all v.
  const legacy = [100, 0.001, [-0.5, 0.5], [-0.25, 0.25], [0.3, 0.3], [0.1, 0.1]];
  const message = /'adam\/a_velocity' has -0\.25 at 0, and a velocity is never below zero.*optimizer_v2/;
  assert.throws(() => optimizer.setWeights(legacy), message);
  assert.throws(() => optimizer.loadOwnVariables({ ...legacy }), message);
  const twin = new Adam();
  const others = ['a', 'b'].map((path) => new Variable([1, 1], { path }));
  twin.build(others);
  twin.apply([Float32Array.of(1, 1), Float32Array.of(1, 1)]);
  const bytes = twin.serializeState();
  const text = new TextDecoder().decode(bytes);
  const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
  const { data_offsets: place } = JSON.parse(text.slice(8, 8 + length))['b/velocity'];
  new DataView(bytes.buffer).setFloat32(8 + length + place[0] + 4, -1, true);
  assert.throws(() => optimizer.loadState(bytes), /'adam\/b_velocity' has -1 at 1/);
  assertSameSnapshot(snapshot(optimizer, variables), before);
  const { default: hdf5 } = await import('h5wasm');
  const { FS } = await hdf5.ready;
  const files = unzipSync(keras);
  FS.writeFile('/negative.h5', files['model.weights.h5']);
  const file = new hdf5.File('/negative.h5', 'a');
  file.get('optimizer/vars/3').write_slice(
    [
      [2, 3],
      [1, 2],
    ],
    Float32Array.of(-0.5),
  );
  file.close();
  await refused(
    openKeras(zipSync({ ...files, 'model.weights.h5': FS.readFile('/negative.h5') })),
    RangeError,
    /'optimizer\/vars\/3' has -0\.5 at 11, and a velocity is never below zero.*optimizer_v2/,
  );
  optimizer.setWeights([100, 0.001, [-0.5, 0.5], [0, Number.NaN], [0.3, -0.3], [0.1, 0.1]]); // NaN is a state
});

test('a header of safetensors that is not what it should be: an error of ours, and nothing changes', () => {
  const variables = [new Variable([1, 2, 3], { path: 'w' })];
  const optimizer = new Adam();
  optimizer.build(variables);
  optimizer.apply([Float32Array.of(1, -1, 1)]);
  const bytes = optimizer.serializeState();
  const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
  const before = snapshot(optimizer, variables);
  const withHeader = (text) => {
    const encoded = new TextEncoder().encode(text);
    const out = new Uint8Array(8 + encoded.length + bytes.length - 8 - length);
    new DataView(out.buffer).setBigUint64(0, BigInt(encoded.length), true);
    out.set(encoded, 8);
    out.set(bytes.subarray(8 + length), 8 + encoded.length);
    return out;
  };
  const odd = [
    undefined,
    null,
    7,
    -1,
    0.5,
    'x',
    '0,4',
    [],
    {},
    [0],
    [4, 0],
    [0, 1e300],
    ['0', '4'],
    { length: 2 },
    [0, 4, 8],
    true,
  ];
  for (const key of ['data_offsets', 'shape', 'dtype'])
    for (const value of odd) {
      const changed = { ...header, 'w/velocity': { ...header['w/velocity'], [key]: value } };
      assert.throws(() => optimizer.loadState(withHeader(JSON.stringify(changed))), {
        name: 'RangeError',
        message: /loadState: .*(safetensors|w\/velocity)/,
      });
    }
  for (const value of [...odd.slice(1), []]) {
    assert.throws(
      () => optimizer.loadState(withHeader(JSON.stringify({ ...header, __metadata__: value }))),
      RangeError,
    );
    assert.throws(() => optimizer.loadState(withHeader(JSON.stringify(value))), RangeError);
    assert.throws(() => optimizer.loadState(withHeader(JSON.stringify({ ...header, w: value }))), RangeError);
  }
  const overlapping = { ...header, 'w/velocity': header['w/momentum'] };
  assert.throws(() => optimizer.loadState(withHeader(JSON.stringify(overlapping))), /within what ends at/);
  const next = generator(3);
  for (let k = 0; k < 500; k++) {
    const damaged = flipped(bytes, Math.floor(next() * (8 + length)), Math.floor(next() * 8));
    try {
      optimizer.loadState(damaged);
    } catch (error) {
      assert.ok(error instanceof RangeError || error instanceof TypeError, error.stack);
      assert.doesNotMatch(error.message, /not a function|Cannot read/);
    }
    optimizer.loadState(bytes);
  }
  assertSameSnapshot(snapshot(optimizer, variables), before);
});

test('a count beyond int32 is saved as the largest, and loads', () => {
  const make = () => {
    const variables = [new Variable([1], { path: 'w' })];
    const optimizer = new Adam();
    optimizer.build(variables);
    return { optimizer, variables };
  };
  const { optimizer, variables } = make();
  optimizer.setWeights([2 ** 31 - 1, 0.001, [0.5], [0.25]]);
  optimizer.apply([Float32Array.of(1)]);
  assert.equal(optimizer.rawIterations, 2 ** 31);
  const again = make();
  again.variables[0].assign(variables[0].value);
  again.optimizer.loadState(optimizer.serializeState());
  again.optimizer.setWeights(optimizer.getWeights());
  assert.equal(again.optimizer.rawIterations, 2 ** 31 - 1);
  for (const { optimizer: one } of [{ optimizer }, again]) one.apply([Float32Array.of(1)]);
  assertSameBits(again.variables[0].value, variables[0].value);
});
