// Scene 4: the two races of presets.ts beside each other, drawn as the race below draws its own.
import { looksOf } from '../looks.ts';
import type { RunnerId } from '../optimizers.ts';
import { element } from '../page/dom.ts';
import { Disturber } from '../race/gradients.ts';
import { Racer } from '../race/racer.ts';
import { SurfaceView } from '../race/surface-view.ts';
import { showFigures } from './figures.ts';
import { type Preset, presets, raceLink } from './presets.ts';
import { type Played, playScene } from './scene.ts';

const ID = 'story-wins';
const LENGTH = 600;
const who = ['adam', 'adamax'] as const;
const looks = looksOf(who);

export function startWins(): Played {
  const grounds = presets.map((preset) => makeGround(preset, () => played.restart()));
  const played = playScene({
    id: ID,
    length: LENGTH,
    perFrame: 1,
    begin: () => {
      for (const ground of grounds) ground.begin();
    },
    step: () => {
      for (const ground of grounds) ground.step();
    },
    draw: () => {
      for (const ground of grounds) ground.draw();
    },
  });
  return played;
}

function makeGround(preset: Preset, onStart: () => void) {
  const { id, surface, disturbance, amount, rates } = preset;
  const racers = new Map<RunnerId, Racer>();
  let { start } = preset;
  const race = element(`story-${id}-race`, HTMLAnchorElement);
  const view = new SurfaceView(
    element(`story-${id}-map`, HTMLElement),
    element(`story-${id}-ground`, HTMLCanvasElement),
    element(`story-${id}-front`, HTMLCanvasElement),
    () => ({ surface, start, racers, looks }),
    (chosen) => {
      start = chosen;
      race.href = raceLink(preset, start);
      onStart();
    },
  );
  race.href = raceLink(preset, start);
  const draw = () => {
    view.draw();
    for (const [name, { loss, lost, arrivedAt }] of racers)
      showFigures(ID, {
        [`${id}-${name}-loss`]: loss,
        [`${id}-${name}-arrival`]: lost ? 'lost' : arrivedAt === null ? 'not yet' : `step ${arrivedAt}`,
      });
  };
  return {
    begin: () => {
      for (const racer of racers.values()) racer.dispose();
      racers.clear();
      for (const name of who) {
        const settings = { learningRate: rates[name], options: {} };
        racers.set(
          name,
          new Racer(name, surface, start, settings, new Disturber(disturbance, amount, surface)),
        );
      }
    },
    step: () => {
      for (const racer of racers.values()) if (!racer.done) racer.step();
    },
    draw,
  };
}
