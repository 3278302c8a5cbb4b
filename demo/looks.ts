// How the runners look wherever they are drawn: eight colours that stay apart for colour-blind eyes too, and for
// each a dash and a mark of its own. Who has which: what each prefers, as long as nobody before it has that.
import { type RunnerId, runner } from './optimizers.ts';

export interface Look {
  /** From 1: the number in names of colours, classes and symbols. */
  readonly number: number;
  readonly color: `--${string}`;
  readonly dash: number[];
  /** An SVG path round (0, 0), about 6 in radius. */
  readonly mark: string;
}

const shapes: readonly [dash: number[], mark: string][] = [
  [[], 'M6 0A6 6 0 1 1-6 0A6 6 0 1 1 6 0z'],
  [[7, 4], 'M0-7.5L7.5 0L0 7.5L-7.5 0z'],
  [[2, 4], 'M-5.4-5.4H5.4V5.4H-5.4z'],
  [[10, 3, 2, 3], 'M0-7.2L7.2 5.8H-7.2z'],
  [[15, 4], 'M0 7.2L7.2-5.8H-7.2z'],
  [[5, 2], 'M-2.4-7H2.4V-2.4H7V2.4H2.4V7H-2.4V2.4H-7V-2.4H-2.4z'],
  [[12, 3, 2, 3, 2, 3], 'M0-7.8L2-2.6L7.6-2.4L3.2 1L4.7 6.4L0 3.3L-4.7 6.4L-3.2 1L-7.6-2.4L-2-2.6z'],
  [[1, 2.5], 'M-6.4 0L-3.2-5.6H3.2L6.4 0L3.2 5.6H-3.2z'],
];

export const looks: readonly Look[] = shapes.map(([dash, mark], index) => ({
  number: index + 1,
  color: `--run-${index + 1}`,
  dash,
  mark,
}));

/** The looks of at most eight runners. Who is added changes nobody's before it. */
export function looksOf(ids: readonly RunnerId[]): Map<RunnerId, Look> {
  const free = [...looks];
  const given = new Map<RunnerId, Look>();
  for (const id of ids) {
    const wanted = free.indexOf(looks[runner(id).look % looks.length]);
    given.set(id, free.splice(Math.max(0, wanted), 1)[0]);
  }
  return given;
}

/** The symbols that keys refer to: a piece of the line with its mark. */
export function defineKeys(sprite: SVGSVGElement): void {
  const symbols = looks.map(
    ({ number, dash, mark }) =>
      `<symbol id="key-${number}" viewBox="0 0 34 12"><path class="stroke run-${number}" d="M0 6h34" stroke-dasharray="${dash.join(' ')}"/>` +
      `<path class="fill run-${number}" transform="translate(17 6) scale(.75)" d="${mark}"/></symbol>`,
  );
  sprite.insertAdjacentHTML('beforeend', symbols.join(''));
}

/** Shows another look where a key is drawn. */
export function showKey(key: SVGElement, look: Look): void {
  key.querySelector('use')?.setAttribute('href', `#key-${look.number}`);
}
