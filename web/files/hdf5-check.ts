// What is looked at before the HDF5 library sees a file: its skeleton, every step of which must lie within the file
// and lead on. The C library loops for ever, aborts or takes gigabytes on some damaged files (a heap object of length
// zero, a group that holds itself, a string said to have 500 MB), and on a page nothing can stop it. Here each object
// is visited once and each byte of structure belongs to one, so the work is bounded by the file's length.
// No reader: the numbers and names are the library's. Structures of the newer format, which carry checksums of their
// own, and what Keras never writes (chunks, filters) are left to it.
// The format: https://support.hdfgroup.org/documentation/hdf5/latest/_f_m_t3.html

const undefinedAddress = 0xffffffffffffffffn;
const message = {
  dataspace: 0x01,
  datatype: 0x03,
  layout: 0x08,
  attribute: 0x0c,
  continuation: 0x10,
  table: 0x11,
};
const variableLength = 9;

class Damage extends Error {}

/** @returns what is wrong with the file, or null */
export function damageOf(bytes: Uint8Array): string | null {
  try {
    new Skeleton(bytes).check();
    return null;
  } catch (error) {
    if (error instanceof Damage) return error.message;
    if (error instanceof RangeError) return 'it points beyond its end'; // from DataView, or too deep
    throw error;
  }
}

class Skeleton {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #done = new Set<number>();
  readonly #open = new Set<number>();
  /** Of each heap of strings: how long its objects are. */
  readonly #heaps = new Map<number, Map<number, number>>();
  #base = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  check(): void {
    const version = this.#view.getUint8(8);
    const [offsets, lengths] = version < 2 ? [13, 14] : [9, 10];
    if (version > 3) throw new Damage(`its version is ${version}`);
    if (this.#view.getUint8(offsets) !== 8 || this.#view.getUint8(lengths) !== 8)
      throw new Damage('its addresses have no 8 bytes');
    const base = version < 2 ? 24 + 4 * version : 12;
    this.#base = this.#number(base);
    const end = this.#number(base + 16);
    if (this.#base + end > this.#bytes.length)
      throw new Damage(`it is cut off: ${end} bytes by its own account, ${this.#bytes.length} are here`);
    this.#object(this.#address(version < 2 ? base + 40 : base + 24));
  }

  /** A group or dataset. */
  #object(at: number): void {
    if (this.#open.has(at)) throw new Damage('a group holds itself');
    if (this.#done.has(at)) return;
    this.#open.add(at);
    if (this.#view.getUint8(at) === 1) this.#messages(at); // from 2 on there are checksums
    this.#open.delete(at);
    this.#done.add(at);
  }

  #messages(header: number): void {
    const blocks = [{ at: header + 16, end: header + 16 + this.#view.getUint32(header + 8, true) }];
    let left = this.#view.getUint16(header + 2, true);
    let count: number | undefined;
    let size = 0;
    let layout = 0;
    for (const { at: start, end } of blocks) {
      for (let at = start; left > 0 && at + 8 <= end; left--) {
        const type = this.#view.getUint16(at, true);
        const length = this.#view.getUint16(at + 2, true);
        const isShared = (this.#view.getUint8(at + 4) & 2) !== 0;
        const body = at + 8;
        at = body + length;
        if (at > end) throw new Damage(`a message at ${body} is longer than its block`);
        if (isShared) continue;
        if (type === message.continuation) {
          const next = this.#address(body);
          if (blocks.some((block) => block.at === next)) throw new Damage('a header continues in itself');
          blocks.push({ at: next, end: this.#within(next, this.#number(body + 8)) });
        } else if (type === message.table) this.#group(body);
        else if (type === message.attribute) this.#attribute(body, at);
        else if (type === message.dataspace) count = this.#count(body, at);
        else if (type === message.datatype) size = this.#view.getUint32(body + 4, true);
        else if (type === message.layout) layout = body;
      }
    }
    if (count !== undefined && layout) this.#data(layout, count * size);
  }

  /** An old group: names in a local heap, objects in a tree of tables. */
  #group(body: number): void {
    const [tree, heap] = [this.#address(body), this.#address(body + 8)];
    this.#signature(heap, 'HEAP');
    const size = this.#number(heap + 8);
    const data = this.#address(heap + 24);
    this.#within(data, size);
    // Offset 1 ends the list of free pieces; fewer than a sixteenth of the bytes can be in it.
    let free = this.#number(heap + 16);
    for (let pieces = 0; free !== 1; pieces++) {
      if (free + 16 > size || pieces > size / 16) throw new Damage('a list of free space does not end');
      free = this.#number(data + free);
    }
    this.#tree(tree, this.#view.getUint8(tree + 5), { data, size });
  }

  #tree(at: number, level: number, names: { data: number; size: number }): void {
    this.#once(at);
    if (level === -1) {
      this.#signature(at, 'SNOD');
      const count = this.#view.getUint16(at + 6, true);
      for (let k = 0; k < count; k++) {
        const entry = at + 8 + 40 * k;
        const name = this.#number(entry);
        const last = this.#bytes.indexOf(0, names.data + name);
        if (last < 0 || last >= names.data + names.size) throw new Damage('a name does not end');
        if (this.#view.getUint32(entry + 16, true) !== 2) this.#object(this.#address(entry + 8)); // 2: a soft link
      }
      return;
    }
    this.#signature(at, 'TREE');
    if (this.#view.getUint8(at + 5) !== level) throw new Damage('a tree has no order');
    const count = this.#view.getUint16(at + 6, true);
    for (let k = 0; k < count; k++) this.#tree(this.#address(at + 32 + 16 * k), level - 1, names);
  }

  /** How many elements a dataspace has. */
  #count(at: number, end: number): number {
    const version = this.#view.getUint8(at);
    const rank = this.#view.getUint8(at + 1);
    if (version === 2 && this.#view.getUint8(at + 3) === 2) return 0; // holds nothing
    const start = at + (version === 1 ? 8 : 4);
    if (start + 8 * rank > end) throw new Damage(`a shape at ${at} is longer than its message`);
    let count = 1;
    for (let k = 0; k < rank; k++) count *= this.#number(start + 8 * k);
    return count;
  }

  /** Strings of an attribute are elsewhere, by address and number: they must be there, and as long as is said. */
  #attribute(at: number, end: number): void {
    const version = this.#view.getUint8(at);
    const [name, type, space] = [2, 4, 6].map((k) => this.#view.getUint16(at + k, true));
    const padded = (length: number) => (version === 1 ? (length + 7) & ~7 : length);
    const typeAt = at + (version === 3 ? 9 : 8) + padded(name);
    const spaceAt = typeAt + padded(type);
    const data = spaceAt + padded(space);
    if (data > end) throw new Damage(`an attribute at ${at} is longer than its message`);
    const count = this.#count(spaceAt, data);
    const isStrings = (this.#view.getUint8(typeAt) & 15) === variableLength;
    const size = isStrings ? 16 : this.#view.getUint32(typeAt + 4, true);
    if (data + count * size > end) throw new Damage(`an attribute at ${at} is longer than its message`);
    if (!isStrings) return;
    for (let k = 0; k < count; k++) {
      const item = data + 16 * k;
      const length = this.#view.getUint32(item, true);
      if (length === 0) continue;
      const object = this.#heap(this.#address(item + 4)).get(this.#view.getUint32(item + 12, true));
      if (object === undefined || length > object)
        throw new Damage(`a string at ${item} is not where it should be`);
    }
  }

  #heap(at: number): Map<number, number> {
    const known = this.#heaps.get(at);
    if (known) return known;
    this.#signature(at, 'GCOL');
    const end = this.#within(at, this.#number(at + 8));
    const objects = new Map<number, number>();
    for (let next = at + 16; next + 16 <= end; ) {
      const index = this.#view.getUint16(next, true);
      const size = this.#number(next + 8);
      if (index === 0 ? size !== end - next : objects.has(index))
        throw new Damage(`the strings at ${at} have no order`);
      objects.set(index, size);
      next += index === 0 ? size : 16 + Math.ceil(size / 8) * 8;
      if (next > end) throw new Damage(`the strings at ${at} reach beyond their end`);
    }
    this.#heaps.set(at, objects);
    return objects;
  }

  /** The numbers of a dataset, if they are in one piece. */
  #data(layout: number, size: number): void {
    const version = this.#view.getUint8(layout);
    const kind = this.#view.getUint8(layout + (version < 3 ? 2 : 1));
    if (kind !== 1) return;
    const at = layout + (version < 3 ? 8 : 2);
    if (this.#view.getBigUint64(at, true) === undefinedAddress) return;
    this.#within(this.#address(at), size);
    if (version >= 3 && this.#number(at + 8) < size)
      throw new Damage(`the data at ${at} is shorter than its shape`);
  }

  #signature(at: number, text: string): void {
    for (let k = 0; k < 4; k++)
      if (this.#view.getUint8(at + k) !== text.charCodeAt(k))
        throw new Damage(`there is no ${text} at ${at}`);
  }

  #once(at: number): void {
    if (this.#done.has(at)) throw new Damage('a part belongs to two');
    this.#done.add(at);
  }

  /** @returns where it ends */
  #within(at: number, size: number): number {
    if (!(at + size <= this.#bytes.length))
      throw new Damage(`a part of ${size} bytes at ${at} reaches beyond its end`);
    return at + size;
  }

  #number(at: number): number {
    return Number(this.#view.getBigUint64(at, true));
  }

  #address(at: number): number {
    return this.#within(this.#base + this.#number(at), 0);
  }
}
