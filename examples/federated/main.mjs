// Federated averaging: clients train for themselves on data of their own, the server takes the mean of their models as a
// pseudo-gradient for Adam (FedAdam: Reddi et al. 2021). In one process; over a network only `round` would be another.
import { Adam, init, SGD } from 'simdescent';

await init();

// Every client sees its own part of the line y = 2x - 1, with a bias of its own.
const clients = [-1, 0, 1].map((place) => {
  const data = Array.from({ length: 20 }, (_, i) => ({
    x: place + i / 20,
    y: 2 * (place + i / 20) - 1 + 0.1 * place,
  }));
  return function train(model, steps) {
    const w = model.slice();
    const optimizer = new SGD({ learningRate: 0.05, momentum: 0.9 });
    for (let k = 0; k < steps; k++) {
      const gradient = new Float32Array(2);
      for (const { x, y } of data) {
        const error = (2 / data.length) * (w[0] * x + w[1] - y);
        gradient[0] += error * x;
        gradient[1] += error;
      }
      optimizer.apply([gradient], [w]);
    }
    optimizer.dispose();
    return w;
  };
});

const server = new Float32Array(2);
const fedAdam = new Adam({ learningRate: 0.1, beta1: 0.9, beta2: 0.99, epsilon: 1e-3 });

function round() {
  const models = clients.map((train) => train(server, 5));
  const pseudoGradient = server.map(
    (w, i) => w - models.reduce((sum, model) => sum + model[i], 0) / models.length,
  );
  fedAdam.apply([pseudoGradient], [server]);
}
for (let k = 0; k < 150; k++) round();
console.log(Math.abs(server[0] - 2) < 0.15, Math.abs(server[1] + 1) < 0.1, fedAdam.iterations); // true true 150
