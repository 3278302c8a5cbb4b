// Scene 1: what Adam and Adamax keep of one parameter whose gradients swing and are noisy.
import { History } from '../page/history.ts';
import { uniformNumbers } from '../page/random.ts';
import { normal } from '../race/gradients.ts';
import { curve, sceneChart, showFigures } from './figures.ts';
import { type Played, playScene } from './scene.ts';
import { Walk } from './walk.ts';

const ID = 'story-kept';
const LENGTH = 360;
const PERIOD = 150;
const SEED = 3;

export function startKept(): Played {
  let random = uniformNumbers(SEED);
  let adam = new Walk('adam');
  let adamax = new Walk('adamax');
  const history = new History(4);
  const chart = sceneChart(
    ID,
    'The gradients, their mean, and how large each finds them, over steps',
    'plain',
    [
      curve('g', '--gradient'),
      curve('m', '--mean', [1, 2]),
      curve('√v', '--run-1'),
      curve('u', '--run-2', [7, 4]),
    ],
  );
  return playScene({
    id: ID,
    length: LENGTH,
    perFrame: 1,
    begin: () => {
      adam.dispose();
      adamax.dispose();
      random = uniformNumbers(SEED);
      adam = new Walk('adam');
      adamax = new Walk('adamax');
      history.clear();
    },
    step: () => {
      const swing = Math.sin((2 * Math.PI * adam.steps) / PERIOD);
      const gradient = Float32Array.of(0.8 * swing + 0.4 * normal(random(), random()));
      for (const walk of [adam, adamax]) walk.step(gradient);
      history.push(adam.steps, [gradient[0], adam.mean, adam.root, adamax.kept('norm')]);
    },
    draw: () => {
      chart.draw(history);
      showFigures(ID, {
        'adam-mean': adam.mean,
        'adam-size': adam.root,
        'adam-step': adam.length,
        'adamax-mean': adamax.mean,
        'adamax-size': adamax.kept('norm'),
        'adamax-step': adamax.length,
      });
    },
  });
}
