// What a .keras file does not say about Keras' own layers: the names of their weights, which of these are not
// trained, and in which order a layer made them and its parts. From Keras 3; classes that are not here are read
// with numbers as names, and with all weights trained.

export interface LayerConfig {
  readonly class_name?: string;
  readonly config?: Readonly<Record<string, unknown>>;
}

interface LayerKind {
  readonly weights: readonly string[];
  /** Those of `weights` that the optimizer never sees. */
  readonly frozen?: readonly string[];
}

const kernelAndBias: LayerKind = { weights: ['kernel', 'bias'] };
const separable: LayerKind = { weights: ['depthwise_kernel', 'pointwise_kernel', 'bias'] };
const gammaAndBeta = (scale: unknown, center: unknown): string[] => [
  ...(scale === false ? [] : ['gamma']),
  ...(center === false ? [] : ['beta']),
];
const allFrozen = (...weights: string[]): LayerKind => ({ weights, frozen: weights });

const kinds: readonly (readonly [
  name: RegExp,
  kind: LayerKind | ((config: Readonly<Record<string, unknown>>) => LayerKind),
])[] = [
  [/^((Einsum|Ternary)?Dense|(Depthwise)?Conv[12]D|Conv3D|Conv[123]DTranspose)$/, kernelAndBias],
  [/^SeparableConv[12]D$/, separable],
  [/^(LSTM|GRU|SimpleRNN|ConvLSTM[123]D)Cell$/, { weights: ['kernel', 'recurrent_kernel', 'bias'] }],
  [/^Embedding$/, { weights: ['embeddings'] }],
  [/^ReversibleEmbedding$/, { weights: ['embeddings', 'reverse_embeddings'] }],
  [/^PReLU$/, { weights: ['alpha'] }],
  [/^(RMSNormalization|AdditiveAttention)$/, { weights: ['scale'] }],
  [/^GroupNormalization$/, ({ scale, center }) => ({ weights: gammaAndBeta(scale, center) })],
  [
    /^LayerNormalization$/,
    ({ scale, center, rms_scaling }) => ({ weights: rms_scaling ? ['gamma'] : gammaAndBeta(scale, center) }),
  ],
  [
    /^BatchNormalization$/,
    ({ scale, center }) => {
      const frozen = ['moving_mean', 'moving_variance', 'moving_stddev', 'renorm_mean', 'renorm_stddev'];
      return { weights: [...gammaAndBeta(scale, center), ...frozen], frozen };
    },
  ],
  [/^Normalization$/, allFrozen('mean', 'variance', 'count')],
  [/^SpectralNormalization$/, allFrozen('vector_u')],
];

export function kindOf({ class_name: name = '', config = {} }: LayerConfig): LayerKind {
  const kind = kinds.find(([pattern]) => pattern.test(name))?.[1] ?? { weights: [] };
  return typeof kind === 'function' ? kind(config) : kind;
}

const attention = ['query_dense', 'key_dense', 'gate_dense', 'value_dense', 'output_dense'];
const parts: Readonly<Record<string, readonly string[]>> = {
  Bidirectional: ['forward_layer', 'backward_layer'],
  MultiHeadAttention: attention,
  GroupQueryAttention: attention,
};

/** The parts of a layer in the order in which it made them, or null if this is not known. */
export function orderedParts(
  { class_name: name = '' }: LayerConfig,
  keys: readonly string[],
): string[] | null {
  if (keys.length < 2) return [...keys];
  const order = parts[name] ?? [];
  const rank = (key: string) => order.indexOf(key.replace(/^_/, ''));
  return keys.every((key) => rank(key) >= 0) ? [...keys].sort((a, b) => rank(a) - rank(b)) : null;
}

/** The config of a layer's part, as far as its class tells. */
export function partOf({ class_name: name = '', config = {} }: LayerConfig, key: string): LayerConfig {
  const given = config[key] ?? (key.endsWith('_layer') ? config.layer : undefined);
  if (typeof given === 'object' && given !== null) return given as LayerConfig;
  if (key === 'cell') return { class_name: `${name}Cell` };
  return parts[name] === attention ? { class_name: 'EinsumDense' } : {};
}

/** The name that Keras' saving gives a layer in paths: the Python class of `Conv2DTranspose` is `conv2d_transpose`. */
export function groupName({ class_name: name = '' }: LayerConfig): string {
  return (name === 'GroupQueryAttention' ? 'GroupedQueryAttention' : name) // exported under another name
    .replace(/\W+/g, '')
    .replace(/(.)([A-Z][a-z]+)/g, '$1_$2')
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .toLowerCase();
}
