// The maps of the settings: the loss that one start ends at, over the learning rate and β₂, Adam beside Adamax.
// Choosing a place gives these settings to the runner of the race.
import { type OptimizerId, optimizerIds, type PerOptimizer, perOptimizer } from '../optimizers.ts';
import { showTexts } from '../page/controls.ts';
import { element } from '../page/dom.ts';
import { formatShort } from '../page/format.ts';
import type { Race } from '../race/race-panel.ts';
import { lossAt, type Range } from '../surfaces/surfaces.ts';
import type { RatesJob, RatesPicture } from './job.ts';
import { type Changing, MapPair } from './map-pair.ts';
import { OutcomeMap, type Tick } from './outcome-map.ts';
import { paintRates } from './paint.ts';
import { tones } from './tones.ts';

/** The grid of settings: powers of ten of the rate, and of the distance of β₂ to 1. */
const RATES: Range = [-4, 0.5];
const BETAS: Range = [0.3, 4.3];
const COLUMNS = 144;
const ROWS = 96;
const rates = gridOf(RATES, COLUMNS);
/** From the top down. */
const beta2s = gridOf([-BETAS[1], -BETAS[0]], ROWS).map((distance) => Number((1 - distance).toPrecision(8)));

type RatesOrder = Pick<RatesJob, 'ground' | 'start' | 'beta1' | 'steps'>;

export function startRates(race: Race, orderOf: (id: OptimizerId) => RatesOrder): Changing {
  const job = (id: OptimizerId): RatesJob => ({
    ...orderOf(id),
    kind: 'rates',
    optimizer: id,
    rates,
    beta2s,
  });
  const pictures: PerOptimizer<RatesPicture | null> = { adam: null, adamax: null };
  const settingsAt = (x: number, y: number) => {
    const column = Math.min(COLUMNS - 1, Math.floor(x * COLUMNS));
    const row = Math.min(ROWS - 1, Math.floor((1 - y) * ROWS));
    return { learningRate: rates[column], beta2: beta2s[row], index: row * COLUMNS + column };
  };
  const maps = perOptimizer(
    (id) =>
      new OutcomeMap({
        host: element(`rates-${id}`, HTMLElement),
        reading: element(`rates-${id}-reading`, HTMLElement),
        ticks: () => ({ x: powerTicks, y: betaTicks }),
        mark: () => null,
        describe: (x, y) => {
          const { learningRate, beta2, index } = settingsAt(x, y);
          const loss = pictures[id]?.losses[index];
          const end =
            loss === undefined ? '' : `: loss ${Number.isFinite(loss) ? formatShort(loss) : 'lost'}`;
          return `rate ${learningRate}, β₂ ${beta2}${end}`;
        },
        onChoose: (x, y) => {
          const { learningRate, beta2 } = settingsAt(x, y);
          race.adopt(id, learningRate, beta2);
        },
      }),
  );
  const paint = () => {
    // One scale for both, so that they can be compared: from the best few of either to above where they began.
    const range = [
      Math.min(...optimizerIds.map((id) => bestFew(pictures[id]))),
      10 * lossAt(race.surface, race.start),
    ] as const;
    for (const id of optimizerIds) {
      const picture = pictures[id];
      if (!picture) continue;
      maps[id].show(paintRates(picture, range, tones()));
      const best = lowestAt(picture.losses);
      const where = `rate ${rates[best % COLUMNS]}, β₂ ${beta2s[Math.floor(best / COLUMNS)]}`;
      showTexts('rates', { [`${id}-summary`]: `lowest: ${formatShort(picture.losses[best])} at ${where}` });
    }
  };
  const pair = new MapPair({
    prefix: 'rates',
    job,
    onPicture: (id, { rates: picture }) => {
      if (!picture) return;
      pictures[id] = picture;
      paint();
    },
    repaint: paint,
  });
  return { change: () => pair.change(), redraw: () => optimizerIds.forEach((id) => void maps[id].draw()) };
}

/** The loss that one cell in a hundred is below. */
function bestFew(picture: RatesPicture | null): number {
  const known = picture?.losses.filter(Number.isFinite).sort();
  return known?.[Math.floor(known.length / 100)] ?? Number.POSITIVE_INFINITY;
}

function lowestAt(losses: Float64Array): number {
  let best = 0;
  losses.forEach((loss, index) => {
    if (loss < losses[best] || Number.isNaN(losses[best])) best = index;
  });
  return best;
}

/** Powers of ten in the middles of equal cells, rounded so that what is said is what is computed. */
function gridOf([from, to]: Range, count: number): number[] {
  return Array.from({ length: count }, (_, index) =>
    Number((10 ** (from + ((index + 0.5) / count) * (to - from))).toPrecision(3)),
  );
}

const powerTicks: Tick[] = ['0.0001', '0.001', '0.01', '0.1', '1'].map((label) => ({
  at: (Math.log10(Number(label)) - RATES[0]) / (RATES[1] - RATES[0]),
  label,
}));
const betaTicks: Tick[] = ['0.9', '0.99', '0.999', '0.9999'].map((label) => ({
  at: (-Math.log10(1 - Number(label)) - BETAS[0]) / (BETAS[1] - BETAS[0]),
  label,
}));
