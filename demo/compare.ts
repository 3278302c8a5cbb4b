// The figures of docs/optimizers.md: every optimizer on the demo's own surfaces and digits, each at the best rate of a
// grid. `npm run compare` runs it; the page does not use it.
import { BatchStream } from './digits/batches.ts';
import type { Digits } from './digits/digits.ts';
import { initialTensors } from './digits/network.ts';
import { Trainer } from './digits/trainer.ts';
import { type RunnerId, runners } from './optimizers.ts';
import { type Disturbance, Disturber, disturbances } from './race/gradients.ts';
import { ARRIVAL_DISTANCE, Racer } from './race/racer.ts';
import { distanceToMinimum, type Surface, surfaces } from './surfaces/surfaces.ts';

export const STEPS = 2000;
export const STAY = 10;
export const EPOCHS = 10;
export const SEEDS = [1, 2, 3];
const BATCH = 64;
/** Learning rates: three to a decade. */
export const rates = Array.from({ length: 19 }, (_, place) =>
  Number((10 ** (place / 3 - 4.5)).toPrecision(2)),
);

export interface Arrival {
  readonly rate: number;
  /** Null: it did not arrive at any rate. */
  readonly steps: number | null;
}

export interface Learned {
  readonly rate: number;
  readonly loss: number;
  readonly accuracy: number;
  /** At how many of the rates the test accuracy is 90 % or more. */
  readonly goodRates: number;
}

const ravine = surfaces.find(({ id }) => id === 'ravine') as Surface;

export const courses: readonly { label: string; surface: Surface; disturbance: Disturbance }[] = [
  ...surfaces.map((surface) => ({ label: surface.label, surface, disturbance: 'exact' as const })),
  ...(['sparse', 'spikes'] as const).map((disturbance) => ({
    label: `${ravine.label}, ${disturbance}`,
    surface: ravine,
    disturbance,
  })),
];

/** The arrival at a minimum, at the rate where that comes soonest. Who only flies past has not arrived. */
export function arrival(id: RunnerId, { surface, disturbance }: (typeof courses)[number]): Arrival {
  let best: Arrival = { rate: Number.NaN, steps: null };
  for (const rate of rates) {
    const disturber = new Disturber(disturbance, disturbances[disturbance].initial, surface);
    const racer = new Racer(id, surface, surface.start, { learningRate: rate, options: {} }, disturber);
    const steps = settles(racer, surface, best.steps ?? STEPS + 1);
    if (steps !== null) best = { rate, steps };
    racer.dispose();
  }
  return best;
}

/** The first of STAY steps in a row near a minimum, if that comes before `limit`. */
function settles(racer: Racer, surface: Surface, limit: number): number | null {
  for (let near = 0; racer.steps - near < limit && racer.lost === null; ) {
    racer.step();
    near = distanceToMinimum(surface, racer.position) < ARRIVAL_DISTANCE ? near + 1 : 0;
    if (near === STAY) return racer.steps - STAY + 1 < limit ? racer.steps - STAY + 1 : null;
  }
  return null;
}

/** The digits, at the rate with the lowest training loss: the test digits choose nothing. Means over the seeds. */
export function learning(id: RunnerId, training: Digits, test: Digits): Learned {
  const results = rates.map((rate) => {
    const runs = SEEDS.map((seed) => train(id, rate, seed, training, test));
    const mean = (what: 'loss' | 'accuracy') => runs.reduce((sum, run) => sum + run[what], 0) / runs.length;
    return { rate, loss: mean('loss'), accuracy: mean('accuracy') };
  });
  const best = results.filter(({ loss }) => Number.isFinite(loss)).sort((a, b) => a.loss - b.loss)[0];
  return { ...best, goodRates: results.filter(({ accuracy }) => accuracy >= 0.9).length };
}

function train(id: RunnerId, rate: number, seed: number, training: Digits, test: Digits) {
  const trainer = new Trainer(id, initialTensors(seed), rate, test.count);
  const batches = new BatchStream(training, BATCH, seed);
  let [sum, counted] = [0, 0];
  for (let batch = batches.next(); batches.epoch < EPOCHS; batch = batches.next()) {
    trainer.step(batch);
    if (batches.epoch < EPOCHS - 1) continue;
    sum += trainer.loss;
    counted += 1;
  }
  const right = trainer.predict(test).filter((label, index) => label === test.labels[index]).length;
  trainer.dispose();
  return { loss: sum / counted, accuracy: right / test.count };
}

export const ids = [...runners.keys()];
export { init } from 'simdescent';
export { BatchStream } from './digits/batches.ts';
export { splitDigits } from './digits/digits.ts';
export { initialTensors, Network, tensors } from './digits/network.ts';
export { runner } from './optimizers.ts';
export { uniformNumbers } from './page/random.ts';
