// An HDF5 file in memory, as far as Keras uses one: groups with a `name`, and datasets of numbers, which are read
// whole and written whole in place. h5wasm does the work; everything that is not written stays as it was.
import { peer } from './peers.js';

/** A dataset's shape and element type, in NumPy's words (`float32`, `int64`, …, or `other`). */
export interface DatasetInfo {
  readonly shape: readonly number[];
  readonly type: string;
}

type Hdf5 = Awaited<ReturnType<typeof load>>;
type Library = Awaited<Hdf5['ready']>;
type Group = InstanceType<Hdf5['Group']>;
type Dataset = InstanceType<Hdf5['Dataset']>;

const load = () => peer('h5wasm', () => import('h5wasm'));
const signature = [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a];
let opened = 0;

const arrays: Record<string, (values: ArrayLike<number>) => ArrayBufferView> = {
  float32: (values) => Float32Array.from(values),
  int32: (values) => Int32Array.from(values),
  int64: (values) => BigInt64Array.from(Array.from(values, BigInt)),
};

/**
 * Runs `work`, which is synchronous, on the opened bytes, and closes the file.
 * @throws RangeError for bytes that are no HDF5 file, or a damaged one
 */
export async function withHdf5<T>(what: string, bytes: Uint8Array, work: (file: Hdf5File) => T): Promise<T> {
  if (!signature.every((byte, k) => bytes[k] === byte))
    throw new RangeError(`${what}: model.weights.h5 is no HDF5 file.`);
  const hdf5 = await load();
  const library = await hdf5.ready;
  const name = `/simdescent-${opened++}.h5`;
  library.FS.writeFile(name, bytes);
  try {
    const file = openQuietly(hdf5, library, what, name);
    try {
      return work(file);
    } finally {
      file.close();
    }
  } finally {
    library.FS.unlink(name);
  }
}

/** Without the handler HDF5 prints its stack of errors, and open() returns a file that is none. */
function openQuietly(hdf5: Hdf5, library: Library, what: string, name: string): Hdf5File {
  library.activate_throwing_error_handler();
  try {
    return new Hdf5File(library, new hdf5.File(name, 'a'), name);
  } catch (cause) {
    throw new RangeError(`${what}: model.weights.h5 is damaged or cut off: HDF5 cannot read it.`, { cause });
  } finally {
    library.deactivate_throwing_error_handler();
  }
}

export class Hdf5File {
  readonly #library: Library;
  readonly #file: InstanceType<Hdf5['File']>;
  readonly #name: string;
  // Everything in the file by its path: h5wasm prints an error when it is asked for what is not there.
  readonly #groups = new Map<string, Group>();
  readonly #datasets = new Map<string, Dataset>();
  #open = true;

  constructor(library: Library, file: InstanceType<Hdf5['File']>, name: string) {
    this.#library = library;
    this.#file = file;
    this.#name = name;
    this.#index('', file);
  }

  /** The names in a group, sorted; none if there is no such group. The root is ''. */
  keys(group: string): string[] {
    return this.#groups.get(group)?.keys() ?? [];
  }

  isGroup(path: string): boolean {
    return this.#groups.has(path);
  }

  /** Keras' `name` of what a group holds; older versions wrote none. */
  nameOf(group: string): string | undefined {
    const value = this.#groups.get(group)?.attrs.name?.value;
    return typeof value === 'string' ? value : undefined;
  }

  /** The datasets below a group. */
  datasetsBelow(group: string): string[] {
    return [...this.#datasets.keys()].filter((path) => path.startsWith(`${group}/`));
  }

  /** The datasets "0", "1", … of a group. */
  numbered(group: string): string[] {
    const count = this.keys(group).filter((key) => /^\d+$/.test(key)).length;
    return Array.from({ length: count }, (_, k) => `${group}/${k}`);
  }

  /** @throws RangeError if there is no such dataset */
  info(path: string): DatasetInfo {
    const { shape, type, size, signed } = this.#dataset(path).metadata;
    const kind = [signed ? 'int' : 'uint', 'float'][type];
    return { shape: shape ?? [], type: kind ? `${kind}${size * 8}` : 'other' };
  }

  /** A copy, in row-major order; of a scalar too. Integers and float64 keep their digits. */
  read(path: string): Float32Array | Float64Array {
    const value = this.#dataset(path).value as number | bigint | ArrayLike<number | bigint>;
    const list = typeof value === 'object' ? value : [value];
    return this.info(path).type === 'float32'
      ? Float32Array.from(list, Number)
      : Float64Array.from(list, Number);
  }

  /** All of a dataset, in its own type. @throws RangeError for a type that is not written */
  write(path: string, values: ArrayLike<number>): void {
    const { type } = this.info(path);
    if (!arrays[type]) throw new RangeError(`model.weights.h5: '${path}' is ${type}, which is not written.`);
    const { buffer, byteOffset, byteLength } = arrays[type](values);
    // Dataset.write_slice of h5wasm cannot do scalars; this writes any dataset as a whole.
    const at = this.#library._malloc(byteLength);
    try {
      this.#library.HEAPU8.set(new Uint8Array(buffer, byteOffset, byteLength), at);
      const { file_id: id } = this.#file;
      if (this.#library.set_dataset_data(id, `/${path}`, null, null, null, BigInt(at)) < 0)
        throw new Error(`model.weights.h5: HDF5 could not write '${path}'.`);
    } finally {
      this.#library._free(at);
    }
  }

  /** A new dataset; its group is made if it is missing. */
  create(path: string, { shape, type }: DatasetInfo, values: ArrayLike<number>): void {
    const parts = path.split('/');
    const name = parts.pop() as string;
    let group: Group = this.#file;
    parts.forEach((part, k) => {
      const at = parts.slice(0, k + 1).join('/');
      const found = this.#groups.get(at) ?? group.create_group(part);
      this.#groups.set(at, found);
      group = found;
    });
    const data = type === 'int32' ? Int32Array.from(values) : Float32Array.from(values);
    const dtype = type === 'int32' ? '<i' : '<f';
    this.#datasets.set(path, group.create_dataset({ name, data, shape: [...shape], dtype }));
  }

  /** Closes the file and returns its bytes. */
  bytes(): Uint8Array {
    this.close();
    return this.#library.FS.readFile(this.#name);
  }

  close(): void {
    if (this.#open) this.#file.close();
    this.#open = false;
  }

  #index(path: string, group: Group): void {
    this.#groups.set(path, group);
    for (const key of group.keys()) {
      const entity = group.get(key);
      const below = path === '' ? key : `${path}/${key}`;
      if (entity === null) continue;
      if ('create_group' in entity) this.#index(below, entity);
      else if ('write_slice' in entity) this.#datasets.set(below, entity);
    }
  }

  #dataset(path: string): Dataset {
    const dataset = this.#datasets.get(path);
    if (!dataset) throw new RangeError(`model.weights.h5 has no dataset '${path}'.`);
    return dataset;
  }
}
