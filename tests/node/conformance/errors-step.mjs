// What we answer where calls were recorded that step, average or set the learning rate.
import { Adam, LossScaleOptimizer, Optimizer, schedules, Variable } from '../../../dist/index.js';
import { accept, array, differ, refuse } from './errors-vocabulary.mjs';

/** Fresh arrays and optimizer for each call: the setups "a = v(1, 2); b = v(3)". */
const fresh = (use, options) => () => use(new Adam(options), array(1, 2), array(3));
const built = (use, options) => () => {
  const [optimizer, a] = [new Adam(options), array(1, 2)];
  optimizer.build([a]);
  return use(optimizer, a);
};
const builtTwo = (use) => () => {
  const optimizer = new Adam();
  optimizer.build([array(1, 2), array(3)]);
  return use(optimizer);
};
const cosine = () => new schedules.CosineDecay({ initialLearningRate: 0.1, decaySteps: 5 });
const setRate = (options, rate) => () => {
  const optimizer = new Adam(options);
  optimizer.learningRate = rate;
  return optimizer;
};
const step = (options) => fresh((o, a) => o.apply([array(1, 2)], [a]), options);
const ab = 'a = v(1, 2); b = v(3); o = K.Adam()';
const justA = 'a = v(1, 2); o = K.Adam()';
const decayed = { weightDecay: 0.1 };

export const stepAnswers = [
  ['K.Adam().apply([])', accept(() => new Adam().apply([]))],
  ['K.Adam().apply([], [])', accept(() => new Adam().apply([], []))],
  ['K.Adam().apply_gradients([])', refuse(() => new Adam().applyGradients([]), Error, /pairs|gradients/)],
  ['K.Adam().apply([g(1, 2)])', refuse(() => new Adam().apply([array(1, 2)]), Error, /build/)],
  [
    'o = K.Adam(); o.build([v(1, 2), v(3)]) » o.apply([g(1, 2)])',
    refuse(
      builtTwo((o) => o.apply([array(1, 2)])),
      Error,
      /1\b.*\b2\b|2\b.*\b1\b/s,
    ),
  ],
  [
    'o = K.Adam(); o.build([v(1, 2), v(3)]) » o.apply([g(1, 2), g(1)])',
    accept(builtTwo((o) => o.apply([array(1, 2), array(1)]))),
  ],
  [
    'o = K.Adam(); o.build([v(1, 2)]) » o.apply([g(1, 2)], [v(1, 2)])',
    refuse(
      built((o) => o.apply([array(1, 2)], [array(1, 2)])),
      Error,
      /variable/i,
    ),
  ],
  [
    `${ab} » o.apply([g(1, 2)], [a, b])`,
    refuse(
      fresh((o, a, b) => o.apply([array(1, 2)], [a, b])),
      Error,
      /1\b.*2\b|2\b.*1\b/s,
      'Keras’ generic code ignores what is too many',
    ),
  ],
  [
    `${justA} » o.apply([g(1, 2), g(3)], [a])`,
    refuse(
      fresh((o, a) => o.apply([array(1, 2), array(3)], [a])),
      Error,
      /1\b.*2\b|2\b.*1\b/s,
      'Keras’ generic code ignores what is too many',
    ),
  ],
  [
    `${justA} » o.apply([g(1, 2), g(1, 2)], [a, a])`,
    refuse(
      fresh((o, a) => o.apply([array(1, 2), array(1, 2)], [a, a])),
      Error,
      /twice|overlap/,
      'two updates of one variable in one step are surely a mistake',
    ),
  ],
  [
    `${justA} » o.apply([None], [a])`,
    refuse(
      fresh((o, a) => o.apply([null], [a])),
      Error,
      /gradient/i,
    ),
  ],
  [
    `${ab} » o.apply([None, g(1)], [a, b])`,
    accept(
      () => new Adam().apply([null, array(1)], [new Variable([1, 2], { name: 'warned_of' }), array(3)]),
      {
        warns: /warned_of/,
      },
    ),
  ],
  [
    `${justA} » o.apply([g(1, 2, 3)], [a])`,
    refuse(
      fresh((o, a) => o.apply([array(1, 2, 3)], [a])),
      RangeError,
      /3.*2|2.*3/s,
    ),
  ],
  [
    `${justA} » o.apply([g(1)], [a])`,
    refuse(
      fresh((o, a) => o.apply([array(1)], [a])),
      RangeError,
      /1.*2|2.*1/s,
      'a gradient of another size is surely a mistake; nothing is broadcast',
    ),
  ],
  [
    `${justA} » o.apply([g(1, 2)], [a]); float(o.iterations)`,
    accept(
      fresh((o, a) => {
        o.apply([array(1, 2)], [a]);
        return o.iterations;
      }),
    ),
  ],
  [
    'a = v(1, 2); o = K.Adam(gradient_accumulation_steps=3) » float(o.apply_gradients([(g(1, 2), a)]))',
    accept(fresh((o, a) => o.applyGradients([[array(1, 2), a]]), { gradientAccumulationSteps: 3 })),
  ],
  [
    'a = v(1, 2); o = K.Adam(weight_decay=0.1); o.exclude_from_weight_decay(var_list=[a]) » o.apply([g(1, 2)], [a])',
    accept(
      fresh((o, a) => {
        o.excludeFromWeightDecay({ varList: [a] });
        return o.apply([array(1, 2)], [a]);
      }, decayed),
    ),
  ],
  [
    "a = v(1, 2); o = K.Adam(weight_decay='x') » o.apply([g(1, 2)], [a])",
    refuse(step({ weightDecay: 'x' }), TypeError, /weightDecay/),
  ],
  [
    'a = v(1, 2); o = K.Adam(epsilon=None) » o.apply([g(1, 2)], [a])',
    refuse(step({ epsilon: null }), TypeError, /epsilon/),
  ],
  [
    'a = v(1, 2); o = K.Adam(loss_scale_factor=0.0) » o.apply([g(1, 2)], [a])',
    refuse(step({ lossScaleFactor: 0 }), RangeError, /lossScaleFactor/, 'gradients are divided by it'),
  ],
  [
    'o = K.Adam() » o.build([]); o.apply([])',
    accept(() => {
      const optimizer = new Adam();
      optimizer.build([]);
      return optimizer.apply([]);
    }),
  ],
  [
    `${ab} » o.build([a]); o.build([b]); len(o._trainable_variables)`,
    refuse(
      fresh((o, a, b) => {
        o.build([a]);
        o.build([b]);
      }),
      Error,
      /build.*variables\[0\]/,
      'Keras ignores the second list, and its variables are never stepped',
    ),
  ],
  [
    'a = v(1, 2); b = v(3); o = K.Adam(use_ema=True); o.build([a]) » o.finalize_variable_values([a, b])',
    refuse(
      built((o, a) => o.finalizeVariableValues([a, array(3)]), { useEma: true }),
      Error,
      /2.*1|1.*2/s,
    ),
  ],
  [
    'a = v(1, 2); o = K.Adam(use_ema=True) » o.finalize_variable_values([a])',
    refuse(
      fresh((o, a) => o.finalizeVariableValues([a]), { useEma: true }),
      Error,
      /build/,
    ),
  ],
  [`${justA} » o.finalize_variable_values([a])`, accept(fresh((o, a) => o.finalizeVariableValues([a])))],
  [
    'a = v(1, 2); o = K.Optimizer(learning_rate=0.1); o.build([a]) » o.update_step(g(1, 2), a, 0.1)',
    refuse(() => new Optimizer({ learningRate: 0.1 }), TypeError, /Optimizer/),
  ],
  [
    "a = v(1, 2); o = K.Adam(weight_decay=0.1); o.build([a]) » o.exclude_from_weight_decay(var_names=['x'])",
    refuse(
      built((o) => o.excludeFromWeightDecay({ varNames: ['x'] }), decayed),
      Error,
      /build/,
      'Keras documents that it comes before build, but does not check it',
    ),
  ],
  [
    "a = v(1, 2); o = K.Adam(weight_decay=0.1); o.apply([g(1, 2)], [a]) » o.exclude_from_weight_decay(var_names=['x'])",
    refuse(
      fresh((o, a) => {
        o.apply([array(1, 2)], [a]);
        o.excludeFromWeightDecay({ varNames: ['x'] });
      }, decayed),
      Error,
      /build/,
      'Keras documents that it comes before build, but does not check it',
    ),
  ],
  [
    "o = K.Adam(weight_decay=0.1) » o.exclude_from_weight_decay(var_names=['['])",
    refuse(
      fresh((o) => o.excludeFromWeightDecay({ varNames: ['['] }), decayed),
      Error,
      /\[/,
    ),
  ],
  [
    "o = K.Adam(weight_decay=0.1) » o.exclude_from_weight_decay(var_names='bias'); o._use_weight_decay(v(1, 2))",
    refuse(
      fresh((o) => o.excludeFromWeightDecay({ varNames: 'bias' }), decayed),
      TypeError,
      /varNames/,
      'Keras takes the string letter by letter',
    ),
  ],
  [
    "o = K.Adam(weight_decay=0.1) » o.exclude_from_weight_decay(var_names=['bias']); o._use_weight_decay(v(1, 2))",
    accept(
      fresh((o, a) => {
        o.excludeFromWeightDecay({ varNames: ['bias'] });
        o.apply([array(0, 0)], [a]);
        return a[0] < 1; // only decay moves it
      }, decayed),
    ),
  ],
  [
    'o = K.Adam(weight_decay=0.1) » o.exclude_from_weight_decay()',
    accept(fresh((o) => o.excludeFromWeightDecay(), decayed)),
  ],
  ['o = K.Adam(0.1) » o.learning_rate = 0.5', assignment(setRate({ learningRate: 0.1 }, 0.5))],
  ['o = K.Adam(0.1) » o.learning_rate = 1', assignment(setRate({ learningRate: 0.1 }, 1))],
  [
    "o = K.Adam(0.1) » o.learning_rate = '0.1'",
    refuse(setRate({ learningRate: 0.1 }, '0.1'), TypeError, /learningRate/, 'a string is not a rate'),
  ],
  [
    'o = K.Adam(S.CosineDecay(0.1, 5)) » o.learning_rate = 0.5',
    refuse(() => setRate({ learningRate: cosine() }, 0.5)(), Error, /schedule/i),
  ],
  [
    'o = K.Adam(0.1) » o.learning_rate = S.CosineDecay(0.1, 5); len(o.variables)',
    accept(() => setRate({ learningRate: 0.1 }, cosine())().variables.length),
  ],
  [
    'o = K.Adam(lambda: 0.1) » o.learning_rate = 0.5',
    refuse(setRate({ learningRate: () => 0.1 }, 0.5), Error, /learningRate/),
  ],
  [
    'o = K.Adam(0.1) » o.iterations = 5',
    differ(
      fresh((o) => {
        o.iterations = 5;
        return o.iterations;
      }),
      5,
      'the count can be set',
    ),
  ],
  [
    'K.LossScaleOptimizer(K.Adam()).apply([])',
    differ(() => new LossScaleOptimizer(new Adam()).apply([]), null, 'nothing to do, as without the wrapper'),
  ],
  [
    'K.LossScaleOptimizer(K.Adam()).apply([None], [v(1, 2)])',
    refuse(() => new LossScaleOptimizer(new Adam()).apply([null], [array(1, 2)]), Error, /gradient/i),
  ],
];

/** An assignment has no value; it is enough that it was not refused. */
function assignment(run) {
  return accept(() => void run());
}
