// Logistic regression by hand: the gradients are computed here, in JavaScript, and the optimizer takes the steps.
import { Adam, init, schedules, Variable } from 'simdescent';

await init();

// Two clouds of points in the plane, round (1, 1) and (-1, -1), from a fixed generator.
let seed = 1;
const random = () => {
  seed = (seed * 16807) % 2147483647;
  return seed / 2147483647;
};
const points = Array.from({ length: 400 }, (_, i) => {
  const label = i % 2;
  const center = label ? 1 : -1;
  return { x: [center + 2 * (random() - 0.5), center + 2 * (random() - 0.5)], label };
});

const weights = new Variable(2, { name: 'weights' });
const bias = new Variable(1, { name: 'bias' });
const learningRate = new schedules.CosineDecay({ initialLearningRate: 0.1, decaySteps: 200 });
const optimizer = new Adam({ learningRate, weightDecay: 0.01 });
optimizer.excludeFromWeightDecay({ varNames: ['bias'] });
optimizer.build([weights, bias]);

const predict = ([a, b]) =>
  1 / (1 + Math.exp(-(weights.value[0] * a + weights.value[1] * b + bias.value[0])));

for (let step = 0; step < 200; step++) {
  weights.gradient.fill(0);
  bias.gradient.fill(0);
  for (const { x, label } of points) {
    const error = (predict(x) - label) / points.length;
    weights.gradient[0] += error * x[0];
    weights.gradient[1] += error * x[1];
    bias.gradient[0] += error;
  }
  optimizer.step();
}

const right = points.filter(({ x, label }) => predict(x) > 0.5 === (label === 1)).length;
console.log(right >= 0.99 * points.length, optimizer.iterations); // true 200
