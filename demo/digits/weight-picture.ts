// The first layer's weights as images, as they are or what training has changed: one square per hidden unit, pixel
// by pixel what speaks for it and what against it. Two colours, equally strong for equally strong weights.
import { sizedContext, themeColor } from '../page/dom.ts';
import { PIXELS, SIDE } from './digits.ts';

const ACROSS = 8;

/** `from`: weights to show the difference to, or null. */
export function drawWeights(
  canvas: HTMLCanvasElement,
  weights: Float32Array,
  from: Float32Array | null,
): void {
  const kernel = from ? weights.map((weight, index) => weight - from[index]) : weights;
  const context = sizedContext(canvas);
  const units = kernel.length / PIXELS;
  const pitch = canvas.clientWidth / ACROSS;
  const pixel = (pitch - 5) / SIDE;
  const strongest = kernel.reduce((most, weight) => Math.max(most, Math.abs(weight)), 1e-9);
  const colors = { for: themeColor('--weight-for'), against: themeColor('--weight-against') };
  for (let unit = 0; unit < units; unit++) {
    const [left, top] = [(unit % ACROSS) * pitch, Math.floor(unit / ACROSS) * pitch];
    context.globalAlpha = 1;
    context.fillStyle = themeColor('--weight-ground');
    context.fillRect(left, top, SIDE * pixel, SIDE * pixel);
    for (let place = 0; place < PIXELS; place++) {
      const weight = kernel[place * units + unit];
      context.fillStyle = weight > 0 ? colors.for : colors.against;
      context.globalAlpha = Math.abs(weight) / strongest;
      context.fillRect(
        left + (place % SIDE) * pixel,
        top + Math.floor(place / SIDE) * pixel,
        pixel + 0.25,
        pixel + 0.25,
      );
    }
  }
}
