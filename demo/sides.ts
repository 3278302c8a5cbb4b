// Two optimizers side by side, whichever: the choice of them, and their names and keys wherever the page shows them,
// that is, in elements with data-who="PREFIX-left" or "PREFIX-right". Kept in the link.
import { type Look, looksOf, showKey } from './looks.ts';
import { type Runner, type RunnerId, runner } from './optimizers.ts';
import { element } from './page/dom.ts';
import { linkChoice } from './page/link.ts';

export type Side = 'left' | 'right';
export type PerSide<T> = Record<Side, T>;
export const sides: readonly Side[] = ['left', 'right'];

/** Makes one of something for each side. */
export function perSide<T>(make: (side: Side) => T): PerSide<T> {
  return { left: make('left'), right: make('right') };
}

const first: PerSide<RunnerId> = { left: 'adam', right: 'adamax' };

export class SidesChoice {
  readonly #prefix: string;
  readonly #choices: PerSide<HTMLSelectElement>;

  constructor(prefix: string, among: readonly Runner[], onChange: (side: Side) => void) {
    this.#prefix = prefix;
    this.#choices = perSide((side) => {
      const choice = element(`${prefix}-${side}-who`, HTMLSelectElement);
      choice.replaceChildren(...among.map(({ id, name }) => new Option(name, id, id === first[side])));
      choice.value = first[side];
      return choice;
    });
    for (const side of sides) {
      linkChoice(this.#choices[side], () => {
        this.#show();
        onChange(side);
      });
    }
    if (this.who.left.id === this.who.right.id)
      for (const side of sides) this.#choices[side].value = first[side];
    this.#show();
  }

  get who(): PerSide<Runner> {
    return perSide((side) => runner(this.#choices[side].value));
  }

  get looks(): PerSide<Look> {
    const looks = looksOf(sides.map((side) => this.#choices[side].value));
    return perSide((side) => looks.get(this.#choices[side].value) as Look);
  }

  #show(): void {
    const { who, looks } = this;
    for (const side of sides) {
      const other = this.#choices[side === 'left' ? 'right' : 'left'];
      for (const option of other.options) option.disabled = option.value === who[side].id;
      for (const place of document.querySelectorAll(`[data-who="${this.#prefix}-${side}"]`)) {
        const key = place.querySelector('svg');
        if (key) showKey(key, looks[side]);
        const name = place.querySelector('span') ?? place;
        name.textContent = who[side].name;
      }
    }
  }
}
