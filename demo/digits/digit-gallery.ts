// Test digits that somebody takes for another: the picture, what it is, and what each network takes it for. Right and
// wrong differ by a mark, not only by colour. It draws and labels; the predictions come from the trainings.
import { type Digits, PIXELS, SIDE } from './digits.ts';
import { type TrainingId, trainingIds } from './training.ts';

const SHOWN = 20;

interface Cell {
  readonly item: HTMLLIElement;
  readonly picture: HTMLCanvasElement;
  readonly truth: HTMLElement;
  readonly verdicts: Record<TrainingId, HTMLElement>;
}

export class DigitGallery {
  readonly #digits: Digits;
  readonly #cells: readonly Cell[];

  constructor(host: HTMLElement, digits: Digits) {
    this.#digits = digits;
    this.#cells = Array.from({ length: SHOWN }, makeCell);
    host.replaceChildren(...this.#cells.map(({ item }) => item));
  }

  /** Shows the first that anybody gets wrong, or simply the first. Returns how many anybody gets wrong. */
  show(
    predictions: ReadonlyMap<TrainingId, Uint8Array>,
    nameOf: (id: TrainingId) => string,
    onlyMistakes: boolean,
  ): number {
    const { labels, count } = this.#digits;
    const all = Array.from({ length: count }, (_, index) => index);
    const mistaken = all.filter((index) =>
      [...predictions.values()].some((labelsGiven) => labelsGiven[index] !== labels[index]),
    );
    const shown = onlyMistakes ? mistaken : all;
    this.#cells.forEach(({ item, picture, truth, verdicts }, place) => {
      const index = shown[place];
      item.classList.toggle('empty', index === undefined);
      if (index === undefined) return;
      const label = labels[index];
      truth.textContent = `is ${label}`;
      if (picture.dataset.index !== String(index)) {
        picture.dataset.index = String(index);
        paint(picture, this.#digits.images.subarray(index * PIXELS, (index + 1) * PIXELS), label);
      }
      for (const id of trainingIds) {
        const taken = predictions.get(id)?.[index];
        const right = taken === label;
        verdicts[id].hidden = taken === undefined;
        verdicts[id].title = nameOf(id);
        verdicts[id].textContent = `${taken} ${right ? '✓' : '✗'}`;
        verdicts[id].classList.toggle('wrong', taken !== undefined && !right);
      }
    });
    return mistaken.length;
  }
}

function makeCell(): Cell {
  const item = document.createElement('li');
  const picture = document.createElement('canvas');
  picture.width = SIDE;
  picture.height = SIDE;
  picture.setAttribute('role', 'img');
  const truth = document.createElement('span');
  truth.className = 'truth';
  item.append(picture, truth);
  const verdict = (id: TrainingId) => {
    const place = document.createElement('span');
    place.className = `verdict ${id}`;
    item.append(place);
    return place;
  };
  const verdicts = Object.fromEntries(trainingIds.map((id) => [id, verdict(id)])) as Cell['verdicts'];
  return { item, picture, truth, verdicts };
}

/** Black ink of varying opacity; the style sheet inverts it on dark ground. */
function paint(canvas: HTMLCanvasElement, pixels: Float32Array, label: number): void {
  canvas.setAttribute('aria-label', `handwritten ${label}`);
  const image = new ImageData(SIDE, SIDE);
  pixels.forEach((ink, index) => {
    image.data[4 * index + 3] = Math.round(255 * ink);
  });
  canvas.getContext('2d')?.putImageData(image, 0, 0);
}
