// A live line chart of the two optimizers over steps (uPlot underneath), on a logarithmic or a plain axis, in
// the colours and dashes that the rest of the page uses. It draws a History and owns no data.
import uPlot from 'uplot';
import { onThemeChange, themeColor } from './dom.ts';
import { formatPowerOfTen } from './format.ts';
import type { History } from './history.ts';
import { optimizerNames } from './optimizers.ts';

/** A logarithmic axis needs positive numbers: what is smaller, zero too, is drawn at this height. */
const SMALLEST_LOSS = 1e-12;
const MOST_LABELS = 6;
const SHORTEST_AXIS = 10;

export interface LineChartOptions {
  /** Where the plot goes. */
  host: HTMLElement;
  /** Where the figures under the pointer are written. */
  reading: HTMLElement;
  /** What the curves show, for those who cannot see them. */
  title: string;
  scale: 'logarithmic' | 'fraction';
  format: (value: number) => string;
}

/** A loss as a logarithmic axis can show it; what is not a finite number leaves a gap. */
export function plottable(loss: number): number | null {
  return Number.isFinite(loss) ? Math.max(loss, SMALLEST_LOSS) : null;
}

export class LineChart {
  readonly #plot: uPlot;

  constructor({ host, reading, title, scale, format }: LineChartOptions) {
    const size = () => ({ width: host.clientWidth, height: host.clientHeight });
    const logarithmic = scale === 'logarithmic';
    this.#plot = new uPlot(
      {
        ...size(),
        padding: [8, 18, 0, 0],
        legend: { show: false },
        cursor: { drag: { x: false, y: false }, y: false, points: { size: 7 } },
        scales: {
          x: { time: false, range: (_plot, _low, high) => [0, Math.max(high ?? 0, SHORTEST_AXIS)] },
          y: logarithmic
            ? { distr: 3, range: (_plot, low, high) => wholeDecades(low, high) }
            : { range: [0, 1] },
        },
        axes: [
          { ...axisLook(), size: 24, space: 60 },
          { ...axisLook(), size: 44, ...(logarithmic ? decadeLabels : percentLabels) },
        ],
        series: [
          {},
          { stroke: () => themeColor('--adam'), width: 2, points: { show: false } },
          { stroke: () => themeColor('--adamax'), width: 2, dash: [7, 4], points: { show: false } },
        ],
        hooks: {
          setCursor: [
            ({ cursor: { idx }, data: [steps, adam, adamax] }) => {
              if (idx === null || idx === undefined) {
                reading.textContent = '';
                return;
              }
              const written = (value: number | null | undefined) => (value == null ? '–' : format(value));
              const both = [
                `${optimizerNames.adam} ${written(adam[idx])}`,
                `${optimizerNames.adamax} ${written(adamax[idx])}`,
              ];
              reading.textContent = `step ${steps[idx]}: ${both.join(', ')}`;
            },
          ],
        },
      },
      [[], [], []],
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

/** Whole decades round the data, at least two of them. */
function wholeDecades(low: number | null, high: number | null): [number, number] {
  const bottom = Math.floor(Math.log10(low ?? 0.1));
  const top = Math.ceil(Math.log10(high ?? 1));
  return [10 ** Math.min(bottom, top - 2), 10 ** top];
}
