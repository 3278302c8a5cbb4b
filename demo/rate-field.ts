// A learning rate that can be typed or dragged (a slider over powers of ten). Nonsense is refused where it
// was typed: the field says what is wrong and which rate is still in force.
import { element } from './dom.ts';

const LARGEST = 10;

/** The rate that a text means, or what is wrong with it. A comma may be the decimal mark. */
function parseRate(text: string): { rate: number } | { problem: string } {
  const decimal = text.trim().replace(',', '.');
  if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(decimal)) return { problem: 'Not a number' };
  const rate = Number(decimal);
  // Judged as the float32 that the optimizer will see: 1e-60 is zero there.
  if (!(Math.fround(rate) > 0)) return { problem: 'Not above 0' };
  if (rate > LARGEST) return { problem: `Above ${LARGEST}` };
  return { rate };
}

export class RateField {
  #rate: number;
  readonly #text: HTMLInputElement;
  readonly #slider: HTMLInputElement;
  readonly #message: HTMLElement;

  /** Takes over the elements `id`, `id-slider` and `id-message`; the page's own text is the first rate. */
  constructor(id: string, onChange: (rate: number) => void) {
    this.#text = element(id, HTMLInputElement);
    this.#slider = element(`${id}-slider`, HTMLInputElement);
    this.#message = element(`${id}-message`, HTMLElement);
    // A reloaded page may have kept what was typed before: begin with what the page says.
    this.#text.value = this.#text.defaultValue;
    this.#rate = Number(this.#text.value);
    this.#moveSlider();

    this.#text.addEventListener('input', () => {
      const parsed = parseRate(this.#text.value);
      if ('rate' in parsed) {
        this.#take(parsed.rate, onChange);
        this.#moveSlider();
      } else {
        this.#complain(`${parsed.problem}; still using ${this.#rate}.`);
      }
    });
    this.#slider.addEventListener('input', () => {
      const rate = Number((10 ** Number(this.#slider.value)).toPrecision(2));
      this.#text.value = String(rate);
      this.#take(rate, onChange);
      this.#describeSlider();
    });
  }

  /** The rate in force: the last valid one. */
  get rate(): number {
    return this.#rate;
  }

  #take(rate: number, onChange: (rate: number) => void): void {
    this.#rate = rate;
    this.#complain('');
    onChange(rate);
  }

  #complain(problem: string): void {
    this.#message.textContent = problem;
    this.#text.setAttribute('aria-invalid', String(problem !== ''));
  }

  #moveSlider(): void {
    this.#slider.value = String(Math.log10(this.#rate));
    this.#describeSlider();
  }

  #describeSlider(): void {
    this.#slider.setAttribute('aria-valuetext', String(this.#rate));
  }
}
