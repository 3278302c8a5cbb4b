// Scene 5: where epsilon stands, for gradients that are about as small as it is.
import { History } from '../page/history.ts';
import { epsilon as epsilonKind, NumberField, rate } from '../page/number-field.ts';
import { curve, sceneChart, showFigures } from './figures.ts';
import { type Played, playScene } from './scene.ts';
import { Walk } from './walk.ts';

const ID = 'story-epsilon';
const LENGTH = 2000;

export function startEpsilon(): Played {
  const size = new NumberField(`${ID}-size`, rate, () => played.restart());
  const epsilon = new NumberField(`${ID}-epsilon`, epsilonKind, () => played.restart());
  const make = () => {
    const options = { epsilon: epsilon.value };
    return {
      hat: new Walk('adam', options),
      paper: new Walk('adam', options, 1, { adaptiveEpsilon: true }),
      adamax: new Walk('adamax', options),
    };
  };
  let walks = make();
  const history = new History(3, LENGTH);
  const chart = sceneChart(ID, 'The step of each in rates, over steps', 'fraction', [
    curve('ε̂', '--run-1'),
    curve('ε', '--run-3'), // where gradients are all the same it lies under Adamax's, and shows in the gaps
    curve('Adamax', '--run-2', [7, 4]),
  ]);
  const played = playScene({
    id: ID,
    length: LENGTH,
    perFrame: 5,
    begin: () => {
      for (const walk of Object.values(walks)) walk.dispose();
      walks = make();
      history.clear();
    },
    step: () => {
      const { hat, paper, adamax } = walks;
      const gradient = Float32Array.of(size.value);
      for (const walk of [hat, paper, adamax]) walk.step(gradient);
      history.push(hat.steps, [hat.length, paper.length, adamax.length]);
    },
    draw: () => {
      const { hat, paper, adamax } = walks;
      chart.draw(history);
      showFigures(ID, {
        'hat-rate': hat.correction,
        'hat-mean': hat.kept('momentum'),
        'hat-root': Math.sqrt(hat.kept('velocity')),
        'hat-step': hat.length,
        epsilon: epsilon.value,
        'paper-mean': paper.mean,
        'paper-root': paper.root,
        'paper-step': paper.length,
        'adamax-step': adamax.length,
      });
    },
  });
  return played;
}
