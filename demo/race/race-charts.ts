// The race in curves and figures: loss under the schedule, and what each optimizer makes of x and of y, that is,
// the quotients that it multiplies by its learning rate.

import { type RunnerId, runnerIds, runners } from '../optimizers.ts';
import { showTexts } from '../page/controls.ts';
import { element } from '../page/dom.ts';
import { formatCoordinate, formatLoss, formatShort } from '../page/format.ts';
import { History } from '../page/history.ts';
import { LineChart, plottable } from '../page/line-chart.ts';
import type { Racer } from './racer.ts';

type Racers = ReadonlyMap<RunnerId, Racer>;
const curves = runnerIds.map((id) => runners[id]);
const axes = ['x', 'y'] as const;

export class RaceCharts {
  readonly #losses = new History(runnerIds.length + 1);
  readonly #effects = axes.map(() => new History(runnerIds.length));
  readonly #lossChart: LineChart;
  readonly #effectCharts: LineChart[];

  constructor() {
    this.#lossChart = new LineChart({
      host: element('race-chart', HTMLElement),
      reading: element('race-reading', HTMLElement),
      title: 'Loss of each runner over steps, logarithmic, and the schedule of the learning rate',
      curves: [...curves, { name: 'rate', color: '--muted', dash: [], ground: true }],
      scale: 'logarithmic',
      format: formatShort,
    });
    this.#effectCharts = axes.map(
      (axis) =>
        new LineChart({
          host: element(`race-effect-${axis}`, HTMLElement),
          reading: element(`race-effect-${axis}-reading`, HTMLElement),
          title: `Effective step of each runner in ${axis} over steps`,
          curves,
          scale: 'plain',
          format: formatShort,
        }),
    );
  }

  clear(): void {
    for (const history of [this.#losses, ...this.#effects]) history.clear();
  }

  /** `rateShare`: the schedule's value at the step that was made. */
  record(steps: number, racers: Racers, rateShare: number): void {
    const losses = runnerIds.map((id) => plottable(racers.get(id)?.loss ?? Number.NaN));
    this.#losses.push(steps, [...losses, rateShare]);
    if (!this.#effects[0].keeps(steps)) return;
    const effects = runnerIds.map((id) => racers.get(id)?.effects() ?? null);
    this.#effects.forEach((history, axis) => {
      history.push(
        steps,
        effects.map((effect) => finiteOrGap(effect?.[axis].step)),
      );
    });
  }

  draw(racers: Racers): void {
    this.#lossChart.draw(this.#losses);
    for (const [axis, chart] of this.#effectCharts.entries()) chart.draw(this.#effects[axis]);
    for (const id of runnerIds) showRunner(id, racers.get(id));
  }
}

function showRunner(id: RunnerId, racer: Racer | undefined): void {
  const effects = racer?.effects();
  showTexts('race', {
    [`${id}-x`]: racer ? formatCoordinate(racer.position[0]) : '–',
    [`${id}-y`]: racer ? formatCoordinate(racer.position[1]) : '–',
    [`${id}-loss`]: racer ? formatLoss(racer.loss) : '–',
    [`${id}-arrival`]: !racer ? '–' : racer.arrivedAt === null ? 'not yet' : `step ${racer.arrivedAt}`,
  });
  for (const [index, axis] of axes.entries()) {
    const effect = effects?.[index];
    showTexts('race', {
      [`${id}-${axis}-moment`]: effect ? formatShort(effect.moment) : '–',
      [`${id}-${axis}-norm`]: effect ? formatShort(effect.norm) : '–',
      [`${id}-${axis}-effect`]: effect ? formatStep(effect.step) : '–',
    });
  }
}

/** What rounds to zero has no sign. */
const formatStep = (step: number) =>
  step
    .toFixed(3)
    .replace(/^-(?=[0.]*$)/, '')
    .replace('-', '−');
const finiteOrGap = (value: number | undefined) =>
  value === undefined || !Number.isFinite(value) ? null : value;
