// The theme's colours as pixels, for what is painted pixel by pixel.
import { themeColor } from '../page/dom.ts';
import { pixel } from './colors.ts';
import type { Tones } from './paint.ts';

/** A canvas reads the colours, whatever notation CSS used. */
export function tones(): Tones {
  const canvas = document.createElement('canvas');
  canvas.width = 1;
  canvas.height = 1;
  const context = canvas.getContext('2d', { willReadFrequently: true });
  if (!context) throw new Error('This browser gives no 2D canvas.');
  const pixelOf = (name: `--${string}`) => {
    context.fillStyle = themeColor(name);
    context.fillRect(0, 0, 1, 1);
    const [red, green, blue] = context.getImageData(0, 0, 1, 1).data;
    return pixel(red, green, blue);
  };
  return { ground: pixelOf('--never'), line: pixelOf('--never-line') };
}
