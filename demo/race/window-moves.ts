// Another window over an own formula: by dragging its map, by the wheel while the map has the focus (or with Ctrl, as
// touchpads pinch), by the keys + and −, and by two buttons. It draws nothing.
import type { Point, Range } from '../surfaces/surfaces.ts';

export interface Window {
  readonly x: Range;
  readonly y: Range;
}

export interface WindowMovesOptions {
  readonly map: HTMLElement;
  readonly zoomIn: HTMLButtonElement;
  readonly zoomOut: HTMLButtonElement;
  /** The window as it is, or null where it cannot be moved. */
  window(): Window | null;
  /** The place of the surface at a place of the map. */
  placeAt(left: number, top: number): Point;
  /** `last`: nothing more is under way, for now. */
  onMove(window: Window, last: boolean): void;
}

/** One press of a button or a key. */
const ZOOM = 1.5;
/** Pixels of the wheel for a factor of e. */
const WHEEL = 400;
const NARROWEST = 0.05;
const WIDEST = 400;
/** So many pixels are not yet a drag. */
const STILL = 4;
/** Milliseconds without the wheel after which it has come to rest. */
const REST = 250;

export function followWindowMoves(options: WindowMovesOptions): void {
  const { map, zoomIn, zoomOut, window, placeAt, onMove } = options;
  const zoom = (factor: number, round: Point | null, last: boolean) => {
    const from = window();
    if (!from) return;
    const width = from.x[1] - from.x[0];
    const by = Math.min(WIDEST / width, Math.max(NARROWEST / width, factor));
    const scaled = ([low, high]: Range, middle: number): Range =>
      [low, high].map((end) => rounded(middle + by * (end - middle), by * (high - low))) as unknown as Range;
    const [x, y] = round ?? [(from.x[0] + from.x[1]) / 2, (from.y[0] + from.y[1]) / 2];
    onMove({ x: scaled(from.x, x), y: scaled(from.y, y) }, last);
  };

  zoomIn.addEventListener('click', () => zoom(1 / ZOOM, null, true));
  zoomOut.addEventListener('click', () => zoom(ZOOM, null, true));
  map.addEventListener('keydown', ({ key, target }) => {
    if (target !== map) return;
    if (key === '+' || key === '=') zoom(1 / ZOOM, null, true);
    if (key === '-') zoom(ZOOM, null, true);
  });

  let resting: ReturnType<typeof setTimeout> | undefined;
  map.addEventListener(
    'wheel',
    (event) => {
      if (!window() || (document.activeElement !== map && !event.ctrlKey)) return;
      event.preventDefault();
      zoom(Math.exp(event.deltaY / WHEEL), placeAt(event.offsetX, event.offsetY), false);
      clearTimeout(resting);
      resting = setTimeout(() => zoom(1, null, true), REST);
    },
    { passive: false },
  );

  let dragged: { from: Window; at: Point; left: number; top: number; moved: boolean } | null = null;
  map.addEventListener('pointerdown', (event) => {
    const from = window();
    if (!from || event.pointerType === 'touch' || event.button !== 0) return;
    const { offsetX: left, offsetY: top } = event;
    dragged = { from, at: placeAt(left, top), left, top, moved: false };
    map.setPointerCapture(event.pointerId);
  });
  const drag = (event: PointerEvent, last: boolean) => {
    if (!dragged) return;
    const { from, at, left, top } = dragged;
    dragged.moved ||= Math.hypot(event.offsetX - left, event.offsetY - top) > STILL;
    if (!dragged.moved) return;
    // What was under the pointer stays under it. Where that is now is asked of the window as it is.
    const now = window() ?? from;
    const [x, y] = placeAt(event.offsetX, event.offsetY);
    const moved = ([low, high]: Range, by: number): Range =>
      [low, high].map((end) => rounded(end + by, high - low)) as unknown as Range;
    onMove({ x: moved(now.x, at[0] - x), y: moved(now.y, at[1] - y) }, last);
  };
  map.addEventListener('pointermove', (event) => drag(event, false));
  map.addEventListener('pointerup', (event) => {
    drag(event, true);
    // The click that follows chooses a start, unless this was a drag.
    const { moved } = dragged ?? { moved: false };
    dragged = null;
    if (moved)
      map.addEventListener('click', (click) => click.preventDefault(), { once: true, capture: true });
  });
  map.addEventListener('pointercancel', () => {
    dragged = null;
  });
}

/** To a ten thousandth of the window: links stay short. */
function rounded(value: number, width: number): number {
  return Number(value.toFixed(Math.max(0, Math.ceil(4 - Math.log10(width)))));
}
