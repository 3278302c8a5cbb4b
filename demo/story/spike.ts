// Scene 2: one gradient many times too large. Beside each optimizer walks a twin that is spared it, so that what the
// spike has done can be said.
import { History } from '../page/history.ts';
import { decayRate, NumberField, rate } from '../page/number-field.ts';
import { uniformNumbers } from '../page/random.ts';
import { curve, sceneChart, showFigures } from './figures.ts';
import { type Played, playScene } from './scene.ts';
import { Walk } from './walk.ts';

const ID = 'story-spike';
const LENGTH = 3000;
/** The step that the spike comes with. */
export const SPIKE_AT = 300;
const SEED = 5;

const spikeSize = {
  ...rate,
  problem: (value: number) => (value > 0 && value <= 1000 ? null : 'Not from 0 to 1000'),
};

/** The gradient of a step: between 0.5 and 1.5, three times out of four in the spike's direction. */
export function spikyGradients(): () => number {
  const random = uniformNumbers(SEED);
  return () => (random() < 0.75 ? -1 : 1) * (0.5 + random());
}

export function startSpike(): Played {
  const size = new NumberField(`${ID}-size`, spikeSize, () => played.restart());
  const beta2 = new NumberField(`${ID}-beta2`, decayRate, () => played.restart());
  const make = (id: 'adam' | 'adamax') => {
    const options = { beta2: beta2.value };
    return { hit: new Walk(id, options), spared: new Walk(id, options) };
  };
  let next = spikyGradients();
  let adam = make('adam');
  let adamax = make('adamax');
  let before = { v: 0, u: 0 };
  let gradient = 0;
  let forgottenAt: number | null = null;
  /** Where everybody stood when it came. */
  let from: readonly number[] = [];
  const all = () => [adam.hit, adam.spared, adamax.hit, adamax.spared];
  const history = new History(3, LENGTH);
  const chart = sceneChart(
    ID,
    'Sizes of the gradients, and how large each finds them, logarithmic',
    'logarithmic',
    [curve('|g|', '--gradient'), curve('√v', '--run-1'), curve('u', '--run-2', [7, 4])],
  );
  const played = playScene({
    id: ID,
    length: LENGTH,
    perFrame: 6,
    begin: () => {
      for (const walk of all()) walk.dispose();
      next = spikyGradients();
      adam = make('adam');
      adamax = make('adamax');
      before = { v: 0, u: 0 };
      forgottenAt = null;
      from = [];
      history.clear();
    },
    step: () => {
      const usual = next();
      const steps = adam.hit.steps + 1;
      gradient = steps === SPIKE_AT ? -size.value : usual;
      if (steps > 1) before = { v: adam.hit.kept('velocity'), u: adamax.hit.kept('norm') };
      if (steps === SPIKE_AT) from = all().map(({ position }) => position);
      for (const { hit, spared } of [adam, adamax]) {
        hit.step(Float32Array.of(gradient));
        spared.step(Float32Array.of(usual));
      }
      const same = adamax.hit.kept('norm') === adamax.spared.kept('norm');
      if (steps < SPIKE_AT || !same) forgottenAt = null;
      else forgottenAt ??= steps;
      history.push(steps, [Math.abs(gradient), adam.hit.root, adamax.hit.kept('norm')]);
    },
    draw: () => {
      chart.draw(history);
      const [hit, spared, maxHit, maxSpared] = all().map(
        ({ position }, place) => position - (from[place] ?? position),
      );
      showFigures(ID, {
        'v-kept': beta2.value * before.v,
        'v-new': (1 - beta2.value) * gradient ** 2,
        v: adam.hit.kept('velocity'),
        'u-kept': beta2.value * before.u,
        'u-new': Math.abs(gradient),
        u: adamax.hit.kept('norm'),
        'adam-hit': hit,
        'adam-spared': spared,
        'adamax-hit': maxHit,
        'adamax-spared': maxSpared,
        forgotten: forgottenText(forgottenAt, adam.hit.steps),
      });
    },
  });
  return played;
}

function forgottenText(at: number | null, steps: number): string {
  if (steps < SPIKE_AT) return `It comes at step ${SPIKE_AT}.`;
  return at === null ? 'u has not forgotten it yet.' : `u had forgotten it at step ${at}, to the bit.`;
}
