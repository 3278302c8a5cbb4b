// A live line chart over steps (uPlot underneath), on a logarithmic, a percent or a plain axis, in the colours
// and dashes that the rest of the page uses. It draws a History and owns no data.
import uPlot from 'uplot';
import { onThemeChange, themeColor } from './dom.ts';
import { formatPowerOfTen } from './format.ts';
import type { History } from './history.ts';

/** A logarithmic axis needs positive numbers: what is smaller, zero too, is drawn at this height. */
const SMALLEST_LOSS = 1e-12;
const MOST_LABELS = 6;
const SHORTEST_AXIS = 10;

export interface Curve {
  /** Asked for whenever it is written: who draws in a colour may change. */
  readonly name: () => string;
  readonly color: `--${string}`;
  readonly dash: readonly number[];
  /** Drawn as a ground behind the curves, on an axis of its own from 0 to 1 at the right. */
  readonly ground?: boolean;
}

export interface LineChartOptions {
  /** Where the plot goes. */
  host: HTMLElement;
  /** Where the figures under the pointer are written. */
  reading: HTMLElement;
  /** What the curves show, for those who cannot see them. */
  title: string;
  curves: readonly Curve[];
  scale: 'logarithmic' | 'fraction' | 'plain';
  format: (value: number) => string;
}

/** A loss as a logarithmic axis can show it; what is not a finite number leaves a gap. */
export function plottable(loss: number): number | null {
  return Number.isFinite(loss) ? Math.max(loss, SMALLEST_LOSS) : null;
}

export class LineChart {
  readonly #plot: uPlot;

  constructor({ host, reading, title, curves, scale, format }: LineChartOptions) {
    const size = () => ({ width: host.clientWidth, height: host.clientHeight });
    const grounded = curves.some(({ ground }) => ground);
    this.#plot = new uPlot(
      {
        ...size(),
        padding: [8, grounded ? 0 : 18, 0, 0],
        legend: { show: false },
        cursor: { drag: { x: false, y: false }, y: false, points: { size: 7 } },
        scales: {
          x: { time: false, range: (_plot, _low, high) => [0, Math.max(high ?? 0, SHORTEST_AXIS)] },
          y: yScales[scale],
          ...(grounded && { ground: { range: [0, 1.02] } }),
        },
        axes: [
          { ...axisLook(), size: 24, space: 60 },
          { ...axisLook(), size: 44, ...yLabels[scale] },
          ...(grounded
            ? [{ ...axisLook(), ...groundLabels, scale: 'ground', side: 1, size: 46, grid: { show: false } }]
            : []),
        ],
        series: [
          {},
          ...curves.map(({ color, dash, ground }) => ({
            stroke: () => themeColor(color),
            width: ground ? 1 : 2,
            dash: [...dash],
            points: { show: false },
            ...(ground && { scale: 'ground', fill: () => themeColor('--ground') }),
          })),
        ],
        hooks: {
          setCursor: [
            ({ cursor: { idx }, data }) => {
              if (idx === null || idx === undefined) {
                reading.textContent = '';
                return;
              }
              const values = curves.flatMap(({ name, ground }, curve) => {
                const value = data[curve + 1][idx];
                if (value === null || value === undefined) return [];
                return `${name()} ${ground ? `${Math.round(100 * value)} %` : format(value)}`;
              });
              reading.textContent = `step ${data[0][idx]}: ${values.join(', ')}`;
            },
          ],
        },
      },
      [[], ...curves.map(() => [])],
      host,
    );
    host.setAttribute('role', 'img');
    host.setAttribute('aria-label', title);
    new ResizeObserver(() => this.#plot.setSize(size())).observe(host);
    onThemeChange(() => this.#plot.redraw(false));
  }

  draw(history: History): void {
    this.#plot.setData(history.columns as uPlot.AlignedData);
  }
}

const yScales: Record<LineChartOptions['scale'], uPlot.Scale> = {
  logarithmic: { distr: 3, range: (_plot, low, high) => wholeDecades(low, high) },
  fraction: { range: [0, 1] },
  plain: {
    range: (_plot, low, high) => [Math.min(-1.05, low ?? 0), Math.max(1.05, high ?? 0)],
  },
};

function axisLook(): uPlot.Axis {
  return {
    stroke: () => themeColor('--muted'),
    font: '11px system-ui, sans-serif',
    grid: { stroke: () => themeColor('--grid'), width: 1 },
    ticks: { show: false },
  };
}

const percentLabels: uPlot.Axis = {
  values: (_plot, splits) => splits.map((share) => `${Math.round(100 * share)} %`),
};

/** The ground's own, while there is a ground. */
const groundLabels: uPlot.Axis = {
  values: (plot, splits) =>
    plot.data.at(-1)?.some((value) => value !== null)
      ? splits.map((share) => `${Math.round(100 * share)} %`)
      : splits.map(() => ''),
};

/** One label per decade or, where that is too many, per two, three … decades. */
const decadeLabels: uPlot.Axis = {
  splits: (_plot, _axis, low, high) => {
    const bottom = Math.round(Math.log10(low));
    const top = Math.round(Math.log10(high));
    const stride = Math.ceil((top - bottom) / (MOST_LABELS - 1));
    const splits: number[] = [];
    for (let exponent = stride * Math.ceil(bottom / stride); exponent <= top; exponent += stride) {
      splits.push(10 ** exponent);
    }
    return splits;
  },
  filter: (_plot, splits) => splits,
  values: (_plot, splits) => splits.map(formatPowerOfTen),
};

const yLabels: Record<LineChartOptions['scale'], uPlot.Axis> = {
  logarithmic: decadeLabels,
  fraction: percentLabels,
  plain: { values: (_plot, splits) => splits.map((value) => String(value).replace('-', '−')) },
};

/** Whole decades round the data, at least two of them. */
function wholeDecades(low: number | null, high: number | null): [number, number] {
  const bottom = Math.floor(Math.log10(low ?? 0.1));
  const top = Math.ceil(Math.log10(high ?? 1));
  return [10 ** Math.min(bottom, top - 2), 10 ** top];
}
