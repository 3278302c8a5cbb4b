// The parts of TensorFlow.js that the adapter touches, and where to find them. Every copy of tfjs on a page
// shares one engine, kept on the global object: so nothing is imported, and two copies do not matter.

/** A tensor or variable, of whichever copy. */
export interface TfTensor {
  readonly shape: number[];
  readonly dtype: string;
  readonly size: number;
  readonly rank: number;
  dataId: object;
  readonly isDisposed: boolean;
  data(): Promise<ArrayLike<number>>;
  dataSync(): ArrayLike<number>;
  dispose(): void;
}

export interface TfVariable extends TfTensor {
  readonly name: string;
  readonly trainable: boolean;
  assign(value: TfTensor): void;
}

export type TfBackend = object;

export interface TfEngine {
  readonly registeredVariables: Readonly<Record<string, TfVariable>>;
  readonly backend: TfBackend;
  readonly backendName: string;
  makeTensor(values: ArrayLike<number>, shape: readonly number[], dtype: string): TfTensor;
  keep(tensor: TfTensor): TfTensor;
  runKernel(name: string, inputs: Record<string, TfTensor>): TfTensor;
  gradients(
    f: () => TfTensor,
    xs: readonly TfVariable[],
    dy: null,
    allowNoGradients: boolean,
  ): { value: TfTensor; grads: (TfTensor | null)[] };
}

/** The namespace of tfjs, as far as it is wanted: `import * as tf from '@tensorflow/tfjs-core'`. */
export interface TfNamespace {
  /** What holds backends and variables. */
  engine(): unknown;
  /** Where classes are registered for `tf.loadLayersModel`. */
  serialization?: { registerClass(serializable: never): unknown };
}

interface Global {
  _tfengine?: TfEngine;
  window?: { _tfengine?: TfEngine };
}

/** @throws Error if tfjs has not been loaded */
export function tfEngine(tf?: TfNamespace): TfEngine {
  const { _tfengine, window } = globalThis as Global;
  const found = (tf?.engine() as TfEngine | undefined) ?? _tfengine ?? window?._tfengine;
  if (!found)
    throw new Error(
      'simdescent/tfjs found no TensorFlow.js: import @tensorflow/tfjs-core first, or pass it as { tf }.',
    );
  return found;
}

/** As tf.variableGrads: the loss and the gradients by variable name, null for what is not trained. */
export function variableGrads(
  engine: TfEngine,
  f: () => TfTensor,
  list: readonly TfVariable[] = Object.values(engine.registeredVariables),
): { value: TfTensor; grads: Record<string, TfTensor | null> } {
  const trained = list.filter(({ trainable }) => trainable);
  if (trained.length === 0)
    throw new Error(`None of the ${list.length} variables given is trainable: there is nothing to minimize.`);
  const { value, grads } = engine.gradients(f, trained, null, true);
  if (!grads.some(Boolean))
    throw new Error('The loss does not depend on any of the variables: no gradient could be computed.');
  if (value.rank !== 0)
    throw new Error(`The function to minimize must return a scalar, got shape [${value.shape}].`);
  const named: Record<string, TfTensor | null> = {};
  trained.forEach(({ name }, k) => {
    const gradient = grads[k];
    if (gradient) named[name] = gradient;
  });
  for (const { name, trainable } of list) if (!trainable) named[name] = null;
  return { value, grads: named };
}
