// Optimizer configs as they stand in the files of a decade: of Keras before TensorFlow's, of optimizer_v2, of 2.11 to
// 2.15, of tfjs-converter. They become configs of today, or an error that says what to write instead. Only configs are
// read so; options given by hand are not (options.ts).
import { describe, isRecord } from '../basics/errors.js';

type Config = Readonly<Record<string, unknown>>;

/** Keras 3 writes a NumPy number, or array, or a tensor as an object, also within lists. */
function plainNumber(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plainNumber);
  if (!isRecord(value)) return value;
  const { class_name: name, config } = value;
  if ((name === '__numpy__' || name === '__tensor__') && isRecord(config)) {
    const { value: inner } = config;
    return Array.isArray(inner) && inner.length === 1 ? inner[0] : inner;
  }
  return name === undefined || !isRecord(config) ? value : { ...value, config: plainNumbers(config) };
}

const plainNumbers = (config: Config): Record<string, unknown> =>
  Object.fromEntries(Object.entries(config).map(([key, value]) => [key, plainNumber(value)]));

/**
 * @param decays whether the class has the option `decay` itself
 * @throws RangeError for a decay of the learning rate, which only AdamMultilr has
 */
export function modernConfig(className: string, given: Config, decays: boolean): Record<string, unknown> {
  const { lr, ...config } = plainNumbers(given);
  if (className === 'Nadam' && config.schedule_decay !== undefined) {
    config.decay = config.schedule_decay; // as it was called before TensorFlow's Keras
    delete config.schedule_decay;
  }
  if (lr !== undefined) {
    if ('learning_rate' in config || 'learningRate' in config)
      throw new TypeError(`${className}: 'lr' is the old name of 'learning_rate'; the config has both.`);
    config.learning_rate = lr;
  }
  // None stood for the backend's epsilon, and for the class's own name: for the default.
  for (const key of ['epsilon', 'name']) if (config[key] === null) delete config[key];
  if (decays || config.decay === undefined || config.compat === 'tfjs') return config; // tf.train.adamax has one
  const { decay, ...rest } = config;
  if (decay === 0 || decay === null) return rest;
  if (className === 'Nadam')
    throw new RangeError(
      `Nadam: the config's decay ${decay} is that of its momentum, which Keras' Nadam had up to 2.10; today's has ` +
        `another, and other numbers. compat: 'torch' with momentumDecay ${decay} has the old one, or leave it out.`,
    );
  const rate = config.learning_rate ?? config.learningRate ?? 0.001;
  const numbers = `new schedules.InverseTimeDecay({ initialLearningRate: ${rate}, decaySteps: 1, decayRate: ${decay} })`;
  throw new RangeError(
    `${className}: the config's decay ${decay} lowers the learning rate with every step, as Keras' optimizers did up ` +
      `to 2.10; today this is a schedule: give learning_rate ${numbers}, which has the same numbers` +
      `${className === 'Adam' ? ', or use AdamMultilr, which has the option decay' : ''}.`,
  );
}

/** Loss-scaling wrappers of TensorFlow 2.4 to 2.15: with `dynamic`, and before with a scale that is an object. */
export function modernLossScale(given: Config): Record<string, unknown> {
  const { optimizer, loss_scale: scale, dynamic, ...config } = plainNumbers(given);
  if (optimizer !== undefined) config.inner_optimizer = optimizer;
  if (isRecord(scale)) {
    const { initial_loss_scale: initial, increment_period: period } = (scale.config ?? {}) as Config;
    if (initial !== undefined) config.initial_scale = initial;
    if (period !== undefined) config.dynamic_growth_steps = period;
  }
  const isFixed =
    dynamic === false ||
    typeof scale === 'number' ||
    (isRecord(scale) && scale.class_name === 'FixedLossScale');
  if (isFixed) {
    const fixed =
      config.initial_scale ?? (isRecord(scale) ? (scale.config as Config)?.loss_scale_value : scale);
    throw new RangeError(
      `LossScaleOptimizer: the config has a fixed scale (${describe(fixed)}), and this one is dynamic; use the inner ` +
        'optimizer with the option lossScaleFactor.',
    );
  }
  for (const key of ['initial_scale', 'dynamic_growth_steps', 'name'])
    if (config[key] === null) delete config[key];
  return config;
}

/** The serialized optimizer in a model's JSON: of Keras' `.h5` files, and tfjs-converter's model.json. */
export function optimizerWithin(given: Config): unknown {
  const topology = isRecord(given.modelTopology) ? given.modelTopology : given;
  const training = topology.training_config ?? topology.trainingConfig ?? topology;
  return isRecord(training) && isRecord(training.optimizer_config) ? training.optimizer_config : given;
}

/** Names that classes of today had. */
export function modernName(given: string): string {
  if (/^Addons>/.test(given))
    throw new RangeError(
      `'${given}' is TensorFlow Addons', whose decay is not multiplied by the learning rate: no optimizer here is it. ` +
        "Keras' AdamW with weight_decay divided by the learning rate has the same numbers while the rate stays.",
    );
  const name = given.split('>').pop() as string;
  return /^LossScaleOptimizer(V[123])?$/i.test(name) ? 'LossScaleOptimizer' : name;
}
