// The picture of the race: two stacked canvases, the ground below (heat, isolines, axes) and above it what
// moves (start, trails, racers). It also turns clicks, drags and arrow keys into a new start. It knows no
// optimizer, and no other window: see window-moves.ts.
import { scaleLinear } from 'd3-scale';
import type { Look } from '../looks.ts';
import type { RunnerId } from '../optimizers.ts';
import { onThemeChange, sizedContext, themeColor } from '../page/dom.ts';
import { type Frame, paintGround } from '../surfaces/heat-map.ts';
import type { Point, Surface } from '../surfaces/surfaces.ts';
import type { Racer } from './racer.ts';

const PADDING = { left: 30, right: 8, top: 8, bottom: 22 };
/** An arrow key moves the start by this share of the window; with Shift by ten times as much. */
const KEY_STEP = 0.01;
/** A start is rounded to so many decimals, or more in a small window, so that special lines like x = 0 can be hit. */
const START_DECIMALS = 2;
/** Trail points nearer than this many pixels to the last drawn one are skipped. */
const TRAIL_RESOLUTION = 0.6;

export interface Scene {
  surface: Surface;
  start: Point;
  /** Those that take part. */
  racers: ReadonlyMap<RunnerId, Racer>;
  looks: ReadonlyMap<RunnerId, Look>;
}

export class SurfaceView {
  readonly #ground: HTMLCanvasElement;
  readonly #front: HTMLCanvasElement;
  readonly #scene: () => Scene;
  readonly #onStart: (start: Point) => void;
  /** Whether a drag moves the window, so that only a click chooses the start. */
  readonly #dragsWindow: () => boolean;
  #frame: Frame = { x: scaleLinear(), y: scaleLinear() };
  #context: CanvasRenderingContext2D;

  constructor(
    map: HTMLElement,
    ground: HTMLCanvasElement,
    front: HTMLCanvasElement,
    scene: () => Scene,
    onStart: (start: Point) => void,
    dragsWindow = () => false,
  ) {
    this.#ground = ground;
    this.#front = front;
    this.#scene = scene;
    this.#onStart = onStart;
    this.#dragsWindow = dragsWindow;
    this.#context = sizedContext(front);
    new ResizeObserver(() => this.drawAll()).observe(front);
    onThemeChange(() => this.drawAll());
    this.#listen(map);
  }

  /** Everything anew: after another surface, size or theme. */
  drawAll(): void {
    const { surface } = this.#scene();
    const width = this.#front.clientWidth;
    const height = this.#front.clientHeight;
    this.#frame = {
      x: scaleLinear(surface.x, [PADDING.left, width - PADDING.right]),
      y: scaleLinear(surface.y, [height - PADDING.bottom, PADDING.top]),
    };
    const context = sizedContext(this.#ground);
    paintGround(context, surface, this.#frame);
    this.#drawAxes(context);
    for (const minimum of surface.minima) this.#drawMinimum(context, minimum);
    this.#context = sizedContext(this.#front);
    this.draw();
  }

  /** The place of the surface at a place of the canvas. */
  placeAt(left: number, top: number): Point {
    return [this.#frame.x.invert(left), this.#frame.y.invert(top)];
  }

  /** Only what moves. */
  draw(): void {
    const { start, racers, looks } = this.#scene();
    const context = this.#context;
    const { x, y } = this.#frame;
    context.clearRect(0, 0, this.#front.clientWidth, this.#front.clientHeight);
    context.save();
    context.beginPath();
    context.rect(x.range()[0], y.range()[1], x.range()[1] - x.range()[0], y.range()[0] - y.range()[1]);
    context.clip();
    // Every halo lies below every trail: where several went the same way, one shows in the other's gaps. The
    // solid one is drawn first for the same reason.
    const trails = [...racers].map(
      ([id, racer]) => [looks.get(id) as Look, this.#trailPath(racer.trail)] as const,
    );
    for (const [, trail] of trails) this.#stroke(trail, '--halo', 5, []);
    for (const [{ color, dash }, trail] of trails) this.#stroke(trail, color, 2.25, dash);
    this.#drawStart(start);
    for (const [id, racer] of racers) this.#drawRacer(looks.get(id) as Look, racer.position);
    context.restore();
  }

  #listen(map: HTMLElement): void {
    map.tabIndex = 0;
    const pick = (event: MouseEvent) => this.#choose(this.placeAt(event.offsetX, event.offsetY));
    // A mouse or pen picks at once and may drag, if it does not drag the window. A finger picks by a tap only: it must
    // be able to scroll.
    let finger = false;
    map.addEventListener('pointerdown', (event) => {
      finger = event.pointerType === 'touch';
      if (finger || event.button !== 0 || this.#dragsWindow()) return;
      map.setPointerCapture(event.pointerId);
      pick(event);
    });
    map.addEventListener('pointermove', (event) => {
      if (map.hasPointerCapture(event.pointerId) && !finger && !this.#dragsWindow()) pick(event);
    });
    map.addEventListener('click', (event) => {
      if (finger || (this.#dragsWindow() && !event.defaultPrevented)) pick(event);
    });
    map.addEventListener('keydown', (event) => {
      const direction = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[
        event.key
      ];
      if (!direction || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      const { surface, start } = this.#scene();
      const share = event.shiftKey ? 10 * KEY_STEP : KEY_STEP;
      this.#choose([
        start[0] + direction[0] * share * (surface.x[1] - surface.x[0]),
        start[1] + direction[1] * share * (surface.y[1] - surface.y[0]),
      ]);
    });
  }

  #choose([x, y]: Point): void {
    const { surface } = this.#scene();
    const width = surface.x[1] - surface.x[0];
    const decimals = Math.max(START_DECIMALS, Math.ceil(START_DECIMALS - Math.log10(width / 2)));
    const onGrid = (value: number) => Number(value.toFixed(decimals));
    this.#onStart([onGrid(clamp(x, surface.x)), onGrid(clamp(y, surface.y))]);
  }

  #drawAxes(context: CanvasRenderingContext2D): void {
    const { x, y } = this.#frame;
    context.fillStyle = themeColor('--muted');
    context.strokeStyle = themeColor('--line');
    context.font = `11px ${getComputedStyle(this.#ground).fontFamily}`;
    context.textBaseline = 'top';
    context.textAlign = 'center';
    for (const tick of x.ticks(5)) context.fillText(minus(tick), x(tick), y.range()[0] + 6);
    context.textBaseline = 'middle';
    context.textAlign = 'right';
    for (const tick of y.ticks(5)) context.fillText(minus(tick), x.range()[0] - 6, y(tick));
    context.strokeRect(x.range()[0], y.range()[1], x.range()[1] - x.range()[0], y.range()[0] - y.range()[1]);
  }

  #drawMinimum(context: CanvasRenderingContext2D, at: Point): void {
    const [x, y] = this.#place(at);
    context.strokeStyle = themeColor('--ink');
    context.lineWidth = 1.5;
    context.beginPath();
    context.moveTo(x - 6, y);
    context.lineTo(x + 6, y);
    context.moveTo(x, y - 6);
    context.lineTo(x, y + 6);
    context.stroke();
  }

  #drawStart(at: Point): void {
    const context = this.#context;
    context.beginPath();
    context.arc(...this.#place(at), 9, 0, 2 * Math.PI);
    context.lineWidth = 3.5;
    context.strokeStyle = themeColor('--paper');
    context.stroke();
    context.lineWidth = 1.5;
    context.strokeStyle = themeColor('--ink');
    context.stroke();
  }

  #trailPath(trail: readonly number[]): Path2D {
    const path = new Path2D();
    let [lastX, lastY] = this.#place([trail[0], trail[1]]);
    path.moveTo(lastX, lastY);
    for (let index = 2; index < trail.length; index += 2) {
      const [x, y] = this.#place([trail[index], trail[index + 1]]);
      if (Math.hypot(x - lastX, y - lastY) < TRAIL_RESOLUTION) continue;
      path.lineTo(x, y);
      lastX = x;
      lastY = y;
    }
    return path;
  }

  #stroke(path: Path2D, color: `--${string}`, width: number, dash: number[]): void {
    const context = this.#context;
    context.lineJoin = 'round';
    context.setLineDash(dash);
    context.strokeStyle = themeColor(color);
    context.lineWidth = width;
    context.stroke(path);
    context.setLineDash([]);
  }

  /** A racer that has left the window waits, hollow, at its edge. */
  #drawRacer({ color, mark }: Look, position: Point): void {
    if (!position.every(Number.isFinite)) return;
    const { surface } = this.#scene();
    const inside: Point = [clamp(position[0], surface.x), clamp(position[1], surface.y)];
    const away = inside[0] !== position[0] || inside[1] !== position[1];
    const context = this.#context;
    const path = new Path2D(mark);
    context.save();
    context.translate(...this.#place(inside));
    context.fillStyle = themeColor(away ? '--paper' : color);
    context.fill(path);
    context.lineWidth = 1.75;
    context.strokeStyle = themeColor(away ? color : '--paper');
    context.stroke(path);
    context.restore();
  }

  #place([x, y]: Point): [number, number] {
    return [this.#frame.x(x), this.#frame.y(y)];
  }
}

const clamp = (value: number, [low, high]: readonly [number, number]) => Math.min(high, Math.max(low, value));
const minus = (tick: number) => String(tick).replace('-', '−');
