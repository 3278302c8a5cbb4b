// What we answer where constructors of Keras' optimizers were recorded, good and bad arguments alike.
import { Adam, Adamax, AdamW, LossScaleOptimizer } from '../../../dist/index.js';
import { accept, differ, outside, refuse } from './errors-vocabulary.mjs';

const adam = (options) => () => new Adam(options);
const scaled = (options) => () => new LossScaleOptimizer(new Adam(), options);
const notANumber = 'NaN is surely a mistake';
const diverges = 'outside [0, 1] an average is none';
const divided = 'gradients are divided by it';
const notOurs = outside('not one of simdescent’s optimizers');

export const constructorAnswers = [
  [
    'K.Adam(learning_rate=1)',
    differ(() => new Adam({ learningRate: 1 }).learningRate, 1, 'JavaScript has one number type'),
  ],
  ["K.Adam(learning_rate='0.1')", refuse(adam({ learningRate: '0.1' }), TypeError, /learningRate/)],
  ['K.Adam(learning_rate=None)', refuse(adam({ learningRate: null }), TypeError, /learningRate/)],
  ['K.Adam(learning_rate=-0.1)', accept(adam({ learningRate: -0.1 }))],
  [
    "K.Adam(learning_rate=float('nan'))",
    refuse(adam({ learningRate: Number.NaN }), RangeError, /learningRate/, notANumber),
  ],
  ['K.Adam(learning_rate=lambda: 0.1)', accept(adam({ learningRate: () => 0.1 }))],
  [
    'K.Adam(0.1, 0.9, 0.999, 1e-7, True).amsgrad',
    accept(() => new Adam({ learningRate: 0.1, beta1: 0.9, epsilon: 1e-7, amsgrad: true }).amsgrad),
  ],
  ['K.Adam(beta_1=1.5)', refuse(adam({ beta1: 1.5 }), RangeError, /beta1/, diverges)],
  ['K.Adam(beta_1=-0.5)', refuse(adam({ beta1: -0.5 }), RangeError, /beta1/, diverges)],
  ['K.Adam(beta_2=1.0)', accept(adam({ beta2: 1 }))],
  [
    'K.Adam(epsilon=-1.0)',
    refuse(adam({ epsilon: -1 }), RangeError, /epsilon/, 'it may make the denominator 0'),
  ],
  [
    'K.Adam(epsilon=None)',
    refuse(adam({ epsilon: null }), TypeError, /epsilon/, 'Keras fails at the first step instead'),
  ],
  ['K.Adam(lr=0.1)', refuse(adam({ lr: 0.1 }), TypeError, /lr/)],
  [
    'K.Adam(decay=0.1)',
    refuse(adam({ decay: 0.1 }), TypeError, /decay/, 'an option that would be ignored is an unknown option'),
  ],
  [
    'K.Adam(decay=None)',
    refuse(adam({ decay: null }), TypeError, /decay/, 'an option that would be ignored is an unknown option'),
  ],
  ['K.Adam(foo=1, bar=2)', refuse(adam({ foo: 1, bar: 2 }), TypeError, /foo/)],
  [
    'K.Adam(jit_compile=True)',
    differ(() => new Adam({ jitCompile: true }).amsgrad, false, 'accepted without effect, for older configs'),
  ],
  [
    'K.Adam(adaptive_epsilon=True)',
    differ(() => new Adam({ adaptiveEpsilon: true }).adaptiveEpsilon, true, 'an option of tf_keras’ Adam'),
  ],
  ['K.Adamax(amsgrad=True)', refuse(() => new Adamax({ amsgrad: true }), TypeError, /amsgrad/)],
  ['K.Adam(clipnorm=1.0, clipvalue=1.0)', refuse(adam({ clipnorm: 1, clipvalue: 1 }), Error, /clip/)],
  [
    'K.Adam(clipnorm=1.0, global_clipnorm=1.0)',
    refuse(adam({ clipnorm: 1, globalClipnorm: 1 }), Error, /clip/),
  ],
  [
    'K.Adam(clipvalue=1.0, global_clipnorm=1.0)',
    refuse(adam({ clipvalue: 1, globalClipnorm: 1 }), Error, /clip/),
  ],
  ['K.Adam(clipnorm=0.0, clipvalue=0.0)', refuse(adam({ clipnorm: 0, clipvalue: 0 }), Error, /clip/)],
  ['K.Adam(clipnorm=-1.0)', accept(adam({ clipnorm: -1 }))],
  ['K.Adam(clipvalue=-1.0)', accept(adam({ clipvalue: -1 }))],
  ['K.Adam(global_clipnorm=0)', accept(adam({ globalClipnorm: 0 }))],
  [
    'K.Adam(gradient_accumulation_steps=1)',
    refuse(adam({ gradientAccumulationSteps: 1 }), RangeError, /gradientAccumulationSteps/),
  ],
  ['K.Adam(gradient_accumulation_steps=0)', accept(adam({ gradientAccumulationSteps: 0 }))],
  [
    'K.Adam(gradient_accumulation_steps=-2)',
    refuse(adam({ gradientAccumulationSteps: -2 }), RangeError, /gradientAccumulationSteps/),
  ],
  [
    'K.Adam(gradient_accumulation_steps=2.5)',
    refuse(
      adam({ gradientAccumulationSteps: 2.5 }),
      RangeError,
      /gradientAccumulationSteps/,
      'half a step cannot be accumulated',
    ),
  ],
  [
    "K.Adam(gradient_accumulation_steps='2')",
    refuse(adam({ gradientAccumulationSteps: '2' }), TypeError, /gradientAccumulationSteps/),
  ],
  [
    'K.Adam(use_ema=True, ema_momentum=1.1)',
    refuse(adam({ useEma: true, emaMomentum: 1.1 }), RangeError, /emaMomentum/),
  ],
  [
    'K.Adam(use_ema=True, ema_momentum=-0.1)',
    refuse(adam({ useEma: true, emaMomentum: -0.1 }), RangeError, /emaMomentum/),
  ],
  ['K.Adam(use_ema=True, ema_momentum=1.0)', accept(adam({ useEma: true, emaMomentum: 1 }))],
  ['K.Adam(use_ema=False, ema_momentum=7.0)', accept(adam({ useEma: false, emaMomentum: 7 }))],
  [
    'K.Adam(use_ema=True, ema_overwrite_frequency=0)',
    accept(adam({ useEma: true, emaOverwriteFrequency: 0 })),
  ],
  [
    'K.Adam(use_ema=True, ema_overwrite_frequency=-1)',
    refuse(adam({ useEma: true, emaOverwriteFrequency: -1 }), RangeError, /emaOverwriteFrequency/),
  ],
  [
    'K.Adam(use_ema=True, ema_overwrite_frequency=1.5)',
    refuse(adam({ useEma: true, emaOverwriteFrequency: 1.5 }), RangeError, /emaOverwriteFrequency/),
  ],
  [
    'K.Adam(use_ema=True, ema_overwrite_frequency=True)',
    refuse(
      adam({ useEma: true, emaOverwriteFrequency: true }),
      TypeError,
      /emaOverwriteFrequency/,
      'true is a number only in Python',
    ),
  ],
  [
    'K.Adam(use_ema=False, ema_overwrite_frequency=-1)',
    refuse(
      adam({ useEma: false, emaOverwriteFrequency: -1 }),
      RangeError,
      /emaOverwriteFrequency/,
      'wrong whether it is used or not',
    ),
  ],
  ['K.Adam(weight_decay=-0.1)', accept(adam({ weightDecay: -0.1 }))],
  [
    "K.Adam(weight_decay='x')",
    refuse(adam({ weightDecay: 'x' }), TypeError, /weightDecay/, 'Keras fails at the first step instead'),
  ],
  [
    'K.Adam(loss_scale_factor=0.0)',
    refuse(adam({ lossScaleFactor: 0 }), RangeError, /lossScaleFactor/, divided),
  ],
  ["K.Adam(name='a/b')", refuse(adam({ name: 'a/b' }), RangeError, /name/)],
  ["K.Adam(name='my adam').name", accept(() => new Adam({ name: 'my adam' }).name)],
  [
    '[K.Adam().name, K.Adam().name, K.Adamax().name]',
    differ(
      () => [new Adam().name, new Adam().name, new Adamax().name],
      ['adam', 'adam', 'adamax'],
      'names come from the class, as up to Keras 3.14; there is no counter for the whole process',
    ),
  ],
  ['K.SGD(momentum=2.0)', notOurs],
  ['K.SGD(momentum=-1.0)', notOurs],
  ["K.SGD(momentum='x')", notOurs],
  ['K.AdamW(weight_decay=None)', refuse(() => new AdamW({ weightDecay: null }), TypeError, /weightDecay/)],
  ['K.Lion(beta_1=0.0)', notOurs],
  ['K.Lion(beta_1=1.5)', notOurs],
  ['K.Ftrl(initial_accumulator_value=-1.0)', notOurs],
  ['K.Ftrl(learning_rate_power=0.5)', notOurs],
  ['K.Ftrl(l1_regularization_strength=-1.0)', notOurs],
  ['K.Adagrad(initial_accumulator_value=-1.0)', notOurs],
  [
    'K.LossScaleOptimizer()',
    refuse(() => new LossScaleOptimizer(), TypeError, /optimizer to wrap.*undefined/),
  ],
  [
    "K.LossScaleOptimizer('adam')",
    refuse(() => new LossScaleOptimizer('adam'), TypeError, /optimizer to wrap.*"adam"/),
  ],
  [
    'K.LossScaleOptimizer(K.Adam(), dynamic=False)',
    refuse(scaled({ dynamic: false }), Error, /dynamic.*lossScaleFactor/s),
  ],
  ['K.LossScaleOptimizer(K.Adam(), dynamic=True)', accept(scaled({ dynamic: true }))],
  ['K.LossScaleOptimizer(K.Adam(), clipnorm=1.0)', refuse(scaled({ clipnorm: 1 }), Error, /clipnorm/)],
  ['K.LossScaleOptimizer(K.Adam(), clipnorm=None)', accept(scaled({ clipnorm: null }))],
  ['K.LossScaleOptimizer(K.Adam(), use_ema=True)', refuse(scaled({ useEma: true }), Error, /useEma/)],
  [
    'K.LossScaleOptimizer(K.Adam(), ema_momentum=0.5)',
    refuse(scaled({ emaMomentum: 0.5 }), Error, /emaMomentum/),
  ],
  [
    'K.LossScaleOptimizer(K.Adam(), gradient_accumulation_steps=2)',
    refuse(scaled({ gradientAccumulationSteps: 2 }), Error, /gradientAccumulationSteps/),
  ],
  ['K.LossScaleOptimizer(K.Adam(), foo=1)', refuse(scaled({ foo: 1 }), TypeError, /foo/)],
  [
    'K.LossScaleOptimizer(K.Adam(), initial_scale=-1.0)',
    refuse(scaled({ initialScale: -1 }), RangeError, /initialScale/, 'it would turn every gradient round'),
  ],
  [
    'K.LossScaleOptimizer(K.Adam(), dynamic_growth_steps=0)',
    refuse(scaled({ dynamicGrowthSteps: 0 }), RangeError, /dynamicGrowthSteps/, 'the scale would never grow'),
  ],
];
