// A number that can be typed and, where the page has a slider for it, dragged. Nonsense is refused where it was
// typed: the field's message says what is wrong and which number is still in force. Kept in the link.
import { element } from './dom.ts';
import { fromLink, toLink } from './link.ts';

export interface NumberKind {
  /** What is wrong with a number, or null. */
  problem(value: number): string | null;
  /** Between a number and the slider's position. */
  toSlider(value: number): number;
  fromSlider(position: number): number;
}

export const aboveZero = (most: number) => (value: number) => {
  // Judged as the float32 that the optimizer will see: 1e-60 is zero there.
  if (!(Math.fround(value) > 0)) return 'Not above 0';
  return value > most ? `Above ${most}` : null;
};
const rounded = (value: number) => Number(value.toPrecision(2));

/** Over powers of ten. */
export const rate: NumberKind = {
  problem: aboveZero(10),
  toSlider: (value) => Math.log10(value),
  fromSlider: (position) => rounded(10 ** position),
};

/** A decay rate of an average: the slider runs over the powers of ten of its distance to 1. */
export const decayRate: NumberKind = {
  problem: (value) => (value < 0 ? 'Below 0' : Math.fround(value) < 1 ? null : 'Not below 1'),
  toSlider: (value) => -Math.log10(1 - value),
  fromSlider: (position) => Number((1 - rounded(10 ** -position)).toPrecision(6)),
};

export const epsilon: NumberKind = { ...rate, problem: aboveZero(1) };

export const weightDecay: NumberKind = {
  ...rate,
  problem: (value) => (value < 0 ? 'Below 0' : value > 10 ? 'Above 10' : null),
};

export const share: NumberKind = {
  problem: (value) => (value < 0 ? 'Below 0' : value > 2 ? 'Above 2' : null),
  toSlider: (value) => value,
  fromSlider: rounded,
};

/** As somebody would type it, and as it fits into the field: 0.0002, but 2e-6. */
const written = (value: number) =>
  value !== 0 && Math.abs(value) < 1e-4 ? value.toExponential() : String(value);

/** The number that a text means, or what is wrong with it. A comma may be the decimal mark. */
function parseNumber(text: string, kind: NumberKind): { value: number } | { problem: string } {
  const decimal = text.trim().replace(',', '.');
  if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(decimal)) return { problem: 'Not a number' };
  const value = Number(decimal);
  const problem = kind.problem(value);
  return problem === null ? { value } : { problem };
}

export class NumberField {
  #value: number;
  readonly #kind: NumberKind;
  readonly #initial: number;
  readonly #text: HTMLInputElement;
  readonly #slider: HTMLInputElement | null;
  readonly #message: HTMLElement;
  readonly #onChange: (value: number) => void;

  /**
   * Takes over the text field `id`, its slider `id-slider` if there is one, and the place of its messages that
   * the field is described by. The link's number goes first, then the page's own.
   */
  constructor(id: string, kind: NumberKind, onChange: (value: number) => void) {
    this.#kind = kind;
    this.#onChange = onChange;
    this.#text = element(id, HTMLInputElement);
    const slider = document.getElementById(`${id}-slider`);
    this.#slider = slider instanceof HTMLInputElement ? slider : null;
    this.#message = element(this.#text.getAttribute('aria-describedby') ?? '', HTMLElement);
    // A reloaded page may have kept what was typed before: begin with what the page says.
    this.#initial = Number(this.#text.defaultValue);
    const linked = parseNumber(fromLink(id) ?? '', kind);
    this.#value = 'value' in linked ? linked.value : this.#initial;
    this.#text.value = written(this.#value);
    this.#moveSlider();

    this.#text.addEventListener('input', () => {
      const parsed = parseNumber(this.#text.value, kind);
      if ('value' in parsed) {
        this.#take(parsed.value);
        this.#moveSlider();
      } else {
        this.#complain(`${parsed.problem}; still using ${written(this.#value)}.`);
      }
    });
    this.#slider?.addEventListener('input', () => {
      const value = kind.fromSlider(Number(this.#slider?.value));
      this.#text.value = written(value);
      this.#take(value);
      this.#describeSlider();
    });
  }

  /** The number in force: the last valid one. */
  get value(): number {
    return this.#value;
  }

  /** Another number, from elsewhere on the page. */
  set value(value: number) {
    this.#text.value = written(value);
    this.#take(value);
    this.#moveSlider();
  }

  set disabled(disabled: boolean) {
    this.#text.disabled = disabled;
    if (this.#slider) this.#slider.disabled = disabled;
  }

  #take(value: number): void {
    this.#value = value;
    this.#complain('');
    toLink(this.#text.id, value === this.#initial ? null : String(value));
    this.#onChange(value);
  }

  /** Several fields may share a place for messages: a field clears only its own. */
  #complain(problem: string): void {
    const name = this.#text.ariaLabel ?? this.#text.labels?.[0]?.textContent;
    if (problem !== '') {
      this.#message.textContent =
        this.#message.dataset.shared === undefined ? problem : `${name}: ${problem}`;
      this.#message.dataset.from = this.#text.id;
    } else if (this.#message.dataset.from === this.#text.id) this.#message.textContent = '';
    this.#text.setAttribute('aria-invalid', String(problem !== ''));
  }

  #moveSlider(): void {
    if (!this.#slider) return;
    this.#slider.value = String(this.#kind.toSlider(this.#value));
    this.#describeSlider();
  }

  #describeSlider(): void {
    this.#slider?.setAttribute('aria-valuetext', written(this.#value));
  }
}
