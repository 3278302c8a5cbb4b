// Builds the library's objects for a recorded case: optimizers (from arguments or from a config),
// variables (engine-resident or plain arrays), gradients. Everything goes through the public API.
import * as simdescent from '../../../dist/index.js';
import { dialectOf, floats } from './load.mjs';

/** Thrown when the library says that it does not know an option; never for wrong numbers or an absent class. */
export class Unsupported extends Error {}

const UNKNOWN = /unknown|not (yet )?supported|unsupported|not recognized|not implemented/i;

function build(make) {
  try {
    return make();
  } catch (error) {
    if (UNKNOWN.test(error.message)) throw new Unsupported(error.message, { cause: error });
    throw error;
  }
}

function classNamed(name, group = simdescent) {
  const Class = group?.[name];
  if (typeof Class !== 'function') throw new Error(`the library exports no ${name}`);
  return Class;
}

/** A schedule as written in a config: { class_name, config }. */
export function scheduleFrom({ class_name, config }) {
  const Class = classNamed(class_name, simdescent.schedules);
  return build(() => Class.fromConfig(config));
}

/** Constructor arguments as Python would pass them: a schedule is an object there, not its description. */
function argumentsFrom(kwargs) {
  const rate = kwargs.learning_rate;
  return rate && typeof rate === 'object' ? { ...kwargs, learning_rate: scheduleFrom(rate) } : kwargs;
}

/** torch.optim spells the arguments in its own way; `compat: 'torch'` asks for its formulas. */
function fromTorch({ lr, betas, eps, alpha, weight_decay, ...same }, name) {
  const config = { learning_rate: lr, epsilon: eps, compat: 'torch', rho: alpha, ...same };
  if (betas) [config.beta_1, config.beta_2] = betas;
  // Keras' optimizers without decay have none; in PyTorch it is 0.
  config.weight_decay = weight_decay || name === 'AdamW' ? weight_decay : null;
  if (name.startsWith('Adam')) delete config.decoupled_weight_decay; // it is another class: AdamW
  return Object.fromEntries(Object.entries(config).filter(([, value]) => value !== undefined));
}

function described(testCase) {
  const own = testCase.optimizer.replace('torch.optim.', '').replace('NAdam', 'Nadam');
  // In PyTorch, decoupling the decay makes an AdamW of an Adam.
  const name = own === 'Adam' && testCase.config.decoupled_weight_decay ? 'AdamW' : own;
  return dialectOf(testCase) === 'torch'
    ? { name, config: fromTorch(testCase.config, name) }
    : { name, config: testCase.config };
}

function innerOptimizer({ optimizer, kwargs, inner }) {
  const Inner = classNamed(optimizer);
  return build(() => (inner ? new Inner(within({ inner }), kwargs) : new Inner(argumentsFrom(kwargs))));
}

/** What a wrapper takes first: an optimizer, or a map of them. */
function within({ inner }) {
  if (inner.optimizer) return innerOptimizer(inner);
  const map = Object.entries(inner.map).map(([pattern, each]) => [pattern, innerOptimizer(each)]);
  return build(() => new simdescent.OptimizerMap(innerOptimizer(inner.default), Object.fromEntries(map)));
}

/** The optimizer by its constructor, from `kwargs` where the case has them. */
export function constructed(testCase) {
  const { name, config } = described(testCase);
  if (testCase.inner) {
    const inner = within(testCase);
    return build(() => new (classNamed(name))(inner, testCase.kwargs));
  }
  return build(() => new (classNamed(name))(argumentsFrom(testCase.kwargs ?? config)));
}

/** The optimizer by fromConfig of the complete configuration. */
export function configured(testCase) {
  const { name, config } = described(testCase);
  return build(() => classNamed(name).fromConfig(config));
}

/** TensorFlow's name of a variable is its path and ':0'. */
function pathOf(variable) {
  return variable.path ?? variable.tf_name?.replace(/:0$/, '') ?? variable.name;
}

/** An engine-resident variable for each recorded one. */
export function residentVariables(testCase, values) {
  return testCase.variables.map(
    (v, i) =>
      new simdescent.Variable(values?.[i] ?? floats(v.values), {
        name: v.name,
        path: pathOf(v),
        shape: v.shape,
        ...(v.constraint && { constraint: v.constraint }),
      }),
  );
}

/** Plain arrays, except where the case needs a name, a shape or a constraint, which an array cannot have. */
export function plainVariables(testCase) {
  const resident = residentVariables(testCase);
  const hasRows = testCase.steps.some(({ grads }) => grads.some((g) => g?.indices));
  const named =
    hasRows ||
    /AdamMultilr|Adafactor|Muon|MultiOptimizer/.test(JSON.stringify([testCase.optimizer, testCase.config]));
  return testCase.variables.map((v, i) => {
    if (named || v.constraint) return resident[i];
    resident[i].dispose();
    return floats(v.values);
  });
}

/** What excludeFromWeightDecay is told; names are matched here for plain arrays, which have none. */
export function excludeFromDecay(optimizer, testCase, variables) {
  const exclude = testCase.excludeFromWeightDecay;
  if (!exclude) return;
  const { var_list: list = [], var_names: names = [] } = exclude;
  const plain = variables.some((v) => v instanceof Float32Array);
  const chosen = plain
    ? variables.filter((_, i) => {
        const { name } = testCase.variables[i];
        return list.includes(i) || names.some((pattern) => new RegExp(pattern).test(name));
      })
    : list.map((i) => variables[i]);
  optimizer.excludeFromWeightDecay({
    varList: chosen,
    ...(!plain && names.length > 0 && { varNames: names }),
  });
}

/** tf_keras clips the raw rows of a sparse gradient before it sums duplicates; Keras 3 has no such case. */
export function gradientsOf(testCase, { grads }) {
  const clip = dialectOf(testCase) === 'tf-keras' ? { clip: 'rows' } : {};
  return grads.map((g) => {
    if (g === null) return null;
    if (!g.indices) return floats(g);
    return new simdescent.SparseGradient({ indices: g.indices, values: floats(g.values), ...clip });
  });
}

export function valuesOf(variable) {
  return variable instanceof Float32Array ? variable : variable.value;
}
