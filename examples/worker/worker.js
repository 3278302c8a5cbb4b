// The worker: the engine, the optimizer and the loop. The loss is the sum of squares.
import { Adam, init } from 'simdescent';

const ready = init();
self.onmessage = async ({ data: { weights, steps } }) => {
  await ready;
  const optimizer = new Adam({ learningRate: 0.1 });
  const gradient = new Float32Array(weights.length);
  for (let step = 1; step <= steps; step++) {
    for (let i = 0; i < weights.length; i++) gradient[i] = 2 * weights[i];
    optimizer.apply([gradient], [weights]);
    if (step % 20 === 0 && step < steps) postMessage({ step });
  }
  postMessage({ step: steps, trained: weights }, [weights.buffer]);
};
