// The basin maps: what becomes of every start of the window, one optimizer beside another. Choosing a place shows the ways
// from there, and offers it as the start of the race.
import type { Look } from '../looks.ts';
import { showTexts } from '../page/controls.ts';
import { element } from '../page/dom.ts';
import { formatPercent, formatPoint } from '../page/format.ts';
import { goTo } from '../page/places.ts';
import type { Race } from '../race/race-panel.ts';
import { type PerSide, perSide, type Side, sides } from '../sides.ts';
import type { Point, Range, Surface } from '../surfaces/surfaces.ts';
import { type BasinJob, type BasinPicture, NEVER, startAt } from './job.ts';
import { type Changing, MapPair } from './map-pair.ts';
import { OutcomeMap, type Tick } from './outcome-map.ts';
import { paintBasin } from './paint.ts';
import { tones } from './tones.ts';
import { shareOf, type Way, walkFrom } from './way.ts';

export function startBasins(
  race: Race,
  surface: () => Surface,
  job: (side: Side) => BasinJob,
  looks: () => PerSide<Look>,
): Changing {
  const pictures: PerSide<{ picture: BasinPicture; surface: Surface } | null> = perSide(() => null);
  const inWindow = (x: number, y: number): Point => [at(surface().x, x), at(surface().y, y)];
  let ways: { start: Point; bySide: PerSide<Way> } | null = null;
  const maps = perSide(
    (side) =>
      new OutcomeMap({
        host: element(`basin-${side}`, HTMLElement),
        reading: element(`basin-${side}-reading`, HTMLElement),
        ticks: () => ({ x: plainTicks(surface().x), y: plainTicks(surface().y) }),
        mark: () => {
          const marked = ways?.start ?? (race.surface === surface() ? race.start : null);
          return marked && inShares(surface(), marked);
        },
        path: () => ways && { points: ways.bySide[side].points, ...looks()[side] },
        describe: (x, y) => {
          const shown = pictures[side];
          if (!shown) return formatPoint(inWindow(x, y));
          const { picture, surface: ground } = shown;
          const { index, middle } = cell(picture, ground, x, y);
          const place = formatPoint(middle);
          const arrival = picture.arrivals[index];
          if (arrival === NEVER) return `${place}: does not arrive`;
          return `${place}: step ${arrival}, at ${formatPoint(ground.minima[picture.reached[index]])}`;
        },
        onChoose: (x, y) => {
          const shown = pictures[side];
          const start = shown ? cell(shown.picture, shown.surface, x, y).middle : inWindow(x, y);
          ways = { start, bySide: perSide((each) => walkFrom(start, surface(), job(each))) };
          showWays();
        },
      }),
  );
  const raceButton = element('basin-race', HTMLButtonElement);
  const showWays = () => {
    const told = ways && sides.map((side) => ways?.bySide[side].told).join('; ');
    showTexts('basin', { walked: ways ? `From ${formatPoint(ways.start)}: ${told}.` : '' });
    raceButton.disabled = !ways;
    for (const side of sides) maps[side].draw();
  };
  raceButton.addEventListener('click', () => {
    if (!ways) return;
    if (race.surface !== surface()) race.chooseSurface(surface().id);
    const { start } = ways;
    for (const side of sides) {
      const { optimizer, learningRate, options } = job(side);
      race.adopt(optimizer, learningRate, options);
    }
    race.setStart(start);
    goTo('race');
  });
  const paint = () => {
    // One scale for both, so that they can be compared: up to when nearly all have arrived.
    const latest = Math.max(1, ...sides.map((side) => nearlyLast(pictures[side]?.picture)));
    for (const side of sides) {
      const shown = pictures[side];
      if (shown) maps[side].show(paintBasin(shown.picture, latest, shown.surface.minima.length, tones()));
    }
    showTexts('basin', { legend: `darkest: step ${latest} or later` });
  };
  // What was asked for: the page may show another surface by the time the picture comes.
  const asked = perSide(surface);
  const pair = new MapPair({
    prefix: 'basin',
    job: (side) => {
      const order = job(side);
      asked[side] = surface();
      return order;
    },
    onPicture: (side, { basin, rough }) => {
      if (!basin) return;
      pictures[side] = { picture: basin, surface: asked[side] };
      paint();
      if (!rough) showTexts('basin', { [`${side}-summary`]: summary(basin) });
    },
    repaint: paint,
  });
  const change = () => {
    // What is said is about the settings that were.
    ways = null;
    showWays();
    showTexts('basin', { legend: '' });
    pair.change();
  };
  return { change, redraw: () => sides.forEach((side) => void maps[side].draw()) };
}

/** The step by which 98 % of those that arrive have arrived. */
function nearlyLast(picture: BasinPicture | undefined): number {
  if (!picture) return 0;
  const counts = new Uint32Array(NEVER + 1);
  for (const step of picture.arrivals) counts[step] += 1;
  const wanted = 0.98 * (picture.arrivals.length - counts[NEVER]);
  let step = 0;
  for (let arrived = counts[0]; arrived < wanted; arrived += counts[step]) step += 1;
  return step;
}

function summary({ arrivals }: BasinPicture): string {
  const arrived = arrivals.filter((step) => step !== NEVER).sort();
  const share = `${formatPercent(arrived.length / arrivals.length)} arrive`;
  return arrived.length === 0 ? share : `${share}, half of them by step ${arrived[arrived.length >> 1]}`;
}

/** The start that stands for a place: its index, and itself, as few digits as tell its float32. */
function cell({ columns, rows }: BasinPicture, surface: Surface, x: number, y: number) {
  const column = Math.min(columns - 1, Math.floor(x * columns));
  const row = Math.min(rows - 1, Math.floor((1 - y) * rows));
  const middle = startAt(surface, (column + 0.5) / columns, (row + 0.5) / rows).map((value) =>
    Number(Math.fround(value).toPrecision(9)),
  );
  return { index: row * columns + column, middle: middle as unknown as Point };
}

function plainTicks([low, high]: Range): Tick[] {
  const first = Math.ceil(low);
  return Array.from({ length: Math.floor(high) - first + 1 }, (_, index) => first + index)
    .filter((value) => high - low < 8 || value % 2 === 0)
    .map((value) => ({ at: (value - low) / (high - low), label: String(value).replace('-', '−') }));
}

const at = ([low, high]: Range, share: number) => low + share * (high - low);
const inShares = ({ x, y }: Surface, point: Point) =>
  [clamped(shareOf(x, point[0])), clamped(shareOf(y, point[1]))] as const;
const clamped = (share: number) => Math.min(1, Math.max(0, share));
