// How numbers are written on the page: fixed widths, so that running figures do not jump about.

export const formatLoss = (loss: number): string => withMinus(loss.toExponential(3));

/** Four decimals; what rounds to zero has no sign. */
export const formatCoordinate = (value: number): string =>
  withMinus(value.toFixed(4).replace(/^-(?=[0.]*$)/, ''));

export const formatPercent = (fraction: number): string => `${(100 * fraction).toFixed(1)} %`;

export const formatMilliseconds = (ms: number | null): string => (ms === null ? '–' : `${ms.toFixed(3)} ms`);

const superscripts: Record<string, string> = { '-': '⁻' };
for (const [digit, raised] of [...'⁰¹²³⁴⁵⁶⁷⁸⁹'].entries()) superscripts[String(digit)] = raised;

/** A power of ten as an axis shows it: 10⁻³. */
export function formatPowerOfTen(value: number): string {
  const exponent = String(Math.round(Math.log10(value)));
  return `10${[...exponent].map((character) => superscripts[character]).join('')}`;
}

function withMinus(text: string): string {
  return text.replace('-', '−');
}
