// A class called without `new`: V8's TypeError has the name that the text gives the class, and not its `name`, and a
// minified text has 'E2'. Here the classes that a user can hold get theirs back, as names of class expressions, which
// hide nothing: in a minified text no other name is that long. The rest of the minified text stays as it is.

/** `class` or `class extends x`, and what we begin a class with that a user can hold. */
const unnamed = /\bclass(?=(?: extends [\w$]+)?\{(?:static\{[^{}]*\})?static name="(\w+)")/g;

/** @returns the text with the names, and its source map with what comes after each moved on */
export function nameClasses(text, map) {
  const lines = map.mappings.split(';');
  const named = text.split('\n').map((line, k) => {
    let moved = 0;
    return line.replace(unnamed, (found, name, at) => {
      const added = ` ${name}`;
      lines[k] = moveFrom(lines[k], at + found.length + moved, added.length);
      moved += added.length;
      return found + added;
    });
  });
  return { text: named.join('\n'), map: { ...map, mappings: lines.join(';') } };
}

/** One line's mappings, with those from a column on `by` columns further right: each holds the distance to the last. */
function moveFrom(mappings, column, by) {
  let at = 0;
  let isDone = false;
  const move = (segment) => {
    if (isDone || !segment) return segment;
    const { value, rest } = readNumber(segment);
    at += value;
    isDone = at >= column;
    return isDone ? writeNumber(value + by) + rest : segment;
  };
  return mappings.split(',').map(move).join();
}

const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** A number of a source map: six bits a character, of which the highest says that there are more. */
function readNumber(text) {
  let bits = 0;
  for (let k = 0; ; k++) {
    const digit = digits.indexOf(text[k]);
    bits |= (digit & 31) << (5 * k);
    if (digit < 32) return { value: bits & 1 ? -(bits >> 1) : bits >> 1, rest: text.slice(k + 1) };
  }
}

function writeNumber(value) {
  let text = '';
  let bits = Math.abs(value) * 2 + (value < 0 ? 1 : 0);
  for (; bits > 31; bits >>= 5) text += digits[(bits & 31) | 32];
  return text + digits[bits];
}
