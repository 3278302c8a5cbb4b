// Which surface the race runs on: one of the page's own, or a formula that a visitor types. Editing the formula
// of a surface makes it the visitor's, in the same window, which can then be moved. Kept in the link.
import { element } from '../page/dom.ts';
import { fromLink, linkChoice, noteChoice, toLink } from '../page/link.ts';
import { FormulaError } from '../surfaces/parse.ts';
import { OWN, ownSurface, type Point, type Range, type Surface, surfaces } from '../surfaces/surfaces.ts';

const FORMULA = 'race-formula';
/** The window of an own formula: that of one of the page's surfaces, by its id, or x and y from and to. */
const WINDOW = 'race-window';

/** Links with windows beyond this are ignored. */
const FARTHEST = 1e4;

type Window = Pick<Surface, 'x' | 'y' | 'start'> & { readonly id?: string };

export class SurfaceChoice {
  #surface: Surface = surfaces[0];
  #window: Window = surfaces[0];
  readonly #choice = element('race-surface', HTMLSelectElement);
  readonly #formula = element(FORMULA, HTMLInputElement);
  readonly #message = element('race-formula-message', HTMLElement);
  readonly #onChange: () => void;

  constructor(onChange: () => void) {
    this.#onChange = onChange;
    this.#choice.replaceChildren(
      ...surfaces.map(({ id, label }) => new Option(label, id)),
      new Option('Your own formula', OWN),
    );
    linkChoice(this.#choice, () => this.choose(this.#choice.value));
    const linked = fromLink(WINDOW);
    this.#surface = byId(linked ?? this.#choice.value);
    this.#window = windowOf(linked) ?? this.#surface;
    this.#formula.value = this.#surface.text;
    if (this.#choice.value === OWN) {
      this.#formula.value = fromLink(FORMULA) ?? this.#surface.text;
      this.#read();
    }
    this.#formula.addEventListener('input', () => {
      if (this.#read()) this.#onChange();
    });
  }

  get surface(): Surface {
    return this.#surface;
  }

  /** A surface by its id; one's own begins as the formula that is there. */
  choose(id: string): void {
    if (id === OWN) {
      this.#read();
    } else {
      this.#surface = byId(id);
      this.#window = this.#surface;
      this.#formula.value = this.#surface.text;
      this.#note();
    }
    this.#onChange();
  }

  /** Where the window can be moved, that is, over an own formula. */
  get window(): Window | null {
    return this.#surface.id === OWN ? this.#window : null;
  }

  /**
   * Moves the window of an own formula. On the way only the picture changes; at the `last` move the minima are looked for
   * anew. True if these, or the lowest loss, are others.
   */
  moveWindow({ x, y }: Pick<Window, 'x' | 'y'>, last: boolean): boolean {
    this.#window = { x, y, start: middle(x, y) };
    const { minima, floor } = this.#surface;
    this.#surface = last ? ownSurface(this.#surface.text, this.#window) : { ...this.#surface, x, y };
    this.#note();
    const same = Math.abs(floor - this.#surface.floor) <= 1e-6 * Math.max(1, Math.abs(floor));
    return last && !(same && sameMinima(minima, this.#surface.minima));
  }

  /** Takes the formula in the field, if it is one. */
  #read(): boolean {
    const text = this.#formula.value.trim();
    try {
      this.#surface = ownSurface(text, this.#window);
    } catch (error) {
      if (!(error instanceof FormulaError)) throw error;
      this.#message.textContent = `${error.message}; still using the formula before.`;
      this.#formula.setAttribute('aria-invalid', 'true');
      return false;
    }
    this.#note();
    return true;
  }

  #note(): void {
    const own = this.#surface.id === OWN;
    this.#message.textContent = '';
    this.#formula.setAttribute('aria-invalid', 'false');
    this.#choice.value = this.#surface.id;
    noteChoice(this.#choice, surfaces[0].id);
    toLink(FORMULA, own ? this.#surface.text : null);
    const { id, x, y } = this.#window;
    toLink(WINDOW, own && this.#window !== surfaces[0] ? (id ?? [...x, ...y].join(',')) : null);
  }
}

function windowOf(text: string | null): Window | null {
  const [x0, x1, y0, y1, ...more] = (text ?? '').split(',').map(Number);
  const inOrder = x0 < x1 && y0 < y1 && more.length === 0;
  if (!inOrder || ![x0, x1, y0, y1].every((value) => Math.abs(value) <= FARTHEST)) return null;
  return { x: [x0, x1], y: [y0, y1], start: middle([x0, x1], [y0, y1]) };
}

const middle = (x: Range, y: Range): Point => [(x[0] + x[1]) / 2, (y[0] + y[1]) / 2];

/** Minima found from other starts differ in their last digits. */
function sameMinima(some: readonly Point[], others: readonly Point[]): boolean {
  const near = ([x, y]: Point) => others.some((other) => Math.hypot(other[0] - x, other[1] - y) < 1e-3);
  return some.length === others.length && some.every(near);
}

const byId = (id: string) => surfaces.find((surface) => surface.id === id) ?? surfaces[0];
