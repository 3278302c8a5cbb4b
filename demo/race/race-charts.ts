// The race in curves and figures: loss under the schedule, and what each optimizer makes of x and of y, that is,
// how far it walks in units of its learning rate. A curve belongs to a look; who has that look may change.
import { type Look, looks } from '../looks.ts';
import { type RunnerId, runner } from '../optimizers.ts';
import { showTexts } from '../page/controls.ts';
import { element, fromTemplate } from '../page/dom.ts';
import { formatCoordinate, formatLoss, formatShort } from '../page/format.ts';
import { History } from '../page/history.ts';
import { LineChart, plottable } from '../page/line-chart.ts';
import type { Racer } from './racer.ts';

type Racers = ReadonlyMap<RunnerId, Racer>;
const axes = ['x', 'y'] as const;

export class RaceCharts {
  #holders: readonly (RunnerId | undefined)[] = [];
  readonly #losses = new History(looks.length + 1);
  readonly #effects = axes.map(() => new History(looks.length));
  readonly #lossChart: LineChart;
  readonly #effectCharts: LineChart[];

  constructor() {
    const curves = looks.map((look, place) => ({
      ...look,
      name: () => runner(this.#holders[place] as RunnerId).name,
    }));
    this.#lossChart = new LineChart({
      host: element('race-chart', HTMLElement),
      reading: element('race-reading', HTMLElement),
      title: 'Loss of each runner over steps, logarithmic, and the schedule of the learning rate',
      curves: [...curves, { name: () => 'rate', color: '--muted', dash: [], ground: true }],
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

  /** Begins anew, for these runners. */
  begin(lineUp: ReadonlyMap<RunnerId, Look>): void {
    const holders = new Map([...lineUp].map(([id, { number }]) => [number, id]));
    this.#holders = looks.map(({ number }) => holders.get(number));
    for (const history of [this.#losses, ...this.#effects]) history.clear();
    for (const part of ['standing', 'effects']) {
      const rows = [...lineUp].map(([id, { number }]) =>
        fromTemplate(`race-${part}-row`, { id, name: runner(id).name, look: String(number) }),
      );
      element(`race-${part}`, HTMLElement).replaceChildren(...rows);
    }
  }

  /** `rateShare`: the schedule's value at the step that was made, null for a constant one. */
  record(steps: number, racers: Racers, rateShare: number | null): void {
    const holders = this.#holders.map((id) => (id === undefined ? undefined : racers.get(id)));
    const losses = holders.map((racer) => plottable(racer?.loss ?? Number.NaN));
    this.#losses.push(steps, [...losses, rateShare]);
    if (!this.#effects[0].keeps(steps)) return;
    const effects = holders.map((racer) => racer?.effects() ?? null);
    this.#effects.forEach((history, axis) => {
      history.push(
        steps,
        effects.map((effect) => finiteOrGap(effect?.[axis])),
      );
    });
  }

  draw(racers: Racers): void {
    this.#lossChart.draw(this.#losses);
    for (const [axis, chart] of this.#effectCharts.entries()) chart.draw(this.#effects[axis]);
    for (const [id, racer] of racers) showRunner(id, racer);
    const lost = [...racers].flatMap(([id, { lost }]) =>
      lost ? `${runner(id).name} is lost: ${lost}.` : [],
    );
    showTexts('race', { lost: lost.join(' ') });
  }
}

function showRunner(id: RunnerId, racer: Racer): void {
  const [x, y] = racer.position;
  showTexts('race', {
    [`${id}-x`]: formatCoordinate(x),
    [`${id}-y`]: formatCoordinate(y),
    [`${id}-loss`]: formatLoss(racer.loss),
    [`${id}-arrival`]: racer.lost ? 'lost' : racer.arrivedAt === null ? 'not yet' : `step ${racer.arrivedAt}`,
  });
  const effects = racer.effects();
  const kept = racer.kept();
  for (const [index, axis] of axes.entries()) {
    const texts = kept.map(([name, values]) => `${name.replaceAll('_', ' ')} ${formatShort(values[index])}`);
    showTexts('race', {
      [`${id}-${axis}-kept`]: texts.join(', ') || 'nothing',
      [`${id}-${axis}-effect`]: effects ? formatStep(effects[index]) : '',
    });
  }
}

/** What rounds to zero has no sign; without a learning rate there is no quotient. */
const formatStep = (step: number) =>
  Number.isNaN(step)
    ? 'rate 0'
    : step
        .toFixed(3)
        .replace(/^-(?=[0.]*$)/, '')
        .replace('-', '−');
const finiteOrGap = (value: number | undefined) =>
  value === undefined || !Number.isFinite(value) ? null : value;
