// The basin maps: what becomes of every start of the window, Adam beside Adamax. Choosing a place makes it the
// start of the race.
import { type OptimizerId, optimizerIds, type PerOptimizer, perOptimizer } from '../optimizers.ts';
import { showTexts } from '../page/controls.ts';
import { element } from '../page/dom.ts';
import { formatCoordinate, formatPercent } from '../page/format.ts';
import type { Race } from '../race/race-panel.ts';
import type { Point, Range, Surface } from '../surfaces/surfaces.ts';
import { type BasinJob, type BasinPicture, NEVER } from './job.ts';
import { type Changing, MapPair } from './map-pair.ts';
import { OutcomeMap, type Tick } from './outcome-map.ts';
import { paintBasin } from './paint.ts';
import { tones } from './tones.ts';

export function startBasins(
  race: Race,
  surface: () => Surface,
  job: (id: OptimizerId) => BasinJob,
): Changing {
  const pictures: PerOptimizer<{ picture: BasinPicture; surface: Surface } | null> = {
    adam: null,
    adamax: null,
  };
  const inWindow = (x: number, y: number): Point => [along(surface().x, x), along(surface().y, y)];
  const maps = perOptimizer(
    (id) =>
      new OutcomeMap({
        host: element(`basin-${id}`, HTMLElement),
        reading: element(`basin-${id}-reading`, HTMLElement),
        ticks: () => ({ x: plainTicks(surface().x), y: plainTicks(surface().y) }),
        mark: () =>
          race.surface === surface()
            ? [share(race.surface.x, race.start[0]), share(race.surface.y, race.start[1])]
            : null,
        describe: (x, y) => {
          const shown = pictures[id];
          if (!shown) return `(${inWindow(x, y).map(formatCoordinate).join(', ')})`;
          const { picture, surface: ground } = shown;
          const { index, middle } = cell(picture, x, y);
          const place = `(${inWindow(...middle)
            .map(formatCoordinate)
            .join(', ')})`;
          const arrival = picture.arrivals[index];
          if (arrival === NEVER) return `${place}: does not arrive`;
          const [mx, my] = ground.minima[picture.reached[index]].map(formatCoordinate);
          return `${place}: step ${arrival}, at (${mx}, ${my})`;
        },
        onChoose: (x, y) => {
          const [startX, startY] = inWindow(x, y);
          if (race.surface !== surface()) race.chooseSurface(surface().id);
          race.setStart([Number(startX.toFixed(2)), Number(startY.toFixed(2))]);
        },
      }),
  );
  const paint = () => {
    // One scale for both, so that they can be compared: up to when nearly all have arrived.
    const latest = Math.max(1, ...optimizerIds.map((id) => nearlyLast(pictures[id]?.picture)));
    for (const id of optimizerIds) {
      const shown = pictures[id];
      if (shown) maps[id].show(paintBasin(shown.picture, latest, shown.surface.minima.length, tones()));
    }
    showTexts('basin', { legend: `darkest: step ${latest} or later` });
  };
  // What was asked for: the page may show another surface by the time the picture comes.
  const asked = perOptimizer(surface);
  const pair = new MapPair({
    prefix: 'basin',
    job: (id) => {
      const order = job(id);
      asked[id] = surface();
      return order;
    },
    onPicture: (id, { basin, rough }) => {
      if (!basin) return;
      pictures[id] = { picture: basin, surface: asked[id] };
      paint();
      if (!rough) showTexts('basin', { [`${id}-summary`]: summary(basin) });
    },
    repaint: paint,
  });
  return { change: () => pair.change(), redraw: () => optimizerIds.forEach((id) => void maps[id].draw()) };
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

/** The start that stands for a place: its index, and the middle of its pixel. */
function cell({ columns, rows }: BasinPicture, x: number, y: number) {
  const column = Math.min(columns - 1, Math.floor(x * columns));
  const row = Math.min(rows - 1, Math.floor((1 - y) * rows));
  const middle = [(column + 0.5) / columns, 1 - (row + 0.5) / rows] as const;
  return { index: row * columns + column, middle };
}

function plainTicks([low, high]: Range): Tick[] {
  const first = Math.ceil(low);
  return Array.from({ length: Math.floor(high) - first + 1 }, (_, index) => first + index)
    .filter((value) => high - low < 8 || value % 2 === 0)
    .map((value) => ({ at: (value - low) / (high - low), label: String(value).replace('-', '−') }));
}

const along = ([low, high]: Range, at: number) => low + at * (high - low);
const share = ([low, high]: Range, value: number) => Math.min(1, Math.max(0, (value - low) / (high - low)));
