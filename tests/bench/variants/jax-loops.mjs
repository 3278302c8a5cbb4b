// A training loop of jax-js on its wasm backend, loss and gradients under jit: with Adam written by hand for jit, with
// ours in its place (update and a sum, or applyGradients), and without an update. Each step looks at the loss, which
// computes all that there is.
import * as jax from '@jax-js/jax';
import { Adam } from '../../../dist/index.js';
import { jaxOptimizer } from '../../../dist/jax.js';
import { digits } from '../../node/digits.mjs';
import { weightsOf } from './data.mjs';
import { byHand } from './jax.mjs';

const { nn, numpy: np, tree } = jax;

/** Layers of { w, b }. */
const network = (sizes) =>
  sizes.slice(1).map((units, k) => {
    const scale = Math.sqrt(6 / (sizes[k] + units));
    const w = weightsOf(sizes[k] * units).map((x) => x * scale);
    return { w: np.array(w, { shape: [sizes[k], units] }), b: np.zeros([units]) };
  });

function crossEntropy(params, x, y) {
  const logits = params.reduce((h, { w, b }, k) => np.dot(k ? nn.relu(h) : h, w).add(b), x);
  return np.mean(np.sum(nn.logSoftmax(logits).mul(y), 1)).neg();
}

const lossAndGrads = jax.jit(jax.valueAndGrad(crossEntropy));
const sum = jax.jit((params, updates) => tree.map((p, u) => p.add(u), params, updates));

/** What one step does with the gradients; params, state → params, state. */
const updates = {
  'no update': () => ({
    start: () => null,
    step(params, grads, state) {
      tree.dispose(grads);
      return [params, state];
    },
  }),
  'jit by hand': () => {
    const { init, step } = byHand();
    return { start: init, step };
  },
  'ours, update and a sum in jit': () => {
    const solver = jaxOptimizer(new Adam());
    return {
      start: solver.init,
      step(params, grads, state) {
        const [change, next] = solver.update(grads, state);
        return [sum(params, change), next];
      },
      dispose: () => solver.dispose(),
    };
  },
  'ours, applyGradients': () => {
    const solver = jaxOptimizer(new Adam());
    return {
      start: solver.init,
      step: (params, grads, state) => solver.applyGradients(grads, state, params),
      dispose: () => solver.dispose(),
    };
  },
};

export function jaxLoops({ hidden, steps, batchSize }) {
  const batches = Array.from({ length: steps }, (_, k) => digits(k * batchSize, batchSize));
  return Object.entries(updates).map(([name, make]) => {
    const { start, step, dispose } = make();
    let params = null;
    let state = null;
    const epoch = () => {
      for (const { images, classes } of batches) {
        const x = np.array(images, { shape: [batchSize, 64] });
        const y = np.array(classes, { shape: [batchSize, 10] });
        const [loss, grads] = lossAndGrads(tree.ref(params), x, y);
        [params, state] = step(params, grads, state);
        loss.dataSync();
      }
    };
    return {
      name,
      run: epoch,
      // Anew before each turn: where its arrays happen to lie makes a product of matrices a fifth slower or faster.
      enter() {
        tree.dispose([params, state]);
        params = network([64, ...hidden, 10]);
        state = start(tree.ref(params));
        epoch();
      },
      dispose() {
        tree.dispose([params, state]);
        dispose?.();
      },
    };
  });
}
