// Every optimizer of the registry in every variant that has an update rule or a formula of its own: what tests that
// are generated run over. `without` says what a variant cannot have.
import {
  Adadelta,
  Adafactor,
  Adagrad,
  Adam,
  Adamax,
  AdamMultilr,
  AdamW,
  Ftrl,
  Lamb,
  Lion,
  Muon,
  Nadam,
  RAdam,
  RMSprop,
  ScheduleFreeAdamW,
  SGD,
} from '../../dist/index.js';

const torch = { compat: 'torch' };
const tfjs = { compat: 'tfjs' };

const variantsOf = (list) =>
  list.flatMap(([Class, ...variants]) =>
    variants.map((options) => {
      const text = Object.entries(options).map(([name, value]) => `${name}: ${JSON.stringify(value)}`);
      return { name: `${Class.name} { ${text.join(', ')} }`, Class, options };
    }),
  );

export const every = variantsOf([
  [SGD, {}, { momentum: 0.9 }, { momentum: 0.9, nesterov: true }],
  [SGD, torch, { ...torch, momentum: 0.9, dampening: 0.1 }, { ...torch, momentum: 0.9, nesterov: true }],
  [SGD, tfjs, { ...tfjs, momentum: 0.9 }, { ...tfjs, momentum: 0.9, nesterov: true }],
  // tf.train subtracts epsilon from the variance: only one this small leaves something to take the root of.
  ...[{}, torch, { ...tfjs, epsilon: 1e-14 }].map((compat) => [
    RMSprop,
    compat,
    { ...compat, momentum: 0.9 },
    { ...compat, centered: true },
    { ...compat, momentum: 0.9, centered: true },
  ]),
  [Adagrad, {}, { ...torch, lrDecay: 0.01 }, { ...tfjs, initialAccumulatorValue: 0.5 }],
  [Adadelta, {}, torch, tfjs],
  [Adam, {}, { amsgrad: true }, { adaptiveEpsilon: true }, torch, { ...torch, amsgrad: true }, tfjs],
  [AdamW, {}, { amsgrad: true }],
  [Adamax, {}, torch, { ...tfjs, decay: 0.1 }],
  [AdamMultilr, {}, { decay: 0.1, patternLrs: [{ patterns: ['bias', '1'], lr: 0.05 }] }],
  [Nadam, {}, torch, { ...torch, decoupledWeightDecay: true, momentumDecay: 0.01 }],
  [RAdam, {}, { decoupledWeightDecay: true, beta2: 0.9 }],
  [Ftrl, {}, { l1RegularizationStrength: 0.01, l2RegularizationStrength: 0.1, beta: 0.1 }],
  [Ftrl, { learningRatePower: -0.7, l2ShrinkageRegularizationStrength: 0.01 }],
  [Lion, {}],
  [ScheduleFreeAdamW, {}, { warmupSteps: 3 }],
  [Lamb, {}],
  [Adafactor, {}, { relativeStep: false, clipThreshold: 0.5 }],
  [Muon, { adamWeightDecay: null }, { adamWeightDecay: null, nesterov: false, rmsRate: null }],
]);

/** Those that go over elements, with state in fewer bits. */
export const stored = every
  .filter(({ Class }) => ![Adafactor, Muon].includes(Class))
  .flatMap(({ name, Class, options }) =>
    ['bfloat16', 'int8'].map((dtype) => ({
      name: `${name}, state of ${dtype}`,
      Class,
      options: { ...options, stateDtype: { dtype, minSize: 0 } },
    })),
  );
