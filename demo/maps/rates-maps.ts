// The maps of the settings: the loss that one start ends at, over the learning rate and another hyperparameter, one
// optimizer beside another. Choosing a place gives these settings to the runner of the race.
import { axisOf, type MapAxis } from '../hyperparameters.ts';
import { type Runner, symbolOf } from '../optimizers.ts';
import { showTexts } from '../page/controls.ts';
import { element } from '../page/dom.ts';
import { formatShort } from '../page/format.ts';
import type { Race } from '../race/race-panel.ts';
import { type PerSide, perSide, type Side, sides } from '../sides.ts';
import { lossAt } from '../surfaces/surfaces.ts';
import type { RatesJob, RatesPicture } from './job.ts';
import { type Changing, MapPair } from './map-pair.ts';
import { OutcomeMap } from './outcome-map.ts';
import { paintRates } from './paint.ts';
import { tones } from './tones.ts';

const COLUMNS = 144;
const ROWS = 96;
const rateAxis = axisOf('learningRate') as MapAxis;
const rates = rateAxis.values(COLUMNS);
const NO_LOSS = 'lost: its steps grew beyond numbers';

/** `option`: what the map goes over besides the rate. */
type RatesOrder = Pick<RatesJob, 'ground' | 'start' | 'options' | 'option' | 'steps'>;

export function startRates(
  race: Race,
  who: () => PerSide<Runner>,
  orderOf: (side: Side) => RatesOrder,
): Changing {
  const job = (side: Side): RatesJob => {
    const order = orderOf(side);
    // From the top down.
    const values = (axisOf(order.option) as MapAxis).values(ROWS).reverse();
    return { ...order, kind: 'rates', optimizer: who()[side].id, rates, values };
  };
  const pictures: PerSide<RatesPicture | null> = perSide(() => null);
  // What was asked for: the page may show another choice by the time the picture comes.
  const asked = perSide(job);
  const settingsAt = (side: Side, x: number, y: number) => {
    const column = Math.min(COLUMNS - 1, Math.floor(x * COLUMNS));
    const row = Math.min(ROWS - 1, Math.floor((1 - y) * ROWS));
    const { option, values } = asked[side];
    return { learningRate: rates[column], option, value: values[row], index: row * COLUMNS + column };
  };
  const maps = perSide(
    (side) =>
      new OutcomeMap({
        host: element(`rates-${side}`, HTMLElement),
        reading: element(`rates-${side}-reading`, HTMLElement),
        ticks: () => ({ x: rateAxis.ticks, y: (axisOf(asked[side].option) as MapAxis).ticks }),
        mark: () => null,
        describe: (x, y) => {
          const { learningRate, option, value, index } = settingsAt(side, x, y);
          const loss = pictures[side]?.losses[index];
          const end =
            loss === undefined ? '' : `: ${Number.isFinite(loss) ? `loss ${formatShort(loss)}` : NO_LOSS}`;
          return `rate ${learningRate}, ${symbolOf(option)} ${value}${end}`;
        },
        onChoose: (x, y) => {
          const { learningRate, option, value } = settingsAt(side, x, y);
          race.adopt(asked[side].optimizer, learningRate, { [option]: value });
        },
      }),
  );
  const paint = () => {
    // One scale for both, so that they can be compared: from the best few of either to above where they began.
    const range = [
      Math.min(...sides.map((side) => bestFew(pictures[side]))),
      10 * lossAt(race.surface, race.start),
    ] as const;
    for (const side of sides) {
      const picture = pictures[side];
      if (!picture) continue;
      maps[side].show(paintRates(picture, range, tones()));
      const best = lowestAt(picture.losses);
      const { option, values } = asked[side];
      const where = `rate ${rates[best % COLUMNS]}, ${symbolOf(option)} ${values[Math.floor(best / COLUMNS)]}`;
      showTexts('rates', { [`${side}-summary`]: `lowest: ${formatShort(picture.losses[best])} at ${where}` });
    }
  };
  const pair = new MapPair({
    prefix: 'rates',
    job: (side) => {
      asked[side] = job(side);
      pictures[side] = null;
      return asked[side];
    },
    onPicture: (side, { rates: picture }) => {
      if (!picture) return;
      pictures[side] = picture;
      paint();
    },
    repaint: paint,
  });
  return { change: () => pair.change(), redraw: () => sides.forEach((side) => void maps[side].draw()) };
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
