// One map on the page: a picture of pixels with axes round it, a mark, a cursor for pointer and keys, and the
// words for what is under it. It knows neither workers nor optimizers.
import { onThemeChange, sizedContext, themeColor } from '../page/dom.ts';

const PADDING = { left: 46, right: 8, top: 6, bottom: 24 };
const KEY_STEP = 0.02;

export interface Tick {
  /** From 0 to 1, left to right or bottom to top. */
  readonly at: number;
  readonly label: string;
}

export interface OutcomeMapOptions {
  readonly host: HTMLElement;
  readonly reading: HTMLElement;
  ticks(): { x: readonly Tick[]; y: readonly Tick[] };
  /** Where the page's mark lies, or null. */
  mark(): readonly [x: number, y: number] | null;
  /** A path over the map, in shares of its sides: x, y, x, y, …; and its colour and dashes. Or null. */
  path?(): { points: readonly number[]; color: `--${string}`; dash: readonly number[] } | null;
  /** What a place means, in words. */
  describe(x: number, y: number): string;
  onChoose(x: number, y: number): void;
}

export class OutcomeMap {
  readonly #options: OutcomeMapOptions;
  readonly #canvas = document.createElement('canvas');
  readonly #picture = document.createElement('canvas');
  #cursor: readonly [x: number, y: number] | null = null;

  constructor(options: OutcomeMapOptions) {
    const { host } = options;
    this.#options = options;
    this.#canvas.setAttribute('aria-hidden', 'true');
    this.#picture.width = 0;
    host.replaceChildren(this.#canvas);
    new ResizeObserver(() => this.draw()).observe(host);
    onThemeChange(() => this.draw());
    this.#listen(host);
  }

  show(image: ImageData): void {
    this.#picture.width = image.width;
    this.#picture.height = image.height;
    this.#picture.getContext('2d')?.putImageData(image, 0, 0);
    this.draw();
  }

  draw(): void {
    const context = sizedContext(this.#canvas);
    const { left, top, width, height } = this.#inner();
    context.fillStyle = themeColor('--never');
    context.fillRect(left, top, width, height);
    if (this.#picture.width > 0) {
      context.imageSmoothingEnabled = width * devicePixelRatio < this.#picture.width;
      context.drawImage(this.#picture, left, top, width, height);
    }
    this.#drawAxes(context);
    this.#drawPath(context);
    const mark = this.#options.mark();
    if (mark) this.#drawRing(context, mark, 7);
    if (this.#cursor) this.#drawCross(context, this.#cursor);
    this.#tell();
  }

  #listen(host: HTMLElement): void {
    host.tabIndex = 0;
    const place = (event: MouseEvent) => {
      const { left, top, width, height } = this.#inner();
      this.#cursor = [share((event.offsetX - left) / width), share(1 - (event.offsetY - top) / height)];
      this.draw();
    };
    host.addEventListener('pointermove', place);
    host.addEventListener('pointerleave', () => {
      this.#cursor = null;
      this.draw();
    });
    host.addEventListener('click', (event) => {
      place(event);
      if (this.#cursor) this.#options.onChoose(...this.#cursor);
    });
    host.addEventListener('keydown', (event) => {
      const direction = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[
        event.key
      ];
      const [x, y] = this.#cursor ?? this.#options.mark() ?? [0.5, 0.5];
      if (direction && !event.ctrlKey && !event.metaKey && !event.altKey) {
        const step = event.shiftKey ? 5 * KEY_STEP : KEY_STEP;
        this.#cursor = [share(x + step * direction[0]), share(y + step * direction[1])];
        this.draw();
      } else if (event.key === 'Enter' || event.key === ' ') this.#options.onChoose(x, y);
      else return;
      event.preventDefault();
    });
  }

  #tell(): void {
    const { reading, describe } = this.#options;
    const text = this.#cursor ? describe(...this.#cursor) : '';
    if (reading.textContent !== text) reading.textContent = text;
  }

  #inner() {
    const { clientWidth, clientHeight } = this.#canvas;
    return {
      left: PADDING.left,
      top: PADDING.top,
      width: clientWidth - PADDING.left - PADDING.right,
      height: clientHeight - PADDING.top - PADDING.bottom,
    };
  }

  #drawAxes(context: CanvasRenderingContext2D): void {
    const { left, top, width, height } = this.#inner();
    const { x, y } = this.#options.ticks();
    context.fillStyle = themeColor('--muted');
    context.strokeStyle = themeColor('--line');
    context.font = `11px ${getComputedStyle(this.#canvas).fontFamily}`;
    context.textBaseline = 'top';
    context.textAlign = 'center';
    for (const { at, label } of x) context.fillText(label, left + at * width, top + height + 7);
    context.textBaseline = 'middle';
    context.textAlign = 'right';
    for (const { at, label } of y) context.fillText(label, left - 6, top + (1 - at) * height);
    context.strokeRect(left, top, width, height);
  }

  #drawPath(context: CanvasRenderingContext2D): void {
    const path = this.#options.path?.();
    if (!path) return;
    const { left, top, width, height } = this.#inner();
    context.save();
    context.beginPath();
    context.rect(left, top, width, height);
    context.clip();
    context.beginPath();
    for (let index = 0; index < path.points.length; index += 2) {
      context.lineTo(...this.#place([path.points[index], path.points[index + 1]]));
    }
    context.lineJoin = 'round';
    context.lineWidth = 5;
    context.strokeStyle = themeColor('--paper');
    context.stroke();
    context.setLineDash([...path.dash]);
    context.lineWidth = 2.25;
    context.strokeStyle = themeColor(path.color);
    context.stroke();
    context.restore();
  }

  #drawRing(context: CanvasRenderingContext2D, at: readonly [number, number], radius: number): void {
    const [x, y] = this.#place(at);
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    outlined(context);
  }

  #drawCross(context: CanvasRenderingContext2D, at: readonly [number, number]): void {
    const [x, y] = this.#place(at);
    context.beginPath();
    for (const [dx, dy] of [
      [1, 0],
      [-1, 0],
      [0, 1],
      [0, -1],
    ]) {
      context.moveTo(x + 4 * dx, y + 4 * dy);
      context.lineTo(x + 11 * dx, y + 11 * dy);
    }
    outlined(context);
  }

  #place([x, y]: readonly [number, number]): [number, number] {
    const { left, top, width, height } = this.#inner();
    return [left + x * width, top + (1 - y) * height];
  }
}

/** Dark on light: visible on every ground. */
function outlined(context: CanvasRenderingContext2D): void {
  context.lineWidth = 4;
  context.strokeStyle = '#ffffff';
  context.stroke();
  context.lineWidth = 1.75;
  context.strokeStyle = '#10151d';
  context.stroke();
}

const share = (value: number) => Math.min(1, Math.max(0, value));
