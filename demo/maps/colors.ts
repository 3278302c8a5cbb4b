// The colours of the maps: ramps whose lightness falls evenly, so that they can be read without colour, too.
// Made in the OKLCH space (Ottosson 2020) and handed out as tables of pixels: whole words of ImageData's bytes.

export const SHADES = 256;

/** Light to dark: yellow over green to deep blue. */
export function ramp(): Uint32Array {
  return table((share) => [0.94 - 0.66 * share, 0.12 + 0.03 * Math.sin(Math.PI * share), 105 + 170 * share]);
}

/** None of them near the blue and the orange of the first two optimizers, which stand beside the maps. */
export const hues: readonly number[] = [145, 345, 95, 205, 310, 175, 120, 5];

/** Light to dark in one hue: one such ramp for each of several minima. */
export function hueRamp(which: number): Uint32Array {
  const hue = hues[which % hues.length];
  return table((share) => [
    0.95 - 0.6 * share,
    0.06 + 0.1 * Math.sin(Math.PI * Math.min(1, share + 0.15)),
    hue,
  ]);
}

/** One opaque pixel, its bytes in ImageData's order on any machine. */
export function pixel(red: number, green: number, blue: number): number {
  return new Uint32Array(Uint8Array.of(red, green, blue, 255).buffer)[0];
}

function table(
  color: (share: number) => readonly [lightness: number, chroma: number, hue: number],
): Uint32Array {
  return Uint32Array.from({ length: SHADES }, (_, shade) => pixel(...srgb(...color(shade / (SHADES - 1)))));
}

function srgb(lightness: number, chroma: number, hue: number): [number, number, number] {
  const angle = (hue * Math.PI) / 180;
  const [a, b] = [chroma * Math.cos(angle), chroma * Math.sin(angle)];
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  const byte = (linear: number) => {
    const value = Math.min(1, Math.max(0, linear));
    return Math.round(255 * (value <= 0.0031308 ? 12.92 * value : 1.055 * value ** (1 / 2.4) - 0.055));
  };
  return [
    byte(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s),
    byte(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s),
    byte(-0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s),
  ];
}
