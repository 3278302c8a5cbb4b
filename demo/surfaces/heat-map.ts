// The ground of a loss surface: a heat map of the logarithm of the loss and isolines over it. Painted once
// per surface, size and theme; nothing here moves.
import { contours } from 'd3-contour';
import type { ScaleLinear } from 'd3-scale';
import { themeColor } from '../page/dom.ts';
import type { Surface } from './surfaces.ts';

/** Samples along each side, and how many more beyond each edge so that isolines run out of the picture. */
const SAMPLES = 240;
const MARGIN = 2;
const SIDE = SAMPLES + 2 * MARGIN;
const ISOLINES = 14;
/** Losses below this share of the largest one look alike: the rest of the scale is logarithmic. */
const FLOOR_SHARE = 2e-5;

export interface Frame {
  x: ScaleLinear<number, number>;
  y: ScaleLinear<number, number>;
}

/** Heights from 0 (a minimum) to 1 (the highest corner), row by row from the top. */
function sampleHeights(surface: Surface): Float32Array {
  const points = new Float32Array(2 * SIDE * SIDE);
  for (let row = 0; row < SIDE; row++) {
    for (let column = 0; column < SIDE; column++) {
      points[2 * (row * SIDE + column)] = xAt(surface, column + 0.5);
      points[2 * (row * SIDE + column) + 1] = yAt(surface, row + 0.5);
    }
  }
  const heights = new Float32Array(SIDE * SIDE);
  surface.formula.losses(points, heights);
  for (let index = 0; index < heights.length; index++) heights[index] -= surface.floor;
  const largest = heights.reduce((most, loss) => (Number.isFinite(loss) ? Math.max(most, loss) : most), 0);
  const floor = FLOOR_SHARE * largest || 1;
  const range = Math.log((1 + FLOOR_SHARE) / FLOOR_SHARE);
  // An own formula may be undefined somewhere: that is as high as it gets.
  return heights.map((loss) =>
    Number.isNaN(loss) ? 1 : Math.log((Math.max(0, loss) + floor) / floor) / range,
  );
}

export function paintGround(context: CanvasRenderingContext2D, surface: Surface, { x, y }: Frame): void {
  const heights = sampleHeights(surface);
  context.save();
  context.beginPath();
  context.rect(x.range()[0], y.range()[1], x.range()[1] - x.range()[0], y.range()[0] - y.range()[1]);
  context.clip();
  const left = x(xAt(surface, 0));
  const top = y(yAt(surface, 0));
  context.imageSmoothingQuality = 'high';
  context.drawImage(heatImage(heights), left, top, x(xAt(surface, SIDE)) - left, y(yAt(surface, SIDE)) - top);

  const levels = Array.from({ length: ISOLINES }, (_, index) => (index + 1) / (ISOLINES + 1));
  context.strokeStyle = themeColor('--isoline');
  context.lineWidth = 1;
  context.beginPath();
  for (const { coordinates } of contours().size([SIDE, SIDE]).thresholds(levels)(Array.from(heights))) {
    for (const ring of coordinates.flat()) {
      ring.forEach(([column, row], index) => {
        const at = [x(xAt(surface, column)), y(yAt(surface, row))] as const;
        if (index === 0) context.moveTo(...at);
        else context.lineTo(...at);
      });
    }
  }
  context.stroke();
  context.restore();
}

const xAt = ({ x: [low, high] }: Surface, column: number) =>
  low + ((column - MARGIN) / SAMPLES) * (high - low);
const yAt = ({ y: [low, high] }: Surface, row: number) => high - ((row - MARGIN) / SAMPLES) * (high - low);

function heatImage(heights: Float32Array): HTMLCanvasElement {
  const canvas = document.createElement('canvas');
  canvas.width = SIDE;
  canvas.height = SIDE;
  const context = canvas.getContext('2d');
  if (!context) throw new Error('This browser gives no 2D canvas.');
  const colors = colorTable();
  const image = context.createImageData(SIDE, SIDE);
  heights.forEach((height, index) => {
    const entry = 4 * Math.round(255 * Math.min(1, height));
    image.data.set(colors.subarray(entry, entry + 4), 4 * index);
  });
  context.putImageData(image, 0, 0);
  return canvas;
}

/** 256 colours between those of the theme; a canvas gradient mixes them, whatever notation CSS used. */
function colorTable(): Uint8ClampedArray {
  const canvas = document.createElement('canvas');
  canvas.width = 256;
  canvas.height = 1;
  const context = canvas.getContext('2d', { willReadFrequently: true });
  if (!context) throw new Error('This browser gives no 2D canvas.');
  const gradient = context.createLinearGradient(0, 0, 256, 0);
  gradient.addColorStop(0, themeColor('--heat-low'));
  gradient.addColorStop(0.5, themeColor('--heat-middle'));
  gradient.addColorStop(1, themeColor('--heat-high'));
  context.fillStyle = gradient;
  context.fillRect(0, 0, 256, 1);
  return context.getImageData(0, 0, 256, 1).data;
}
