// The first part of the page: optimizers race down a surface from one start. It joins the racers, the picture,
// the charts and the controls, and lets the maps below follow its surface and its start.

import type { RunnerId } from '../optimizers.ts';
import { copyText, playbackButtons, showTexts } from '../page/controls.ts';
import { element, prefersReducedMotion, whileOutOfSight } from '../page/dom.ts';
import { formatCoordinate } from '../page/format.ts';
import { currentLink, fromLink, linkChoice, toLink } from '../page/link.ts';
import { NumberField, share } from '../page/number-field.ts';
import { leavePlace } from '../page/places.ts';
import { Playback, type PlaybackState } from '../page/playback.ts';
import type { Point, Surface } from '../surfaces/surfaces.ts';
import { raceProgram } from './code.ts';
import { type Disturbance, Disturber, disturbances } from './gradients.ts';
import { RaceCharts } from './race-charts.ts';
import { Racer } from './racer.ts';
import { rateShare } from './rates.ts';
import { RunnerFields } from './runner-fields.ts';
import { SurfaceChoice } from './surface-choice.ts';
import { SurfaceView } from './surface-view.ts';
import { followWindowMoves } from './window-moves.ts';

const MOST_STEPS = 10_000;

/** What the rest of the page may know and ask of the race. */
export interface Race {
  readonly surface: Surface;
  readonly start: Point;
  chooseSurface(id: string): void;
  setStart(start: Point): void;
  /** A learning rate and other hyperparameters for a runner, who comes if it is not there. */
  adopt(id: RunnerId, learningRate: number, options: Readonly<Record<string, number>>): void;
  /** Stands still while somebody else needs the machine. */
  rest(resting: boolean): void;
  onChange(listener: () => void): void;
}

export function startRace(): Race {
  const listeners: (() => void)[] = [];
  const tell = () => {
    for (const listener of listeners) listener();
  };
  const racers = new Map<RunnerId, Racer>();
  // A race whose settings were changed on the way cannot be repeated from its link.
  let repeatable = true;
  let steps = 0;

  const choice = new SurfaceChoice(() => {
    start = choice.surface.start;
    noteStart();
    showSurface();
    playback.restart();
    tell();
  });
  const fields = new RunnerFields({
    onRate: (id) => {
      racers.get(id)?.change(fields.settings(id));
      repeatable &&= steps === 0;
      showCode();
    },
    onNewRace: () => playback.restart(),
  });
  const gradients = element('race-gradients', HTMLSelectElement);
  gradients.replaceChildren(...Object.entries(disturbances).map(([id, { label }]) => new Option(label, id)));
  linkChoice(gradients, () => {
    amount.value = disturbances[disturbance().kind].initial;
    showAmount();
  });
  const amount = new NumberField('race-amount', share, () => playback.restart());
  const disturbance = () => ({ kind: gradients.value as Disturbance, amount: amount.value });
  const showAmount = () => {
    const { amount: meaning } = disturbances[disturbance().kind];
    showTexts('race', { 'amount-label': meaning });
    amount.disabled = disturbance().kind === 'exact';
  };

  let start = linkedStart() ?? choice.surface.start;
  const noteStart = () => {
    const usual = String(start) === String(choice.surface.start);
    toLink('race-start', usual ? null : start.join(','));
  };
  const setStart = (next: Point) => {
    start = next;
    noteStart();
    playback.restart();
    tell();
  };
  const map = element('race-map', HTMLElement);
  const view = new SurfaceView(
    map,
    element('race-ground', HTMLCanvasElement),
    element('race-front', HTMLCanvasElement),
    () => ({ surface: choice.surface, start, racers, looks: fields.looks }),
    setStart,
    () => choice.window !== null,
  );
  const zoomIn = element('race-zoom-in', HTMLButtonElement);
  const zoomOut = element('race-zoom-out', HTMLButtonElement);
  followWindowMoves({
    map,
    zoomIn,
    zoomOut,
    window: () => choice.window,
    placeAt: (left, top) => view.placeAt(left, top),
    onMove: (window, last) => {
      // Runners that walk to the same minima go on: only the picture is another.
      const others = choice.moveWindow(window, last);
      showSurface();
      if (!last) return;
      noteStart();
      if (others) playback.restart();
      tell();
    },
  });
  const charts = new RaceCharts();
  const speed = element('race-speed', HTMLSelectElement);
  linkChoice(speed, () => {});
  let shareAt = rateShare('constant', 1);
  const record = () => charts.record(steps, racers, shareAt(Math.max(0, steps - 1)));

  const playback = new Playback(
    {
      step: () => {
        for (const racer of racers.values()) racer.step();
        steps += 1;
        record();
        return steps < MOST_STEPS && ![...racers.values()].every(({ done }) => done);
      },
      reset: () => {
        for (const racer of racers.values()) racer.dispose();
        racers.clear();
        const { kind, amount: size } = disturbance();
        for (const id of fields.running) {
          const disturber = new Disturber(kind, size, choice.surface);
          racers.set(id, new Racer(id, choice.surface, start, fields.settings(id), disturber));
        }
        steps = 0;
        repeatable = true;
        shareAt = rateShare(fields.schedule.id, fields.schedule.steps);
        charts.begin(fields.looks);
        showTexts('race', { 'chart-title': shareAt(0) === null ? 'Loss' : 'Loss, over the schedule' });
        record();
        showCode();
      },
      draw: () => {
        view.draw();
        charts.draw(racers);
        showTexts('race', {
          steps: String(steps),
          start: `(${start.map(formatCoordinate).join(', ')})`,
        });
      },
      stepsPerFrame: () => Number(speed.value),
      onState: (state) => {
        showTexts('race', { state: stateText(state, steps) });
        toLink('race-at', state === 'paused' && repeatable ? String(steps) : null);
        if (state !== 'playing') showCode();
      },
    },
    playbackButtons('race'),
  );

  const program = () =>
    raceProgram({
      surface: choice.surface,
      start,
      steps: steps || 1000,
      changed: !repeatable,
      schedule: fields.schedule,
      disturbance: disturbance(),
      runners: fields.running.map((id) => [id, fields.plain(id)]),
    });
  const code = element('race-code', HTMLDetailsElement);
  const showCode = () => {
    if (code.open) showTexts('race', { program: program() });
  };
  code.addEventListener('toggle', showCode);
  // It scrolls: keys must be able to reach it.
  element('race-program-box', HTMLElement).tabIndex = 0;
  const onCopy = (id: string, text: () => string) => {
    const button = element(id, HTMLButtonElement);
    button.addEventListener('click', () => copyText(button, text()));
  };
  onCopy('race-copy-code', program);
  onCopy('race-copy-link', () => {
    // It is about the race, wherever the page was opened.
    leavePlace();
    return currentLink();
  });

  const showSurface = () => {
    showTexts('race', { note: choice.surface.note });
    for (const button of [zoomIn, zoomOut]) button.disabled = choice.window === null;
    view.drawAll();
  };
  map.addEventListener('keydown', (event) => {
    if (event.key !== ' ') return;
    event.preventDefault();
    playback.toggle();
  });

  const panel = element('race', HTMLElement);
  whileOutOfSight(panel, (out) => playback.rest('out of sight', out));

  const at = Number(fromLink('race-at') ?? 0);
  showAmount();
  showSurface();
  playback.restart();
  for (const id of ['race-controls', 'race-playback']) element(id, HTMLFieldSetElement).disabled = false;
  if (at > 0) playback.forward(Math.min(at, MOST_STEPS));
  else if (!prefersReducedMotion()) playback.play();

  return {
    get surface() {
      return choice.surface;
    },
    get start() {
      return start;
    },
    chooseSurface: (id) => choice.choose(id),
    setStart,
    adopt: (id, learningRate, options) => {
      fields.adopt(id, learningRate, options);
      playback.restart();
    },
    rest: (resting) => playback.rest('measuring', resting),
    onChange: (listener) => listeners.push(listener),
  };
}

function linkedStart(): Point | null {
  const [x, y] = (fromLink('race-start') ?? '').split(',').map(Number);
  return Number.isFinite(x) && Number.isFinite(y) && Math.abs(x) < 100 && Math.abs(y) < 100 ? [x, y] : null;
}

function stateText(state: PlaybackState, steps: number): string {
  if (state === 'ready') return 'Ready at the start';
  if (state === 'playing') return 'Running';
  if (state === 'paused') return `Paused at step ${steps}`;
  return steps < MOST_STEPS ? `Finished after ${steps} steps` : `Stopped after ${steps} steps`;
}
