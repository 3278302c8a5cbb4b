// The first half of the page: Adam and Adamax race down a surface from one start. It joins the racers, the
// picture, the chart, the controls and the figures; the work of each is in a file of its own.
import { playbackButtons, rateFields, showTexts } from './controls.ts';
import { element, prefersReducedMotion } from './dom.ts';
import { formatCoordinate, formatLoss } from './format.ts';
import { History } from './history.ts';
import { LineChart, plottable } from './line-chart.ts';
import { type OptimizerId, optimizerIds, perOptimizer } from './optimizers.ts';
import { Playback, type PlaybackState } from './playback.ts';
import { Racer } from './racer.ts';
import { type Scene, SurfaceView } from './surface-view.ts';
import { type Point, type Surface, surfaces } from './surfaces.ts';

const MOST_STEPS = 10_000;

export function startRace(): void {
  const rates = rateFields('race', (id, rate) => {
    scene.racers[id].learningRate = rate;
  });
  const newRacer = (id: OptimizerId, surface: Surface, start: Point) =>
    new Racer(id, surface, start, rates[id].rate);
  const [first] = surfaces;
  const scene: Scene = {
    surface: first,
    start: first.start,
    racers: perOptimizer((id) => newRacer(id, first, first.start)),
  };
  const history = new History(optimizerIds.length);
  const chart = new LineChart({
    host: element('race-chart', HTMLElement),
    reading: element('race-reading', HTMLElement),
    title: 'Loss of Adam and Adamax over steps, logarithmic',
    scale: 'logarithmic',
    format: formatLoss,
  });
  const setStart = (start: Point) => {
    scene.start = start;
    playback.restart();
  };
  const map = element('race-map', HTMLElement);
  const view = new SurfaceView(
    map,
    element('race-ground', HTMLCanvasElement),
    element('race-front', HTMLCanvasElement),
    () => scene,
    setStart,
  );
  const record = () => {
    const losses = optimizerIds.map((id) => plottable(scene.racers[id].loss));
    history.push(scene.racers.adam.steps, losses);
  };
  const speed = element('race-speed', HTMLSelectElement);

  const playback = new Playback(
    {
      step: () => {
        for (const id of optimizerIds) scene.racers[id].step();
        record();
        return scene.racers.adam.steps < MOST_STEPS && !optimizerIds.every((id) => scene.racers[id].done);
      },
      reset: () => {
        for (const id of optimizerIds) {
          scene.racers[id].dispose();
          scene.racers[id] = newRacer(id, scene.surface, scene.start);
        }
        history.clear();
        record();
      },
      draw: () => {
        view.draw();
        chart.draw(history);
        showFigures(scene);
      },
      stepsPerFrame: () => Number(speed.value),
      onState: (state) => showTexts('race', { state: stateText(state, scene.racers.adam.steps) }),
    },
    playbackButtons('race'),
  );

  const showSurface = () => {
    showTexts('race', { formula: `f = ${scene.surface.formula}`, note: scene.surface.note });
    view.drawAll();
  };
  const choice = element('race-surface', HTMLSelectElement);
  choice.replaceChildren(...surfaces.map(({ id, label }) => new Option(label, id)));
  choice.addEventListener('change', () => {
    scene.surface = surfaces[choice.selectedIndex];
    showSurface();
    setStart(scene.surface.start);
  });
  map.addEventListener('keydown', (event) => {
    if (event.key !== ' ') return;
    event.preventDefault();
    playback.toggle();
  });

  showSurface();
  playback.restart();
  element('race-controls', HTMLFieldSetElement).disabled = false;
  if (!prefersReducedMotion()) playback.play();
}

function showFigures({ racers, start }: Scene): void {
  showTexts('race', {
    steps: String(racers.adam.steps),
    start: `(${start.map(formatCoordinate).join(', ')})`,
  });
  for (const id of optimizerIds) {
    const { position, loss, arrivedAt } = racers[id];
    showTexts('race', {
      [`${id}-x`]: formatCoordinate(position[0]),
      [`${id}-y`]: formatCoordinate(position[1]),
      [`${id}-loss`]: formatLoss(loss),
      [`${id}-arrival`]: arrivedAt === null ? 'not yet' : `step ${arrivedAt}`,
    });
  }
}

function stateText(state: PlaybackState, steps: number): string {
  if (state === 'ready') return 'Ready at the start';
  if (state === 'playing') return 'Running';
  if (state === 'paused') return `Paused at step ${steps}`;
  return steps < MOST_STEPS ? `Finished after ${steps} steps` : `Stopped after ${steps} steps`;
}
