// The same wasm bytes on a shared memory: a module that imports its memory says in the import's limits whether
// that is shared. Setting that bit, after finding it by reading the file's sections, spares a second build.

export interface ImportedMemory {
  /** Where the flags of the limits stand in the file. */
  readonly at: number;
  /** Limits in pages of 64 KiB. */
  readonly initial: number;
  readonly maximum: number;
}

/** The module's imported memory. @throws Error if it imports none, or one without a maximum */
export function importedMemory(bytes: Uint8Array): ImportedMemory {
  let at = 8; // behind magic and version
  const number = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++];
      value += (byte & 0x7f) * 2 ** shift;
      if ((byte & 0x80) === 0) return value;
    }
  };
  const skip = (count: number) => {
    at += count;
  };
  while (at < bytes.length) {
    const section = bytes[at++];
    const end = number() + at;
    if (section !== 2) {
      at = end;
      continue;
    }
    for (let count = number(); count > 0; count--) {
      skip(number()); // module
      skip(number()); // name
      const kind = bytes[at++];
      if (kind === 0) number();
      else if (kind === 1) {
        at++;
        if (bytes[at++] & 1) number();
        number();
      } else if (kind === 3) skip(2);
      else if (kind === 2) {
        const flags = at++;
        const initial = number();
        if ((bytes[flags] & 1) === 0) break;
        return { at: flags, initial, maximum: number() };
      }
    }
    break;
  }
  throw new Error('The wasm module does not import a memory with a maximum.');
}

/** A copy of the bytes that takes a shared memory. */
export function withSharedMemory(bytes: Uint8Array): Uint8Array {
  const copy = new Uint8Array(bytes); // not slice: of a Buffer that is no copy
  copy[importedMemory(bytes).at] = 3; // a maximum follows, shared
  return copy;
}
