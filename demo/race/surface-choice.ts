// Which surface the race runs on: one of the page's own, or a formula that a visitor types. Editing the formula
// of a surface makes it the visitor's, in the same window. Kept in the link.
import { element } from '../page/dom.ts';
import { fromLink, linkChoice, noteChoice, toLink } from '../page/link.ts';
import { FormulaError } from '../surfaces/parse.ts';
import { OWN, ownSurface, type Surface, surfaces } from '../surfaces/surfaces.ts';

const FORMULA = 'race-formula';
/** Whose window an own formula is shown in. */
const WINDOW = 'race-window';

export class SurfaceChoice {
  #surface: Surface = surfaces[0];
  #window: Surface = surfaces[0];
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
    this.#window = byId(fromLink(WINDOW) ?? this.#choice.value);
    this.#surface = this.#window;
    this.#formula.value = this.#surface.text;
    if (this.#choice.value === OWN) {
      this.#formula.value = fromLink(FORMULA) ?? this.#window.text;
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
    toLink(WINDOW, own && this.#window !== surfaces[0] ? this.#window.id : null);
  }
}

const byId = (id: string) => surfaces.find((surface) => surface.id === id) ?? surfaces[0];
