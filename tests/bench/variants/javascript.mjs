// What one writes without a library: a loop over four Float32Arrays. Numbers are doubles between the loads and
// the stores, as they are in JavaScript when nobody asks for more.
import { gradientOf, hyper, weightsOf } from './data.mjs';

const { learningRate, beta1, beta2, epsilon } = hyper;

function adam(w, g, m, v, t) {
  const alpha = (learningRate * Math.sqrt(1 - beta2 ** t)) / (1 - beta1 ** t);
  const [c1, c2] = [1 - beta1, 1 - beta2];
  for (let i = 0; i < w.length; i++) {
    m[i] += (g[i] - m[i]) * c1;
    v[i] += (g[i] * g[i] - v[i]) * c2;
    w[i] -= (m[i] * alpha) / (Math.sqrt(v[i]) + epsilon);
  }
}

function adamax(w, g, m, u, t) {
  const [c1, bias] = [1 - beta1, 1 - beta1 ** t];
  for (let i = 0; i < w.length; i++) {
    m[i] += (g[i] - m[i]) * c1;
    u[i] = Math.max(beta2 * u[i], Math.abs(g[i]));
    w[i] -= (learningRate * m[i]) / (bias * (u[i] + epsilon));
  }
}

export function loop(rule, n) {
  const [w, g, m, v] = [weightsOf(n), gradientOf(n), new Float32Array(n), new Float32Array(n)];
  const update = { adam, adamax }[rule];
  let t = 0;
  return { name: 'JavaScript loop', run: () => update(w, g, m, v, ++t), values: () => w };
}
