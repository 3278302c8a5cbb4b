// Models as people have them, taken apart: a `.keras` archive, the folder that `zipped=False` makes of it, a whole model
// in one HDF5 file, or its weights alone. What it is, is told by the bytes: names lie, and some are called `.keras` and
// are HDF5. Each form has its config, its optimizer and its weights elsewhere, and goes back into its own form. Which
// weights it holds is weights.ts and legacy.ts.
import { bytesOf } from '../basics/bytes.js';
import { type Hdf5File, isHdf5 } from './hdf5.js';
import { type JsonNode, parseJson } from './json-text.js';
import type { LayerConfig } from './layers.js';
import { isLegacy } from './legacy.js';
import { isZip, openZip } from './zip.js';

/** The files of a saved model by name: `config.json`, `model.weights.h5`, and whatever else there is. */
export type Files = Readonly<Record<string, Uint8Array>>;

export interface Source {
  /** What the HDF5 file is called in messages. */
  readonly name: string;
  readonly hdf5: Uint8Array;
  /** What else is known, once the HDF5 file is open. */
  describe(file: Hdf5File): Description;
  /** The whole again, with another HDF5 file, and another config where it has one aside. */
  pack(hdf5: Uint8Array, text: string | null): Uint8Array | Record<string, Uint8Array>;
}

export interface Description {
  readonly model: LayerConfig | null;
  /** The text that has the optimizer's config, and its place in it; null where there is none. */
  readonly optimizer: { readonly text: string; readonly node: JsonNode } | null;
  /** Where the text is kept in the HDF5 file: an attribute of its root; null if it is a file aside. */
  readonly attribute: string | null;
  /** Layers and state by name, as in whole-model `.h5` files. */
  readonly isLegacy: boolean;
  /** Keras', if it is told: `3.16.0`. */
  readonly version: string | null;
}

const configName = 'config.json';
const weightsName = 'model.weights.h5';

/** @throws TypeError, RangeError for what is no saved model */
export async function openSource(what: string, given: unknown, limit: number): Promise<Source> {
  if (isFolder(given)) return folder(what, given);
  const bytes = bytesOf(what, given);
  if (isHdf5(bytes)) return alone(what, bytes);
  if (bytes.length === 0 || isZip(bytes) || !isOther(bytes)) return archive(what, bytes, limit);
  throw new RangeError(
    `${what}: these ${bytes.length} bytes are ${isOther(bytes)}, and no model saved by Keras.`,
  );
}

function isFolder(given: unknown): given is Files {
  if (typeof given !== 'object' || given === null || ArrayBuffer.isView(given)) return false;
  return Object.getPrototypeOf(given) === Object.prototype && (configName in given || weightsName in given);
}

/** What bytes are that people take for a saved model. */
function isOther(bytes: Uint8Array): string | null {
  const text = new TextDecoder().decode(bytes.slice(0, 64));
  if (/^version https:\/\/git-lfs/.test(text)) return 'a pointer of Git LFS, not the file itself';
  if (/^\s*</.test(text)) return 'a page of HTML, perhaps an error of the server';
  if (/^\s*\{/.test(text)) return 'JSON';
  if (text.slice(8).trimStart().startsWith('{"')) return 'a safetensors file';
  if (text.startsWith('\u001f')) return 'gzip; unpack it first';
  return null;
}

async function archive(what: string, bytes: Uint8Array, limit: number): Promise<Source> {
  const zip = await openZip(what, bytes, limit);
  const file = (name: string) => {
    if (zip.names.includes(name)) return zip.unpack(name);
    throw new RangeError(
      `${what}: no .keras file: the archive has no ${name}, only ${zip.names.slice(0, 5).join(', ') || 'nothing'}.`,
    );
  };
  const [config, hdf5] = [file(configName), file(weightsName)];
  const metadata = zip.names.includes('metadata.json') ? zip.unpack('metadata.json') : null;
  return {
    name: weightsName,
    hdf5,
    describe: () => configured(what, config, metadata),
    pack: (changed, text) =>
      zip.packed({ ...(text === null ? {} : { [configName]: utf8(text) }), [weightsName]: changed }),
  };
}

function folder(what: string, files: Files): Source {
  const file = (name: string) => {
    if (files[name] === undefined)
      throw new RangeError(
        `${what}: the folder has no ${name}, only ${Object.keys(files).slice(0, 5).join(', ')}.`,
      );
    return bytesOf(`${what}: ${name}`, files[name]);
  };
  const [config, hdf5] = [file(configName), file(weightsName)];
  const metadata = files['metadata.json'] ? file('metadata.json') : null;
  return {
    name: weightsName,
    hdf5,
    describe: () => configured(what, config, metadata),
    pack: (changed, text) => ({
      ...files,
      ...(text === null ? {} : { [configName]: utf8(text) }),
      [weightsName]: changed,
    }),
  };
}

/** A `.keras` file's config, and its metadata. */
function configured(what: string, config: Uint8Array, metadata: Uint8Array | null): Description {
  const text = new TextDecoder().decode(config.slice());
  const root = parsed(what, configName, text);
  const node = root.members?.get('compile_config')?.members?.get('optimizer');
  if (!node || node.value === null)
    throw new RangeError(
      `${what}: the file has no optimizer (compile_config in config.json); compile the model before saving it.`,
    );
  const about =
    metadata &&
    (parsed(what, 'metadata.json', new TextDecoder().decode(metadata.slice())).value as Record<
      string,
      unknown
    >);
  const version = about?.keras_version;
  return {
    model: root.value as LayerConfig,
    optimizer: { text, node },
    attribute: null,
    isLegacy: false,
    version: typeof version === 'string' ? version : null,
  };
}

/** A whole model, or weights, in one HDF5 file. */
function alone(what: string, bytes: Uint8Array): Source {
  return {
    name: 'the file',
    hdf5: bytes,
    describe(file) {
      const model = file.text('', 'model_config');
      const training = file.text('', 'training_config');
      const node =
        training === undefined
          ? undefined
          : parsed(what, 'training_config', training).members?.get('optimizer_config');
      if (!node?.members && file.datasetsBelow('optimizer_weights').length > 0)
        throw new RangeError(
          `${what}: the file has the state of an optimizer (optimizer_weights), and no config of it (optimizer_config in ` +
            'training_config): the state would be lost.',
        );
      const found = model === undefined ? null : (parsed(what, 'model_config', model).value as LayerConfig);
      return {
        model: found,
        optimizer: training !== undefined && node?.members ? { text: training, node } : null,
        attribute: 'training_config',
        isLegacy: isLegacy(file),
        version: file.text('', 'keras_version') ?? file.text('model_weights', 'keras_version') ?? null,
      };
    },
    pack: (changed) => changed,
  };
}

function parsed(what: string, name: string, text: string): JsonNode {
  try {
    return parseJson(text);
  } catch (cause) {
    throw new RangeError(`${what}: ${name} is no JSON: ${(cause as Error).message}.`, { cause });
  }
}

const utf8 = (text: string) => new TextEncoder().encode(text);
