// What the scenes write and draw with: numbers in formulas, as wide at one step as at the next, and charts.
import { element } from '../page/dom.ts';
import { formatShort } from '../page/format.ts';
import { type Curve, LineChart, type LineChartOptions } from '../page/line-chart.ts';

/** Five digits, four of them behind the point where there is room; a dash where there is no number yet. */
export function formatFigure(value: number): string {
  if (!Number.isFinite(value)) return '–';
  const size = Math.abs(value);
  if (size !== 0 && size < 0.001) return formatShort(value, 2);
  const text = value.toFixed(Math.max(0, 4 - Math.floor(Math.log10(Math.max(1, size)))));
  return text.replace(/^-(?=[0.]*$)/, '').replaceAll('-', '−');
}

/** Puts figures into the formulas of a scene: every place that asks for one by its name. */
export function showFigures(scene: string, figures: Readonly<Record<string, number | string>>): void {
  for (const place of element(scene, HTMLElement).querySelectorAll<MathMLElement | HTMLElement>(
    '[data-figure]',
  )) {
    const value = figures[place.dataset.figure as string];
    if (value === undefined) continue;
    const text = typeof value === 'number' ? formatFigure(value) : value;
    if (place.textContent !== text) place.textContent = text;
  }
}

export function sceneChart(
  scene: string,
  title: string,
  scale: LineChartOptions['scale'],
  curves: readonly Curve[],
): LineChart {
  return new LineChart({
    host: element(`${scene}-chart`, HTMLElement),
    reading: element(`${scene}-reading`, HTMLElement),
    title,
    curves,
    scale,
    format: formatFigure,
  });
}

export const curve = (name: string, color: `--${string}`, dash: readonly number[] = []): Curve => ({
  name: () => name,
  color,
  dash,
});
