// What we answer where calls were recorded that save, load, look up or wrap optimizers.
import { Adam, LossScaleOptimizer, optimizers } from '../../../dist/index.js';
import { accept, array, differ, outside, refuse } from './errors-vocabulary.mjs';

const unbuilt = (use) => () => use(new Adam());
const built = (use) => () => {
  const optimizer = new Adam();
  optimizer.build([array(1, 2)]);
  return use(optimizer);
};
const onBuilt = 'o = K.Adam(); o.build([v(1, 2)])';
const anotherCount = 'a state of another count is surely a mistake; Keras warns or sets a part';

/** What an infinite gradient does to a scale of 4. */
function overflow() {
  const [optimizer, a] = [new LossScaleOptimizer(new Adam(), { initialScale: 4 }), array(1, 2)];
  optimizer.apply([array(Number.POSITIVE_INFINITY, 1)], [a]);
  const named = (name) => optimizer.variables.find(({ path }) => path.endsWith(`/${name}`)).value;
  return [optimizer.iterations, named('dynamic_scale'), named('step_counter')];
}

/** The paths after an explicit build; the recorded ones are of a variable called "var". */
function wrappedPaths() {
  const optimizer = new LossScaleOptimizer(new Adam({ name: 'a' }));
  optimizer.build([array(1, 2)]);
  return optimizer.variables.map(({ path }) => path.replace('variable', 'var'));
}

export const stateAnswers = [
  [
    'o = K.Adam() » o.set_weights([])',
    refuse(
      unbuilt((o) => o.setWeights([])),
      Error,
      /build/,
    ),
  ],
  [
    `${onBuilt} » o.set_weights([])`,
    refuse(
      built((o) => o.setWeights([])),
      RangeError,
      /0.*4|4.*0/s,
      anotherCount,
    ),
  ],
  [
    `${onBuilt} » o.set_weights([np.zeros(3)] * 4)`,
    refuse(
      built((o) => o.setWeights(Array(4).fill(array(0, 0, 0)))),
      Error,
      /iteration|shape|number/,
    ),
  ],
  [
    `${onBuilt} » o.load_own_variables({})`,
    refuse(
      built((o) => o.loadOwnVariables({})),
      RangeError,
      /0.*4|4.*0/s,
      anotherCount,
    ),
  ],
  [
    "o = K.Adam() » o.load_own_variables({'0': np.array(1)})",
    refuse(
      unbuilt((o) => o.loadOwnVariables({ 0: 1 })),
      Error,
      /build|1.*2|2.*1/s,
      anotherCount,
    ),
  ],
  [
    'o = K.Adam() » o.stateless_apply([], [g(1, 2)], [g(1, 2)])',
    refuse(
      unbuilt((o) => o.statelessApply([], [array(1, 2)], [array(1, 2)])),
      Error,
      /build|built/,
    ),
  ],
  [
    `${onBuilt} » o.stateless_apply([], [g(1, 2)], [g(1, 2)])`,
    refuse(
      built((o) => o.statelessApply([], [array(1, 2)], [array(1, 2)])),
      RangeError,
      /0.*4|4.*0/s,
    ),
  ],
  [
    `${onBuilt} » o.stateless_apply(o.variables, [g(1, 2)], [])`,
    refuse(
      built((o) => o.statelessApply(o.getWeights(), [array(1, 2)], [])),
      RangeError,
      /0.*1|1.*0/s,
    ),
  ],
  ["K.get('adam').name", accept(() => optimizers.get('adam').name)],
  ["K.get('ADAM').name", accept(() => optimizers.get('ADAM').name)],
  ["K.get('nope')", refuse(() => optimizers.get('nope'), Error, /nope/)],
  ['K.get(None)', accept(() => optimizers.get(null))],
  ['K.get(5)', refuse(() => optimizers.get(5), TypeError, /5|number/)],
  ['K.get({})', refuse(() => optimizers.get({}), Error, /class_name|className/)],
  [
    "K.get({'class_name': 'Adamax', 'config': {'learning_rate': 0.5}}).get_config()",
    accept(() => optimizers.get({ class_name: 'Adamax', config: { learning_rate: 0.5 } }).getConfig()),
  ],
  [
    "K.get({'class_name': 'Adam', 'config': {'nope': 1}})",
    refuse(() => optimizers.get({ class_name: 'Adam', config: { nope: 1 } }), TypeError, /nope/),
  ],
  ["K.get({'class_name': 'Adam'})", accept(() => optimizers.get({ class_name: 'Adam' }))],
  [
    "K.deserialize({'class_name': 'Nope', 'config': {}})",
    refuse(
      () => optimizers.deserialize({ class_name: 'Nope', config: {} }),
      Error,
      /Nope/,
      'Keras gives the string back instead of an optimizer',
    ),
  ],
  [
    "K.Adam.from_config({'learning_rate': 0.5, 'beta_1': 0.8}).get_config()",
    accept(() => Adam.fromConfig({ learning_rate: 0.5, beta_1: 0.8 }).getConfig()),
  ],
  [
    "K.Adam.from_config({'learning_rate': 1})",
    differ(() => Adam.fromConfig({ learning_rate: 1 }).learningRate, 1, 'JavaScript has one number type'),
  ],
  ['K.legacy.Adam()', outside('there is no legacy name space to refuse')],
  ['sorted(K.serialize(K.Adam()))', accept(() => Object.keys(optimizers.serialize(new Adam())).sort())],
  [
    'o = K.Adam(loss_scale_factor=8.0); K.LossScaleOptimizer(o); o.loss_scale_factor',
    accept(() => {
      const inner = new Adam({ lossScaleFactor: 8 });
      new LossScaleOptimizer(inner);
      return inner.lossScaleFactor;
    }),
  ],
  [
    'float(K.LossScaleOptimizer(K.Adam()).scale_loss(2.0))',
    accept(() => new LossScaleOptimizer(new Adam()).scaleLoss(2)),
  ],
  [
    "a = v(1, 2); o = K.LossScaleOptimizer(K.Adam(), initial_scale=4.0) » o.apply([g(float('inf'), 1)], [a]); [int(o.iterations), float(o.dynamic_scale), int(o.step_counter)]",
    accept(overflow),
  ],
  [
    "K.LossScaleOptimizer(K.Adam(name='a')).get_config()",
    accept(() => new LossScaleOptimizer(new Adam({ name: 'a' })).getConfig()),
  ],
  [
    "o = K.LossScaleOptimizer(K.Adam(name='a')); o.build([v(1, 2)]) » [x.path for x in o.variables]",
    accept(wrappedPaths),
  ],
];
