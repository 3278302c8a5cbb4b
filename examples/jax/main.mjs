// jax-js differentiates, one of our optimizers is the gradient transformation: Optax's shape, a cubic fitted to a sine.
import { defaultDevice, init as initJax, numpy as np, tree, valueAndGrad } from '@jax-js/jax';
import { init, Nadam } from 'simdescent';
import { jaxOptimizer } from 'simdescent/jax';

await init();
await initJax('wasm'); // in a page with WebGPU: 'webgpu', and step() works on the GPU in place
defaultDevice('wasm');

const x = np.linspace(-1, 1, 50);
const y = np.sin(x.ref.mul(2));
const loss = ({ a, b }) => {
  const error = x.ref.mul(a).add(x.ref.mul(x.ref).mul(x.ref).mul(b)).sub(y.ref);
  return np.mean(np.square(error));
};

const solver = jaxOptimizer(new Nadam({ learningRate: 0.05 }));
let params = { a: np.array(0), b: np.array(0) };
let state = solver.init(tree.ref(params));
let value;
for (let step = 0; step < 300; step++) {
  const [now, grads] = valueAndGrad(loss)(tree.ref(params));
  value = now.item();
  const [updates, next] = solver.update(grads, state);
  params = tree.map((p, u) => p.add(u), params, updates);
  state = next;
}
console.log(value < 1e-3, solver.optimizer.iterations); // true 300
