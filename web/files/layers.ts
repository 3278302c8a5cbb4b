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
const recurrent: LayerKind = { weights: ['kernel', 'recurrent_kernel', 'bias'] };
const separable: LayerKind = { weights: ['depthwise_kernel', 'pointwise_kernel', 'bias'] };

const kinds: Readonly<Record<string, LayerKind>> = {
  Dense: kernelAndBias,
  EinsumDense: kernelAndBias,
  Conv1D: kernelAndBias,
  Conv2D: kernelAndBias,
  Conv3D: kernelAndBias,
  Conv1DTranspose: kernelAndBias,
  Conv2DTranspose: kernelAndBias,
  Conv3DTranspose: kernelAndBias,
  DepthwiseConv1D: kernelAndBias,
  DepthwiseConv2D: kernelAndBias,
  SeparableConv1D: separable,
  SeparableConv2D: separable,
  Embedding: { weights: ['embeddings'] },
  PReLU: { weights: ['alpha'] },
  SimpleRNNCell: recurrent,
  LSTMCell: recurrent,
  GRUCell: recurrent,
  RMSNormalization: { weights: ['scale'] },
  Normalization: { weights: ['mean', 'variance', 'count'], frozen: ['mean', 'variance', 'count'] },
  SpectralNormalization: { weights: ['vector_u'], frozen: ['vector_u'] },
};
const moving = ['moving_mean', 'moving_variance'];

export function kindOf({ class_name: name = '', config = {} }: LayerConfig): LayerKind {
  const affine = [...(config.scale === false ? [] : ['gamma']), ...(config.center === false ? [] : ['beta'])];
  if (name === 'BatchNormalization') return { weights: [...affine, ...moving], frozen: moving };
  if (name === 'LayerNormalization' || name === 'GroupNormalization') return { weights: affine };
  return kinds[name] ?? { weights: [] };
}

const attention = ['query_dense', 'key_dense', 'value_dense', 'output_dense'];
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

/** A class name as Keras' saving writes it into paths: `Conv2DTranspose` is `conv2d_transpose`. */
export function snakeCase(className: string): string {
  return className
    .replace(/\W+/g, '')
    .replace(/(.)([A-Z][a-z]+)/g, '$1_$2')
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .toLowerCase();
}
