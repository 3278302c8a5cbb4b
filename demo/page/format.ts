// How numbers are written on the page: as people write them, and with as many digits at one step as at the next.

export const formatLoss = (loss: number): string => formatShort(loss, 4);

/** So many digits, and a power of ten where there would be more zeros than digits: 2.33, 0.0123, 4.20 × 10⁻⁸. */
export function formatShort(value: number, digits = 3): string {
  if (!Number.isFinite(value)) return withMinus(String(value).replace('Infinity', '∞'));
  const size = Math.abs(value);
  if (size === 0) return '0';
  if (size < 0.001 || size >= 100_000) {
    const [factor, exponent] = value.toExponential(digits - 1).split('e');
    return `${withMinus(factor)}\u2009×\u2009${powerOfTen(exponent)}`; // thin spaces
  }
  return withMinus(value.toFixed(Math.max(0, digits - 1 - Math.floor(Math.log10(size)))));
}

/** Thousands, millions and so on: 123 M. */
export function formatCount(count: number): string {
  const units = ['', ' k', ' M', ' G'];
  const unit = Math.max(0, Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, count)) / 3)));
  const scaled = count / 1000 ** unit;
  return `${scaled >= 100 || unit === 0 ? Math.round(scaled) : scaled.toPrecision(2)}${units[unit]}`;
}

/** Four decimals, as long as there is room for them; what rounds to zero has no sign. */
export const formatCoordinate = (value: number): string =>
  Math.abs(value) < 1000 ? withMinus(value.toFixed(4).replace(/^-(?=[0.]*$)/, '')) : formatShort(value);

export const formatPoint = (point: readonly number[]): string =>
  `(${point.map(formatCoordinate).join(', ')})`;

export const formatPercent = (fraction: number): string => `${(100 * fraction).toFixed(1)} %`;

const timeUnits = [
  ['s', 1e3],
  ['ms', 1],
  ['µs', 1e-3],
  ['ns', 1e-6],
] as const;

/** Three digits in the unit that people would choose: 3.40 s, 21.5 µs. */
export function formatDuration(milliseconds: number | null): string {
  if (milliseconds === null) return '–';
  const [unit, size] = timeUnits.find(([, size]) => milliseconds >= size * 0.9995) ?? timeUnits[3];
  const digits = Math.max(0, 2 - Math.max(0, Math.floor(Math.log10(milliseconds / size))));
  return `${(milliseconds / size).toFixed(digits)} ${unit}`;
}

const superscripts: Record<string, string> = { '-': '⁻', '+': '' };
for (const [digit, raised] of [...'⁰¹²³⁴⁵⁶⁷⁸⁹'].entries()) superscripts[String(digit)] = raised;

const powerOfTen = (exponent: string) =>
  `10${[...exponent].map((character) => superscripts[character]).join('')}`;

/** A power of ten as an axis shows it: 10⁻³. */
export const formatPowerOfTen = (value: number): string => powerOfTen(String(Math.round(Math.log10(value))));

function withMinus(text: string): string {
  return text.replace('-', '−');
}
