// Scene 3: one row of an embedding, whose gradient comes as seldom as its word. Every step is a step of the whole table
// with the gradient of one row.
import { SparseGradient } from 'simdescent';
import { History } from '../page/history.ts';
import { NumberField, rate } from '../page/number-field.ts';
import { uniformNumbers } from '../page/random.ts';
import { curve, sceneChart, showFigures } from './figures.ts';
import { type Played, playScene } from './scene.ts';
import { Walk } from './walk.ts';

const ID = 'story-rare';
const LENGTH = 1500;
const SEED = 5;
const MOST_WORDS = 300;

const words = {
  ...rate,
  problem: (value: number) =>
    Number.isInteger(value) && value >= 1 && value <= MOST_WORDS
      ? null
      : `Not a whole number up to ${MOST_WORDS}`,
  fromSlider: (position: number) => Math.min(MOST_WORDS, Math.round(10 ** position)),
};

export function startRare(): Played {
  const rows = new NumberField(`${ID}-rows`, words, () => played.restart());
  const make = (id: 'adam' | 'adamax') => new Walk(id, {}, rows.value);
  let random = uniformNumbers(SEED);
  let adam = make('adam');
  let adamax = make('adamax');
  let count = 0;
  const history = new History(2);
  const chart = sceneChart(ID, 'Rates walked by the row under each, over steps', 'plain', [
    curve('Adam', '--run-1'),
    curve('Adamax', '--run-2', [7, 4]),
  ]);
  const played = playScene({
    id: ID,
    length: LENGTH,
    perFrame: 3,
    begin: () => {
      adam.dispose();
      adamax.dispose();
      random = uniformNumbers(SEED);
      adam = make('adam');
      adamax = make('adamax');
      count = 0;
      history.clear();
    },
    step: () => {
      const row = Math.floor(random() * rows.value);
      if (row === 0) count += 1;
      const gradient = new SparseGradient({ indices: [row], values: [-1] });
      for (const walk of [adam, adamax]) walk.step(gradient);
      history.push(adam.steps, [adam.position, adamax.position]);
    },
    draw: () => {
      chart.draw(history);
      const worth = (size: number) => (size > 0 ? 1 / size : '–');
      showFigures(ID, {
        'adam-size': adam.root,
        'adam-each': worth(adam.root),
        'adamax-size': adamax.kept('norm'),
        'adamax-each': worth(adamax.kept('norm')),
        count: String(count),
        'adam-walked': adam.position,
        'adamax-walked': adamax.position,
      });
    },
  });
  return played;
}
