// Adam under jax-js on its wasm backend: as its Optax has it (which is not on the registry), eager and under jit; as
// one would write it by hand for jit; and ours in its place. One array, one gradient. jax-js has no Adamax.
import * as jax from '@jax-js/jax';
import { Adam } from '../../../dist/index.js';
import { jaxOptimizer } from '../../../dist/jax.js';
import { gradientOf, hyper, weightsOf } from './data.mjs';

const { numpy: np, tree } = jax;
const { learningRate, beta1, beta2, epsilon } = hyper;
await jax.init('wasm'); // the one device that Node has beside the interpreter
jax.defaultDevice('wasm');

const moment = (g, m, decay) => g.mul(1 - decay).add(m.mul(decay));

/** 1 / (1 - decay ** count) in the graph, as Optax has it: a number could not be compiled. */
const inGraph = (decay, count) => np.reciprocal(np.subtract(1, np.power(decay, count.astype(np.float32))));

/** The same as a number, as Optax had it before: eagerly, `power` is too inexact near 1 for the check. */
const asNumber = (decay, count) => 1 / (1 - decay ** count.item());

/** scaleByAdam and a constant rate. Every array given is consumed; `ref` keeps one for another use. */
const updateWith =
  (correction) =>
  (g, { count, mu, nu }) => {
    mu = moment(g.ref, mu, beta1);
    nu = moment(g.ref.mul(g), nu, beta2);
    count = count.add(1);
    const m = mu.ref.mul(correction(beta1, count.ref));
    const v = nu.ref.mul(correction(beta2, count.ref));
    return [m.div(np.sqrt(v).add(epsilon)).mul(-learningRate), { count, mu, nu }];
  };

const init = (w) => ({
  count: np.array(0, { dtype: np.uint32 }),
  mu: np.zerosLike(w.ref),
  nu: np.zerosLike(w),
});

const applied = (update) => (w, g, state) => {
  const [updates, next] = update(g, state);
  return [w.add(updates), next];
};

export function jaxEager(n) {
  return variantOf('jax-js', n, init, applied(updateWith(asNumber)));
}

export function jaxJit(n) {
  const step = jax.jit(applied(updateWith(inGraph)));
  return variantOf('jax-js, jit', n, init, step, step);
}

/**
 * Adam for a tree of parameters, as one would write it: both corrections come as arguments, where Optax' graph has a
 * power for each element.
 */
export function byHand() {
  const compiled = jax.jit((params, grads, { mu, nu }, correct1, correct2) => {
    mu = tree.map((g, m) => moment(g.ref, m, beta1), grads, mu);
    nu = tree.map((g, v) => moment(g.ref.mul(g), v, beta2), grads, nu);
    params = tree.map(
      (w, m, v) => {
        const [mean, variance] = [m.ref.mul(correct1.ref), v.ref.mul(correct2.ref)];
        return w.sub(mean.div(np.sqrt(variance).add(epsilon)).mul(learningRate));
      },
      params,
      mu,
      nu,
    );
    return [params, { mu, nu }];
  });
  let t = 0;
  return {
    compiled,
    init: (params) => {
      const zeros = () => tree.map((w) => np.zerosLike(w), tree.ref(params));
      const state = { mu: zeros(), nu: zeros() };
      tree.dispose(params);
      return state;
    },
    step(params, grads, state) {
      t++;
      const corrections = [beta1, beta2].map((beta) => np.array([1 / (1 - beta ** t)]));
      return compiled(params, grads, state, ...corrections);
    },
  };
}

export function jaxByHand(n) {
  const { compiled, init: start, step } = byHand();
  return variantOf('jax-js, jit by hand', n, start, step, compiled);
}

export function oursInJax(n) {
  const solver = jaxOptimizer(new Adam(hyper));
  return variantOf('ours in jax-js', n, solver.init, applied(solver.update), solver);
}

/** @param owner what is disposed at the end, beside the arrays. */
function variantOf(name, n, start, step, owner) {
  let w = np.array(weightsOf(n));
  const g = np.array(gradientOf(n));
  let state = start(w.ref);
  return {
    name,
    run() {
      [w, state] = step(w, g.ref, state);
      // Nothing is computed before somebody looks: one element is looked at, which runs all that it depends on.
      w.ref.slice([0, 1]).dataSync();
    },
    values: () => w.ref.dataSync(),
    dispose() {
      tree.dispose([w, g, state]);
      owner?.dispose();
    },
  };
}
