// .keras files taken apart and made, by h5wasm and fflate directly: what is in one, everything in it, for
// comparison; and small models of other shapes than the recorded ones, in the layout of Keras 3's saving_lib.
import { strFromU8, strToU8, unzipSync, zipSync } from 'fflate';
import hdf5 from 'h5wasm';

const library = await hdf5.ready;
const scratch = '/keras-archive.h5';
const types = { '<f': Float32Array, '<i': Int32Array, '<q': BigInt64Array, '<d': Float64Array };

/** The files of the archive, and all groups and datasets of model.weights.h5 with their types and attributes. */
export function unpack(bytes) {
  const files = unzipSync(bytes);
  return { files, text: strFromU8(files['config.json']), entries: contentsOf(files['model.weights.h5']) };
}

/** All groups and datasets of an HDF5 file with their types and attributes. */
export function contentsOf(bytes) {
  library.FS.writeFile(scratch, bytes);
  const file = new hdf5.File(scratch, 'r');
  const entries = {};
  for (const path of ['/', ...file.paths()]) {
    const entity = path === '/' ? file : file.get(path);
    const attributes = Object.fromEntries(
      Object.entries(entity.attrs).map(([name, { value, metadata }]) => [name, { value, metadata }]),
    );
    entries[path] = { attributes };
    if (entity.metadata) Object.assign(entries[path], { metadata: entity.metadata, value: entity.value });
  }
  file.close();
  return entries;
}

export const repack = (bytes, changes) => zipSync({ ...unzipSync(bytes), ...changes }, { level: 6 });

/** The archive with another config.json, made from its text. */
export const withConfig = (bytes, change) =>
  repack(bytes, { 'config.json': strToU8(change(unpack(bytes).text)) });

/**
 * @param config the model's, an object or text
 * @param datasets path -> { shape, values (default: all k for the k-th dataset), dtype (default '<f') }
 * @param names what Keras writes as attribute `name` of a group
 */
export function pack(config, datasets, names = {}, version = '3.16.0') {
  return zipSync({
    'metadata.json': strToU8(JSON.stringify({ keras_version: version })),
    'config.json': strToU8(typeof config === 'string' ? config : JSON.stringify(config)),
    'model.weights.h5': makeHdf5(datasets, names),
  });
}

/** @param attributes path -> { name: value }; '' is the root */
export function makeHdf5(datasets, names = {}, attributes = {}) {
  const file = new hdf5.File(scratch, 'w');
  const groupAt = (path) =>
    path === ''
      ? file
      : path.split('/').reduce((group, part) => group.get(part) ?? group.create_group(part), file);
  Object.entries(datasets).forEach(([path, { shape, values, dtype = '<f' }], k) => {
    const cut = path.lastIndexOf('/');
    const size = shape.reduce((a, b) => a * b, 1);
    const fill = dtype === '<q' ? BigInt(k) : k;
    const data = types[dtype].from(values ?? Array(size).fill(fill));
    groupAt(path.slice(0, cut)).create_dataset({ name: path.slice(cut + 1), data, shape, dtype });
  });
  for (const [path, name] of Object.entries(names)) groupAt(path).create_attribute('name', name);
  for (const [path, all] of Object.entries(attributes))
    for (const [name, value] of Object.entries(all))
      groupAt(path).create_attribute(name, value, Array.isArray(value) ? [value.length] : null, 'S');
  file.close();
  return library.FS.readFile(scratch);
}

/** The state of Adam for variables of these shapes: the slots of the k-th are filled with k and k + 0.5. */
export function adamState(shapes, { iteration = 5, rate = 0.01, dtype = '<i' } = {}) {
  const at = (k) => `optimizer/vars/${k}`;
  const first = dtype === '<q' ? BigInt(iteration) : iteration;
  const state = { [at(0)]: { shape: [], values: [first], dtype }, [at(1)]: { shape: [], values: [rate] } };
  shapes.forEach((shape, k) => {
    const size = shape.reduce((a, b) => a * b, 1);
    state[at(2 + 2 * k)] = { shape, values: Array(size).fill(k) };
    state[at(3 + 2 * k)] = { shape, values: Array(size).fill(k + 0.5) };
  });
  return state;
}
