// A class called without `new`: V8's TypeError has the name that the text gives the class, and not its `name`, and a
// minified text has 'E2'. Here the classes that a user can hold get theirs back, as names of class expressions, which
// hide nothing: in a minified text no other name is that long. The rest of the minified text stays as it is.

import { decode, encode } from '@jridgewell/sourcemap-codec';

/** `class` or `class extends x`, and what we begin a class with that a user can hold. */
const unnamed = /\bclass(?=(?: extends [\w$]+)?\{(?:static\{[^{}]*\})?static name="(\w+)")/g;

/** @returns the text with the names, and its source map with what comes after each moved on */
export function nameClasses(text, map) {
  const mappings = decode(map.mappings);
  const named = text.split('\n').map((line, k) => {
    let moved = 0;
    return line.replace(unnamed, (found, name, at) => {
      const added = ` ${name}`;
      const column = at + found.length + moved;
      for (const segment of mappings[k]) if (segment[0] >= column) segment[0] += added.length;
      moved += added.length;
      return found + added;
    });
  });
  return { text: named.join('\n'), map: { ...map, mappings: encode(mappings) } };
}
