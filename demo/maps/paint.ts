// Turns the pictures of the maps into pixels. What never arrives is hatched: a pattern, not only a colour.
import { hueRamp, ramp, SHADES } from './colors.ts';
import { type BasinPicture, NEVER, type RatesPicture } from './job.ts';

const HATCH = 6;
/** Losses below this are as good as nothing: float32 parameters reach no further. */
const SMALLEST = 1e-12;

/** Two pixels: the ground and the lines of what is hatched. */
export interface Tones {
  readonly ground: number;
  readonly line: number;
}

const oneRamp = ramp();
const hueRamps: Uint32Array[] = [];

/** Light: soon; dark: at the step `latest` or after it. One hue for each minimum where there are several. */
export function paintBasin(
  { columns, rows, arrivals, reached }: BasinPicture,
  latest: number,
  minima: number,
  tones: Tones,
): ImageData {
  const [image, pixels] = blank(columns, rows);
  for (let which = hueRamps.length; which < minima; which++) hueRamps.push(hueRamp(which));
  const ramps = minima < 2 ? [oneRamp] : hueRamps;
  // Early differences matter more than late ones.
  const shadeOf = new Uint8Array(NEVER).map((_, step) => shade(Math.sqrt(step / latest)));
  for (let index = 0; index < pixels.length; index++) {
    const step = arrivals[index];
    pixels[index] = step === NEVER ? hatch(index, columns, tones) : ramps[reached[index]][shadeOf[step]];
  }
  return image;
}

/** Light: a low loss; dark: a high one, over powers of ten; hatched: not a number any more. */
export function paintRates(
  { columns, rows, losses }: RatesPicture,
  [lowest, highest]: readonly [number, number],
  tones: Tones,
): ImageData {
  const [image, pixels] = blank(columns, rows);
  // Where nothing went down, everything is dark.
  const low = Math.log(Math.max(SMALLEST, Math.min(lowest, highest / 10)));
  const range = Math.log(Math.max(highest, 10 * SMALLEST)) - low;
  for (let index = 0; index < pixels.length; index++) {
    const loss = losses[index];
    const known = Number.isFinite(loss);
    const share = (Math.log(Math.max(loss, SMALLEST)) - low) / range;
    pixels[index] = known ? oneRamp[shade(share)] : hatch(index, columns, tones);
  }
  return image;
}

const shade = (share: number) => Math.round(Math.min(1, Math.max(0, share)) * (SHADES - 1));

function blank(columns: number, rows: number): [ImageData, Uint32Array] {
  const image = new ImageData(columns, rows);
  return [image, new Uint32Array(image.data.buffer)];
}

function hatch(index: number, columns: number, { ground, line }: Tones): number {
  return ((index % columns) + Math.floor(index / columns)) % HATCH === 0 ? line : ground;
}
