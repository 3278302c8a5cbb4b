// What we answer where calls of Keras' learning-rate schedules were recorded.
import { Adam, schedules as S } from '../../../dist/index.js';
import { accept, refuse } from './errors-vocabulary.mjs';

const exponential = (decaySteps) => () =>
  new S.ExponentialDecay({ initialLearningRate: 0.1, decaySteps, decayRate: 0.9 });
const nope = { class_name: 'Nope', config: {} };

export const scheduleAnswers = [
  ['S.ExponentialDecay(0.1, 0, 0.9)', refuse(exponential(0), RangeError, /decaySteps/)],
  ['S.ExponentialDecay(0.1, -5, 0.9)', refuse(exponential(-5), RangeError, /decaySteps/)],
  [
    'S.PolynomialDecay(0.1, 0)',
    refuse(
      () => new S.PolynomialDecay({ initialLearningRate: 0.1, decaySteps: 0 }),
      RangeError,
      /decaySteps/,
    ),
  ],
  [
    'S.InverseTimeDecay(0.1, 0, 0.5)',
    refuse(
      () => new S.InverseTimeDecay({ initialLearningRate: 0.1, decaySteps: 0, decayRate: 0.5 }),
      RangeError,
      /decaySteps/,
    ),
  ],
  [
    'S.CosineDecay(0.1, 0)',
    refuse(() => new S.CosineDecay({ initialLearningRate: 0.1, decaySteps: 0 }), RangeError, /decaySteps/),
  ],
  [
    'S.CosineDecay(0.1, 10, warmup_target=0.05, warmup_steps=-1)',
    accept(
      () =>
        new S.CosineDecay({
          initialLearningRate: 0.1,
          decaySteps: 10,
          warmupTarget: 0.05,
          warmupSteps: -1,
        }),
    ),
  ],
  [
    'float(S.CosineDecay(0.1, 10, warmup_target=0.2)(0))',
    accept(() => new S.CosineDecay({ initialLearningRate: 0.1, decaySteps: 10, warmupTarget: 0.2 }).at(0)),
  ],
  [
    'S.CosineDecayRestarts(0.1, 0)',
    refuse(
      () => new S.CosineDecayRestarts({ initialLearningRate: 0.1, firstDecaySteps: 0 }),
      RangeError,
      /firstDecaySteps/,
    ),
  ],
  [
    'S.PiecewiseConstantDecay([1, 2], [0.1, 0.2])',
    refuse(
      () => new S.PiecewiseConstantDecay({ boundaries: [1, 2], values: [0.1, 0.2] }),
      RangeError,
      /boundaries/,
    ),
  ],
  [
    'S.PiecewiseConstantDecay([], [0.1])(0)',
    refuse(
      () => new S.PiecewiseConstantDecay({ boundaries: [], values: [0.1] }).at(0),
      RangeError,
      /boundaries/,
    ),
  ],
  ['S.LearningRateSchedule()(0)', refuse(() => new S.LearningRateSchedule().at(0), Error, /at\b/)],
  [
    'S.LearningRateSchedule().get_config()',
    refuse(() => new S.LearningRateSchedule().getConfig(), Error, /getConfig/),
  ],
  [
    "S.deserialize({'class_name': 'Nope', 'config': {}})",
    refuse(
      () => Adam.fromConfig({ learning_rate: nope }),
      Error,
      /Nope/,
      'Keras gives the string back, which then fails as a learning rate',
    ),
  ],
  [
    "S.deserialize({'class_name': 'CosineDecay', 'config': {'initial_learning_rate': 0.1, 'decay_steps': 5}}).get_config()",
    accept(() => S.CosineDecay.fromConfig({ initial_learning_rate: 0.1, decay_steps: 5 }).getConfig()),
  ],
];
