// An HDF5 file in memory, as far as Keras uses one: groups, texts as attributes, and datasets of numbers, which are
// read whole and written whole in place. h5wasm does the work; everything that is not written stays as it was.
// Paths have '/', also where Keras on Windows wrote 'layers\dense' as the name of one group (keras-team/keras#18528).
import { damageOf } from './hdf5-check.js';
import { decode, encode } from './numbers.js';
import { peer } from './peers.js';

/** A dataset's shape and element type, in NumPy's words (`float32`, `bfloat16`, `int64`, …, or `other`). */
export interface DatasetInfo {
  readonly shape: readonly number[];
  readonly type: string;
}

export interface Hdf5Options {
  /** The file's name in messages. */
  readonly name: string;
  /** How many bytes may be read: a file can be said to hold more than it does. */
  readonly limit: number;
  /** Whether `write` and the like are called. */
  readonly writes: boolean;
}

type Hdf5 = Awaited<ReturnType<typeof load>>;
type Library = Awaited<Hdf5['ready']>;
type Group = InstanceType<Hdf5['Group']>;
type Dataset = InstanceType<Hdf5['Dataset']>;

const load = () => peer('h5wasm', () => import('h5wasm'));
const signature = [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a];
let opened = 0;

export const isHdf5 = (bytes: Uint8Array): boolean => signature.every((byte, k) => bytes[k] === byte);

/**
 * Runs `work` on the opened bytes, and closes the file.
 * @throws RangeError for bytes that are no HDF5 file, or a damaged one
 */
export async function withHdf5<T>(
  what: string,
  bytes: Uint8Array,
  options: Hdf5Options,
  work: (file: Hdf5File) => T | Promise<T>,
): Promise<T> {
  const { name, writes } = options;
  if (!isHdf5(bytes)) throw new RangeError(`${what}: ${name} is no HDF5 file.`);
  const damage = damageOf(bytes);
  if (damage) throw new RangeError(`${what}: ${name} is damaged or cut off: ${damage}.`);
  const hdf5 = await load();
  const library = await hdf5.ready;
  const scratch = `/simdescent-${opened++}.h5`;
  if (writes) library.FS.writeFile(scratch, bytes);
  else library.FS.createDataFile('/', scratch.slice(1), bytes, true, false, true); // the bytes themselves, no copy
  try {
    const file = openQuietly(hdf5, library, what, scratch, options);
    try {
      return await work(file);
    } catch (cause) {
      // Whatever is not an error of ours comes from the library: it throws numbers, and traps.
      if (cause instanceof RangeError || cause instanceof TypeError) throw cause;
      throw damaged(what, name, cause);
    } finally {
      file.close();
    }
  } finally {
    library.FS.unlink(scratch);
  }
}

const damaged = (what: string, name: string, cause: unknown) =>
  new RangeError(`${what}: ${name} is damaged or cut off: HDF5 cannot read it.`, { cause });

/** Without the handler HDF5 prints its stack of errors, and open() returns a file that is none. */
function openQuietly(
  hdf5: Hdf5,
  library: Library,
  what: string,
  scratch: string,
  options: Hdf5Options,
): Hdf5File {
  library.activate_throwing_error_handler();
  try {
    return new Hdf5File(
      what,
      hdf5,
      library,
      new hdf5.File(scratch, options.writes ? 'a' : 'r'),
      scratch,
      options,
    );
  } catch (cause) {
    throw damaged(what, options.name, cause);
  } finally {
    library.deactivate_throwing_error_handler();
  }
}

export class Hdf5File {
  /** The file's name in messages. */
  readonly name: string;
  /** The same after the function that the user called. */
  readonly #label: string;
  readonly #hdf5: Hdf5;
  readonly #library: Library;
  readonly #file: InstanceType<Hdf5['File']>;
  readonly #scratch: string;
  // Everything in the file by its path: h5wasm prints an error when it is asked for what is not there.
  readonly #groups = new Map<string, Group>();
  readonly #datasets = new Map<string, Dataset>();
  readonly #children = new Map<string, Set<string>>();
  readonly #attributes = new Map<string, ReadonlySet<string>>();
  #room: number;
  #open = true;

  constructor(
    what: string,
    hdf5: Hdf5,
    library: Library,
    file: InstanceType<Hdf5['File']>,
    scratch: string,
    { name, limit }: Hdf5Options,
  ) {
    this.name = name;
    this.#label = `${what}: ${name}`;
    this.#hdf5 = hdf5;
    this.#library = library;
    this.#file = file;
    this.#scratch = scratch;
    this.#room = limit;
    this.#index('', file);
  }

  /** The names in a group, sorted; none if there is no such group. The root is ''. */
  keys(group: string): string[] {
    return [...(this.#children.get(group) ?? [])];
  }

  isGroup(path: string): boolean {
    return this.#children.has(path);
  }

  isDataset(path: string): boolean {
    return this.#datasets.has(path);
  }

  /** A text that is an attribute of a group or dataset. */
  text(path: string, attribute: string): string | undefined {
    const value = this.#attribute(path, attribute);
    return typeof value === 'string' ? value : undefined;
  }

  /** A list of texts; long ones are in pieces, `name0`, `name1`, … */
  texts(path: string, attribute: string): string[] | undefined {
    const value = this.#attribute(path, attribute);
    if (typeof value === 'string') return [value];
    if (value !== undefined) return Array.isArray(value) ? value.map(String) : [];
    const pieces: string[] = [];
    for (let k = 0; ; k++) {
      const piece = this.#attribute(path, `${attribute}${k}`);
      if (piece === undefined) return k === 0 ? undefined : pieces;
      pieces.push(...(Array.isArray(piece) ? piece.map(String) : [String(piece)]));
    }
  }

  /** Keras' `name` of what a group holds; older versions wrote none. */
  nameOf(group: string): string | undefined {
    return this.text(group, 'name');
  }

  /** The datasets below a group; '' is the root. */
  datasetsBelow(group: string): string[] {
    return [...this.#datasets.keys()].filter((path) => group === '' || path.startsWith(`${group}/`));
  }

  /** The datasets "0", "1", … of a group. */
  numbered(group: string): string[] {
    const count = this.keys(group).filter((key) => /^\d+$/.test(key)).length;
    return Array.from({ length: count }, (_, k) => `${group}/${k}`);
  }

  /** @throws RangeError if there is no such dataset */
  info(path: string): DatasetInfo {
    const { shape, type, size, signed } = this.#dataset(path).metadata;
    const isBrain = size === 2 && this.text(path, 'dtype') === 'bfloat16';
    const kind = isBrain ? 'bfloat' : [signed ? 'int' : 'uint', 'float'][type];
    return { shape: shape ?? [], type: kind ? `${kind}${size * 8}` : 'other' };
  }

  /** A copy, in row-major order; of a scalar too. Integers and float64 keep their digits. @throws RangeError */
  read(path: string): Float32Array | Float64Array {
    const { size, total_size: count, littleEndian } = this.#dataset(path).metadata;
    const length = size * count;
    if (length > this.#room)
      throw new RangeError(
        `${this.#label}: '${path}' is said to hold ${length} bytes, more than the ${this.#room} that are allowed; if ` +
          'you trust the file, give the option maxBytes.',
      );
    this.#room -= length;
    const { type } = this.info(path);
    const { _malloc, _free } = this.#library;
    const at = _malloc(length);
    try {
      const status = this.#library.get_dataset_data(
        this.#file.file_id,
        this.#dataset(path).path,
        null,
        null,
        null,
        BigInt(at),
      );
      const isSwapped = littleEndian === false && /^u?(int|float)/.test(type) && size > 1;
      const values =
        status < 0 || isSwapped ? null : decode(type, this.#library.HEAPU8.slice(at, at + length));
      if (!values) throw new RangeError(`${this.#label}: '${path}' is ${type}, which is not read.`);
      return values;
    } finally {
      _free(at);
    }
  }

  /** All of a dataset, in its own type. @throws RangeError for a type that is not written */
  write(path: string, values: ArrayLike<number>): void {
    const { type } = this.info(path);
    const bytes = encode(type, values);
    if (!bytes) throw new RangeError(`${this.#label}: '${path}' is ${type}, which is not written.`);
    // Dataset.write_slice of h5wasm cannot do scalars; this writes any dataset as a whole.
    const at = this.#library._malloc(bytes.length);
    try {
      this.#library.HEAPU8.set(bytes, at);
      const { file_id: id } = this.#file;
      if (this.#library.set_dataset_data(id, this.#dataset(path).path, null, null, null, BigInt(at)) < 0)
        throw new RangeError(`${this.#label}: HDF5 could not write '${path}'.`);
    } finally {
      this.#library._free(at);
    }
  }

  /** A new dataset; its group is made if it is missing. */
  create(path: string, { shape, type }: DatasetInfo, values: ArrayLike<number>): void {
    const parts = path.split('/');
    const name = parts.pop() as string;
    const group = this.#groupAt(parts);
    const data =
      type === 'int32'
        ? Int32Array.from(values)
        : type === 'int64'
          ? BigInt64Array.from(Array.from(values, BigInt))
          : Float32Array.from(values);
    const dtype = { int32: '<i', int64: '<q' }[type] ?? '<f';
    this.#datasets.set(path, group.create_dataset({ name, data, shape: [...shape], dtype }));
    this.#add(path);
  }

  setText(path: string, attribute: string, text: string): void {
    const entity = this.#groups.get(path) as Group;
    if (this.#has(path, attribute)) entity.delete_attribute(attribute);
    entity.create_attribute(attribute, text, null, 'S');
  }

  /** As h5py does: in one list. */
  setTexts(path: string, attribute: string, texts: readonly string[]): void {
    const entity = this.#groupAt(path.split('/'));
    for (const old of Object.keys(entity.attrs))
      if (new RegExp(`^${attribute}\\d*$`).test(old)) entity.delete_attribute(old);
    entity.create_attribute(attribute, [...texts], [texts.length], 'S');
  }

  /** The bytes of a new file with everything but the datasets of these groups. */
  without(dropped: readonly string[]): Uint8Array {
    const scratch = `${this.#scratch}.new`;
    const copy = new this.#hdf5.File(scratch, 'w');
    const attributes = (from: Group | Dataset, to: Group | Dataset) => {
      for (const [name, { value, shape, dtype }] of Object.entries(from.attrs))
        if (value !== null) to.create_attribute(name, value as never, shape, dtype as never);
    };
    const follow = (path: string, from: Group, to: Group) => {
      const isDropped = dropped.includes(path);
      attributes(from, to);
      for (const key of from.keys()) {
        const entity = from.get(key);
        const below = join(path, key);
        if (entity && 'create_group' in entity) follow(below, entity, to.create_group(key));
        else if (entity && 'write_slice' in entity && !isDropped) {
          const { value, shape, dtype } = entity;
          attributes(
            entity,
            to.create_dataset({
              name: key,
              data: value as never,
              shape: shape as number[],
              dtype: dtype as never,
            }),
          );
        }
      }
    };
    try {
      follow('', this.#file, copy);
      copy.close();
      return this.#library.FS.readFile(scratch);
    } finally {
      this.#library.FS.unlink(scratch);
    }
  }

  /** Closes the file and returns its bytes. */
  bytes(): Uint8Array {
    this.close();
    return this.#library.FS.readFile(this.#scratch);
  }

  close(): void {
    if (this.#open) this.#file.close();
    this.#open = false;
  }

  #index(path: string, group: Group): void {
    this.#groups.set(path, group);
    if (!this.#children.has(path)) this.#children.set(path, new Set());
    for (const key of group.keys()) {
      const entity = group.get(key);
      const below = join(path, key);
      if (entity === null) continue;
      if ('create_group' in entity) {
        this.#add(below);
        this.#index(below, entity);
      } else if ('write_slice' in entity) {
        this.#add(below);
        this.#datasets.set(below, entity);
      }
    }
  }

  /** Makes a path known to the groups above it. */
  #add(path: string): void {
    const parts = path.split('/');
    parts.forEach((part, k) => {
      const above = parts.slice(0, k).join('/');
      const children = this.#children.get(above) ?? new Set();
      this.#children.set(above, children.add(part));
    });
  }

  #groupAt(parts: readonly string[]): Group {
    let group: Group = this.#file;
    parts.forEach((part, k) => {
      const at = parts.slice(0, k + 1).join('/');
      const found = this.#groups.get(at) ?? group.create_group(part);
      this.#groups.set(at, found);
      if (!this.#children.has(at)) this.#children.set(at, new Set());
      group = found;
    });
    return group;
  }

  #has(path: string, attribute: string): boolean {
    const entity = this.#groups.get(path) ?? this.#datasets.get(path);
    if (!entity) return false;
    const known = this.#attributes.get(path) ?? new Set(Object.keys(entity.attrs));
    this.#attributes.set(path, known);
    return known.has(attribute);
  }

  #attribute(path: string, attribute: string): unknown {
    if (!this.#has(path, attribute)) return undefined;
    const value = (this.#groups.get(path) ?? this.#dataset(path)).get_attribute(attribute, false);
    const decoded = (one: unknown) => (typeof one === 'string' ? fromUtf8(one) : one);
    return Array.isArray(value) ? value.map(decoded) : decoded(value);
  }

  #dataset(path: string): Dataset {
    const dataset = this.#datasets.get(path);
    if (!dataset) throw new RangeError(`${this.#label} has no dataset '${path}'.`);
    return dataset;
  }
}

// h5py writes lists of texts as bytes of UTF-8 and calls them ASCII, which the decoders take for Windows-1252.
const ascii = new TextDecoder('ascii').decode(Uint8Array.from({ length: 256 }, (_, k) => k));
const utf8 = new TextDecoder('utf-8', { fatal: true });

/** A text that was decoded so; any other is no UTF-8, and stays. */
function fromUtf8(text: string): string {
  if (!/[\u0080-\uffff]/.test(text)) return text;
  const codes = Array.from(text, (letter) => {
    const at = ascii.indexOf(letter);
    return at < 0 ? letter.charCodeAt(0) : at;
  });
  if (codes.some((code) => code > 0xff)) return text;
  try {
    return utf8.decode(Uint8Array.from(codes));
  } catch {
    return text;
  }
}

/** A name in the file as a path here. */
export const slashed = (name: string): string => name.replaceAll('\\', '/');

const join = (path: string, key: string): string => (path === '' ? slashed(key) : `${path}/${slashed(key)}`);
