// The handwritten digits: fetches demo/data/digits.bin (see the README there) and splits it. Every sixth
// image is held out for testing; nothing is ever trained on them. (The file goes writer by writer, so cutting
// off its end would test on writers nobody has trained on: a harder and another question.)

export const SIDE = 8;
export const PIXELS = SIDE * SIDE;
export const CLASSES = 10;
const IMAGES = 1797;
const HELD_OUT_EVERY = 6;
/** The darkest pixel value in the file. */
const DARKEST = 16;

export interface Digits {
  readonly count: number;
  /** Row by row, PIXELS numbers from 0 (paper) to 1 (ink) per image. */
  readonly images: Float32Array;
  readonly labels: Uint8Array;
}

export async function loadDigits(): Promise<{ training: Digits; test: Digits }> {
  const url = new URL('../data/digits.bin', import.meta.url);
  const response = await fetch(url).catch((cause) => {
    throw new Error('The digits could not be loaded: there is no connection. Reload the page to try again.', {
      cause,
    });
  });
  if (!response.ok)
    throw new Error(`The digits could not be loaded: ${url.pathname} answered ${response.status}.`);
  return splitDigits(new Uint8Array(await response.arrayBuffer()));
}

/** The file's bytes, all images and then all labels, as a training and a test part. */
export function splitDigits(bytes: Uint8Array): { training: Digits; test: Digits } {
  if (bytes.length !== IMAGES * (PIXELS + 1)) {
    throw new Error(`digits.bin has ${bytes.length} bytes instead of ${IMAGES * (PIXELS + 1)}.`);
  }
  const heldOut = (index: number) => index % HELD_OUT_EVERY === HELD_OUT_EVERY - 1;
  const all = Array.from({ length: IMAGES }, (_, index) => index);
  return {
    training: gather(
      bytes,
      all.filter((index) => !heldOut(index)),
    ),
    test: gather(bytes, all.filter(heldOut)),
  };
}

function gather(bytes: Uint8Array, indices: readonly number[]): Digits {
  const images = new Float32Array(indices.length * PIXELS);
  indices.forEach((index, row) => {
    const pixels = bytes.subarray(index * PIXELS, (index + 1) * PIXELS);
    images.set(
      Float32Array.from(pixels, (pixel) => pixel / DARKEST),
      row * PIXELS,
    );
  });
  const labels = Uint8Array.from(indices, (index) => bytes[IMAGES * PIXELS + index]);
  return { count: indices.length, images, labels };
}
