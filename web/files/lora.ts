// LoRA in files of Keras: the kernel is frozen, and two matrices are trained. A `.keras` file has not got them: Keras saves
// the kernel with their product added, and when it loads a file they are zeros. Here it is the same. A whole-model `.h5`
// has all three.
import type { LayerConfig } from './layers.js';

/** A matrix of a pair, and where its product with the other goes. */
export interface LoraFactor {
  readonly side: 'a' | 'b';
  /** The dataset of the kernel. */
  readonly kernel: string;
  /** What the product is multiplied by: Keras' `lora_alpha / lora_rank`. */
  readonly scale: number;
}

/** What the config of a layer says: null if it has no LoRA. */
export function loraOf({ config = {} }: LayerConfig): { rank: number; scale: number } | null {
  const { lora_rank: rank, lora_alpha: alpha } = config;
  if (typeof rank !== 'number' || !(rank > 0)) return null;
  return { rank, scale: typeof alpha === 'number' ? alpha / rank : 1 };
}

/** The weight that the matrices stand for, which is frozen. */
export const isAdapted = (name: string): boolean => name === 'kernel' || name === 'embeddings';

/** `a` is as the kernel but for its last axis, which is the rank; `b` has the rank and that axis. */
export const shapesOf = (kernel: readonly number[], rank: number) => ({
  a: [...kernel.slice(0, -1), rank],
  b: [rank, kernel[kernel.length - 1]],
});

/** `kernel + scale * a b`, each sum in float64 and rounded once. */
export function withProduct(
  kernel: ArrayLike<number>,
  a: Float32Array,
  b: Float32Array,
  scale: number,
): Float32Array {
  const sum = Float32Array.from(kernel);
  // a is [rows, rank], b is [rank, columns].
  const rank = Math.sqrt((a.length * b.length) / kernel.length);
  const columns = b.length / rank;
  for (let k = 0; k < sum.length; k++) {
    const row = Math.floor(k / columns) * rank;
    let product = 0;
    for (let j = 0; j < rank; j++) product += a[row + j] * b[j * columns + (k % columns)];
    if (product !== 0) sum[k] = kernel[k] + scale * product;
  }
  return sum;
}
