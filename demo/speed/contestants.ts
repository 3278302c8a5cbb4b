// Everything that can make a step of Adam or Adamax on one big tensor here, each behind the same three calls.
// All begin with the same parameters and get the same gradient.
import { Adam, Adamax, Variable } from 'simdescent';
import type { ContestantId, Rule } from './job.ts';

export interface Contestant {
  step(): void;
  /** Waits until the steps made are done, where step() does not. */
  settle?(): Promise<void>;
  /** The parameters as they are now. */
  values(): Float32Array | Promise<Float32Array>;
  dispose(): void;
}

export const options = { learningRate: 0.001, beta1: 0.9, beta2: 0.999, epsilon: 1e-7 };
const { learningRate, beta1, beta2, epsilon } = options;
const classes = { adam: Adam, adamax: Adamax };

export const startValues = (size: number) =>
  Float32Array.from({ length: size }, (_, index) => Math.sin(index));
export const gradientValues = (size: number) =>
  Float32Array.from({ length: size }, (_, index) => Math.cos(7 * index));

export const makers: Record<
  Exclude<ContestantId, 'webgpu'>,
  (rule: Rule, size: number) => Promise<Contestant>
> = {
  js: async (rule, size) => plainLoop(rule, size),
  resident,
  threads: resident,
  arrays: async (rule, size) => {
    const [parameters, gradient] = [startValues(size), gradientValues(size)];
    const optimizer = new classes[rule](options);
    optimizer.build([parameters]);
    return {
      step: () => void optimizer.apply([gradient]),
      values: () => parameters,
      dispose: () => optimizer.dispose(),
    };
  },
  'tfjs-wasm': (rule, size) => tensorflow('wasm', rule, size),
  'tfjs-cpu': (rule, size) => tensorflow('cpu', rule, size),
};

/** A Variable that lives in the engine; with threads if the engine was started with them. */
async function resident(rule: Rule, size: number): Promise<Contestant> {
  const variable = new Variable(startValues(size), { name: 'resident' });
  const optimizer = new classes[rule](options);
  optimizer.build([variable]);
  variable.gradient.set(gradientValues(size));
  return {
    step: () => optimizer.step(),
    values: () => variable.value,
    dispose: () => {
      optimizer.dispose();
      variable.dispose();
    },
  };
}

/** What one writes without a library: a loop over four arrays. */
function plainLoop(rule: Rule, size: number): Contestant {
  const [w, g, m, s] = [
    startValues(size),
    gradientValues(size),
    new Float32Array(size),
    new Float32Array(size),
  ];
  const [c1, c2] = [1 - beta1, 1 - beta2];
  let t = 0;
  const adam = () => {
    const alpha = (learningRate * Math.sqrt(1 - beta2 ** t)) / (1 - beta1 ** t);
    for (let i = 0; i < size; i++) {
      m[i] += (g[i] - m[i]) * c1;
      s[i] += (g[i] * g[i] - s[i]) * c2;
      w[i] -= (m[i] * alpha) / (Math.sqrt(s[i]) + epsilon);
    }
  };
  const adamax = () => {
    const rate = learningRate / (1 - beta1 ** t);
    for (let i = 0; i < size; i++) {
      m[i] += (g[i] - m[i]) * c1;
      s[i] = Math.max(beta2 * s[i], Math.abs(g[i]));
      w[i] -= (rate * m[i]) / (s[i] + epsilon);
    }
  };
  const update = rule === 'adam' ? adam : adamax;
  return {
    step: () => {
      t += 1;
      update();
    },
    values: () => w,
    dispose: () => {},
  };
}

async function tensorflow(backend: 'wasm' | 'cpu', rule: Rule, size: number): Promise<Contestant> {
  const { tf, ready } = await import('../page/tensorflow.ts');
  await ready(backend);
  const optimizer = tf.train[rule](learningRate, beta1, beta2, epsilon);
  const variable = tf.variable(tf.tensor1d(startValues(size)), true);
  const gradient = { [variable.name]: tf.tensor1d(gradientValues(size)) };
  return {
    step: () => optimizer.applyGradients(gradient as never),
    values: () => variable.dataSync() as Float32Array,
    dispose: () => {
      optimizer.dispose();
      variable.dispose();
      tf.dispose(gradient);
    },
  };
}
