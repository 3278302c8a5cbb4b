// A few of the held-out digits and what each network takes them for. Right and wrong differ by a mark, not
// only by colour. It draws and labels; the predictions come from the trainers.
import { type Digits, PIXELS, SIDE } from './digits.ts';
import { type OptimizerId, optimizerIds, type PerOptimizer } from './optimizers.ts';

const SHOWN = 20;

export class DigitGallery {
  readonly #labels: Uint8Array;
  readonly #verdicts: PerOptimizer<HTMLElement[]> = { adam: [], adamax: [] };

  constructor(host: HTMLElement, { images, labels }: Digits) {
    this.#labels = labels;
    const items = Array.from({ length: SHOWN }, (_, index) => {
      const item = document.createElement('li');
      item.append(picture(images.subarray(index * PIXELS, (index + 1) * PIXELS), labels[index]));
      for (const id of optimizerIds) {
        const verdict = document.createElement('span');
        verdict.className = `verdict ${id}`;
        this.#verdicts[id].push(verdict);
        item.append(verdict);
      }
      return item;
    });
    host.replaceChildren(...items);
  }

  show(id: OptimizerId, predictions: Uint8Array): void {
    this.#verdicts[id].forEach((verdict, index) => {
      const right = predictions[index] === this.#labels[index];
      verdict.textContent = `${predictions[index]} ${right ? '✓' : '✗'}`;
      verdict.classList.toggle('wrong', !right);
    });
  }
}

/** Black ink of varying opacity; the style sheet inverts it on dark ground. */
function picture(pixels: Float32Array, label: number): HTMLCanvasElement {
  const canvas = document.createElement('canvas');
  canvas.width = SIDE;
  canvas.height = SIDE;
  canvas.setAttribute('role', 'img');
  canvas.setAttribute('aria-label', `handwritten ${label}`);
  const image = new ImageData(SIDE, SIDE);
  pixels.forEach((ink, index) => {
    image.data[4 * index + 3] = Math.round(255 * ink);
  });
  canvas.getContext('2d')?.putImageData(image, 0, 0);
  return canvas;
}
