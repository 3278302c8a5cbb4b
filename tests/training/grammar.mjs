// Text without an author: sentences of a small grammar, for a model of characters to learn. Lower case, spaces, commas
// and full stops.
const rules = {
  sentence: [
    '{phrase} {verb} {phrase}.',
    '{phrase} {verb} {phrase}, and {phrase} {verb} {phrase}.',
    'when {phrase} {verb} {phrase}, {phrase} {verb}.',
  ],
  phrase: [
    'the {noun}',
    'the {adjective} {noun}',
    'a {adjective} {noun} of the {noun}',
    'every {noun} that {verb} {phrase}',
  ],
  noun: [
    'gradient',
    'valley',
    'ridge',
    'river',
    'weight',
    'moment',
    'step',
    'saddle',
    'basin',
    'surface',
    'minimum',
    'epoch',
  ],
  adjective: ['narrow', 'steep', 'noisy', 'slow', 'sparse', 'quiet', 'second', 'first', 'flat', 'long'],
  verb: ['follows', 'leaves', 'crosses', 'remembers', 'forgets', 'finds', 'shrinks', 'meets'],
}; // prettier-ignore

export const letters = ' abcdefghijklmnopqrstuvwxyz,.';

/** At least `length` characters. @param random numbers in [0, 1) */
export function textOf(length, random) {
  const grow = (symbol, depth = 0) => {
    const choices = rules[symbol];
    // Deep down only what ends.
    const among = depth > 4 ? choices.slice(0, 2) : choices;
    const chosen = among[Math.floor(random() * among.length)];
    return chosen.replace(/\{(\w+)\}/g, (_, next) => grow(next, depth + 1));
  };
  let text = '';
  while (text.length < length) text += `${grow('sentence')} `;
  return text;
}
