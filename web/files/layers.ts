// What a file does not say about Keras' own layers: the names of their weights, which of these are not trained, in
// which order a layer made them and its parts, and where its config has their constraints. From Keras 3 and its
// ancestors; classes that are not here are read with numbers as names, and which of their weights are trained is told
// by the optimizer's state alone.

import { describe } from '../basics/errors.js';

export interface LayerConfig {
  readonly class_name?: string;
  readonly config?: Readonly<Record<string, unknown>>;
}

interface LayerKind {
  readonly weights: readonly string[];
  /** Those of `weights` that the optimizer never sees. */
  readonly frozen?: readonly string[];
  /** Whether the class is one of Keras'. */
  readonly isKnown?: boolean;
}

/** @throws RangeError for what a config of Keras has nowhere in the place of a layer */
export function checkLayer(what: string, layer: unknown): asserts layer is LayerConfig {
  const isObject = (x: unknown): x is object => typeof x === 'object' && x !== null;
  if (isObject(layer)) {
    const { class_name: name, config }: { class_name?: unknown; config?: unknown } = layer;
    const isName = name === undefined || typeof name === 'string';
    if (isName && (config === undefined || isObject(config))) return;
  }
  throw new RangeError(
    `${what}: in the model's config a layer must be { "class_name": text, "config": { … } }, got ${describe(JSON.stringify(layer))}.`,
  );
}

type Config = Readonly<Record<string, unknown>>;

const kernelAndBias: LayerKind = { weights: ['kernel', 'bias'] };
const separable: LayerKind = { weights: ['depthwise_kernel', 'pointwise_kernel', 'bias'] };
const depthwise: LayerKind = { weights: ['kernel', 'bias'] };
const gammaAndBeta = (scale: unknown, center: unknown): string[] => [
  ...(scale === false ? [] : ['gamma']),
  ...(center === false ? [] : ['beta']),
];
/** Without a config it is not known which of the two a layer has that has one. */
const oneOrTwo = ({ scale, center }: Config, count: number | undefined): string[] =>
  count === undefined || count > 1 ? gammaAndBeta(scale, center) : ['0'].slice(0, count);
const allFrozen = (...weights: string[]): LayerKind => ({ weights, frozen: weights });

// Names without regard to case and underscores: a `.weights.h5` file has only `batch_normalization`.
// Then a layer is also told by how many weights it has.
const kinds: readonly (readonly [
  name: RegExp,
  kind: LayerKind | ((config: Config, count?: number) => LayerKind),
])[] = [
  [/^((Einsum|Ternary)?Dense|Conv[123]D|Conv[123]DTranspose)$/i, kernelAndBias],
  [/^DepthwiseConv[12]D$/i, depthwise],
  [/^SeparableConv[12]D$/i, separable],
  [/^(LSTM|GRU|SimpleRNN|ConvLSTM[123]D)Cell$/i, { weights: ['kernel', 'recurrent_kernel', 'bias'] }],
  [/^Embedding$/i, { weights: ['embeddings'] }],
  [/^ReversibleEmbedding$/i, { weights: ['embeddings', 'reverse_embeddings'] }],
  [/^PReLU$/i, { weights: ['alpha'] }],
  [/^(RMSNormalization|AdditiveAttention|Attention)$/i, { weights: ['scale'] }],
  [/^GroupNormalization$/i, (config, count) => ({ weights: oneOrTwo(config, count) })],
  [
    /^LayerNormalization$/i,
    (config, count) => ({ weights: config.rms_scaling ? ['gamma'] : oneOrTwo(config, count) }),
  ],
  [
    /^(Sync)?BatchNormalization(V[12])?$/i,
    (config, count) => {
      const frozen = ['moving_mean', 'moving_variance', 'moving_stddev', 'renorm_mean', 'renorm_stddev'];
      return { weights: [...oneOrTwo(config, count && count - 2), ...frozen], frozen };
    },
  ],
  [/^Normalization$/i, allFrozen('mean', 'variance', 'count')],
  [/^SpectralNormalization$/i, allFrozen('vector_u', 'sn_u')],
  // Weights of their parts, or none at all.
  [
    /^(Bidirectional|TimeDistributed|RNN|StackedRNNCells|(Conv)?(LSTM|GRU|SimpleRNN)([123]D)?|(MultiHead|Group(ed)?Query)Attention|Sequential|Functional|Model|InputLayer|Dropout|Activation|Flatten|Reshape|\w*Pooling[123]D)$/i,
    { weights: [] },
  ],
];

const plain = (name: string): string => name.replaceAll('_', '').replace(/^.*>/, '');

/** @param count how many weights it has */
export function kindOf({ class_name: name = '', config }: LayerConfig, count = 0): LayerKind {
  const kind = kinds.find(([pattern]) => pattern.test(plain(name)))?.[1];
  if (!kind) return { weights: [], isKnown: false };
  const made = typeof kind === 'function' ? kind(config ?? {}, config ? undefined : count) : kind;
  return { isKnown: true, ...made };
}

/** Whether the class keeps a second copy of the kernel of the layer within, as its first weight. */
export const keepsCopy = ({ class_name: name = '' }: LayerConfig): boolean =>
  plain(name).toLowerCase() === 'spectralnormalization';

const attention = ['query_dense', 'key_dense', 'gate_dense', 'value_dense', 'output_dense'];
const parts: Readonly<Record<string, readonly string[]>> = {
  bidirectional: ['forward_layer', 'backward_layer'],
  multiheadattention: attention,
  groupqueryattention: attention,
  groupedqueryattention: attention,
};
const partsOf = (name: string): readonly string[] => parts[plain(name).toLowerCase()] ?? [];

/** Whether each of its parts can be frozen by itself, which the config does not tell. */
export const hasFreeParts = ({ class_name: name = '' }: LayerConfig): boolean => partsOf(name) === attention;

/** The parts of a layer in the order in which it made them, or null if this is not known. */
export function orderedParts(
  { class_name: name = '' }: LayerConfig,
  keys: readonly string[],
): string[] | null {
  if (keys.length < 2) return [...keys];
  const order = partsOf(name);
  const rank = (key: string) => order.indexOf(key.replace(/^_/, ''));
  return keys.every((key) => rank(key) >= 0) ? [...keys].sort((a, b) => rank(a) - rank(b)) : null;
}

/** The config of a layer's part, as far as its class tells. */
export function partOf({ class_name: name = '', config = {} }: LayerConfig, key: string): LayerConfig {
  const given = config[key] ?? (key.endsWith('_layer') ? config.layer : undefined);
  if (typeof given === 'object' && given !== null) return given as LayerConfig;
  const constraints = Object.fromEntries(
    Object.entries(config).filter(([option]) => /_constraint$/.test(option)),
  );
  if (key === 'cell') return { class_name: `${name}Cell`, config: constraints };
  return partsOf(name) === attention ? { class_name: 'EinsumDense', config: constraints } : {};
}

/** The constraint of a layer's weight as its config has it: `kernel_constraint`, `recurrent_constraint`, … */
export function constraintOf({ config = {} }: LayerConfig, weight: string): unknown {
  const names = [`${weight}_constraint`, `${weight.replace(/_kernel$/, '')}_constraint`];
  // A depthwise layer calls its weight kernel and its constraint depthwise.
  if (weight === 'kernel') names.push('depthwise_constraint');
  return names
    .map((name) => config[name])
    .find((constraint) => constraint !== undefined && constraint !== null);
}

/** The name that Keras' saving gives a layer in paths: the Python class of `Conv2DTranspose` is `conv2d_transpose`. */
export function groupName({ class_name: name = '' }: LayerConfig): string {
  return (name === 'GroupQueryAttention' ? 'GroupedQueryAttention' : name) // exported under another name
    .replace(/^.*>/, '') // the package of a registered class
    .replace(/\W+/g, '')
    .replace(/(.)([A-Z][a-z]+)/g, '$1_$2')
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .toLowerCase();
}
