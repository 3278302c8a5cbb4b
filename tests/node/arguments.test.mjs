// Arguments of constructors: what is refused, with the right class of error and a message that names the option.
import { before, test } from 'node:test';
import { Adam, Adamax, AdamMultilr, init, LossScaleOptimizer, SparseGradient } from '../../dist/index.js';
import { assertRefused, randomFloats } from './helpers.mjs';

before(() => init());

const sparse = (indices, values) => new SparseGradient({ indices, values });

test('an unknown option is refused, with the nearest name', () => {
  assertRefused(() => new Adam({ learningrate: 0.1 }), TypeError, /learningrate/, /learningRate/);
  assertRefused(() => new Adam({ lr: 0.1 }), TypeError, /'lr'/, /learningRate/);
  assertRefused(() => new Adam({ beta_one: 0.1 }), TypeError, /beta_one/, /beta1/);
  assertRefused(() => new Adam({ weigthDecay: 0.1 }), TypeError, /weigthDecay/, /weightDecay/);
  assertRefused(() => new Adamax({ amsgrad: true }), TypeError, /amsgrad/, /Adamax/);
  assertRefused(() => new AdamMultilr({ patternLr: [] }), TypeError, /patternLr/, /patternLrs/);
  assertRefused(() => Adam.fromConfig({ beta_3: 0.1 }), TypeError, /beta_3/);
});

test('both spellings of one option at once are refused', () => {
  assertRefused(() => new Adam({ beta1: 0.9, beta_1: 0.9 }), TypeError, /beta1/, /beta_1/);
  assertRefused(
    () => Adam.fromConfig({ learning_rate: 1, learningRate: 1 }),
    TypeError,
    /learning_rate/,
    /learningRate/,
  );
});

test('values of the wrong kind or out of range are refused, each with its name', () => {
  const wrongKind = {
    learningRate: ['0.1', true, {}, []],
    beta1: ['0.9', null],
    beta2: [true],
    epsilon: [null, '1e-7'],
    amsgrad: [1, 'yes', null],
    weightDecay: ['x', true],
    clipnorm: ['1'],
    useEma: [1],
    gradientAccumulationSteps: ['2', true],
    name: [5],
  };
  for (const [option, values] of Object.entries(wrongKind)) {
    for (const value of values)
      assertRefused(() => new Adam({ [option]: value }), TypeError, new RegExp(option));
  }
  const outOfRange = {
    learningRate: [Number.NaN, Number.POSITIVE_INFINITY],
    beta1: [-0.1, 1.1, Number.NaN],
    epsilon: [-1, Number.NaN],
    gradientAccumulationSteps: [1, -2, 2.5],
    emaOverwriteFrequency: [-1, 1.5],
    name: ['a/b'],
  };
  for (const [option, values] of Object.entries(outOfRange)) {
    for (const value of values)
      assertRefused(() => new Adam({ [option]: value }), RangeError, new RegExp(option));
  }
  assertRefused(() => new Adam({ useEma: true, emaMomentum: 1.1 }), RangeError, /emaMomentum/, /1\.1/);
  assertRefused(() => new Adam({ clipnorm: 1, clipvalue: 1 }), RangeError, /clipnorm/, /clipvalue/);
  assertRefused(() => new Adam('adam'), TypeError, /"adam"/);
  assertRefused(() => new Adam(0.001), TypeError, /learningRate/);
});

test('pattern lists that cannot be meant are refused', () => {
  const multilr = (patternLrs) => () => new AdamMultilr({ patternLrs });
  assertRefused(multilr('bias'), TypeError, /patternLrs/);
  assertRefused(multilr(null), TypeError, /patternLrs/);
  assertRefused(multilr([{ pattern: ['bias'], lr: 1 }]), TypeError, /pattern/);
  assertRefused(multilr([{ patterns: 'bias', lr: 1 }]), TypeError, /patterns/);
  assertRefused(multilr([{ patterns: ['bias'] }]), TypeError, /lr/);
  assertRefused(multilr([{ patterns: ['['], lr: 1 }]), RangeError, /patterns/, /\[/);
});

test('sparse gradients that make no sense are refused', () => {
  assertRefused(() => sparse([0.5], randomFloats(1, 1)), RangeError, /0\.5/);
  assertRefused(() => sparse([-1], randomFloats(1, 1)), RangeError, /-1/);
  assertRefused(() => sparse('0', randomFloats(1, 1)), TypeError, /indices/);
  assertRefused(() => sparse([0], 'x'), TypeError, /values/);
});

test('options of a LossScaleOptimizer are checked', () => {
  assertRefused(() => new LossScaleOptimizer(), TypeError, /inner/);
  assertRefused(() => new LossScaleOptimizer('adam'), TypeError, /inner/, /"adam"/);
  assertRefused(() => new LossScaleOptimizer(new Adam(), { initialScale: '1' }), TypeError, /initialScale/);
  assertRefused(
    () => new LossScaleOptimizer(new Adam(), { initalScale: 1 }),
    TypeError,
    /initalScale/,
    /initialScale/,
  );
});
