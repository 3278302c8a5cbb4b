// The learning-rate schedules that a race can run under: the library's own, all from the runner's rate on.
import { schedules } from 'simdescent';
import type { Settings } from '../optimizers.ts';

export type ScheduleId = 'constant' | 'cosine' | 'warmup' | 'exponential' | 'linear' | 'restarts';
type Rate = Settings['learningRate'];

interface Described {
  readonly label: string;
  /** The schedule's class in `schedules` and its arguments, for a rate and a length; null for a plain number. */
  readonly made: ((rate: number, steps: number) => readonly [ClassName, Record<string, number>]) | null;
}
type ClassName = 'CosineDecay' | 'ExponentialDecay' | 'PolynomialDecay' | 'CosineDecayRestarts';

export const rateSchedules: Record<ScheduleId, Described> = {
  constant: { label: 'constant', made: null },
  cosine: {
    label: 'cosine decay',
    made: (initialLearningRate, decaySteps) => ['CosineDecay', { initialLearningRate, decaySteps }],
  },
  warmup: {
    label: 'warm-up and cosine',
    made: (warmupTarget, steps) => [
      'CosineDecay',
      { initialLearningRate: 0, warmupTarget, warmupSteps: steps / 10, decaySteps: (steps * 9) / 10 },
    ],
  },
  exponential: {
    label: 'exponential decay',
    made: (initialLearningRate, decaySteps) => [
      'ExponentialDecay',
      { initialLearningRate, decaySteps, decayRate: 0.01 },
    ],
  },
  linear: {
    label: 'linear decay',
    made: (initialLearningRate, decaySteps) => [
      'PolynomialDecay',
      { initialLearningRate, decaySteps, endLearningRate: 0 },
    ],
  },
  restarts: {
    label: 'cosine with restarts',
    made: (initialLearningRate, steps) => [
      'CosineDecayRestarts',
      { initialLearningRate, firstDecaySteps: steps / 5 },
    ],
  },
};

export function makeRate(id: ScheduleId, rate: number, steps: number): Rate {
  const made = rateSchedules[id].made?.(rate, steps);
  if (!made) return rate;
  const [className, config] = made;
  // Each entry above gives the arguments that its class needs.
  return new schedules[className](config as never);
}

/** The rate at a step, as a share of the runner's own; null where it is always the same. */
export function rateShare(id: ScheduleId, steps: number): (step: number) => number | null {
  const schedule = makeRate(id, 1, steps);
  return typeof schedule === 'object' && 'at' in schedule ? (step) => schedule.at(step) : () => null;
}

/** The same as a piece of a program. */
export function rateSource(id: ScheduleId, rate: number, steps: number): string {
  const made = rateSchedules[id].made?.(rate, steps);
  if (!made) return String(rate);
  const config = Object.entries(made[1]).map(([key, value]) => `${key}: ${value}`);
  return `new schedules.${made[0]}({ ${config.join(', ')} })`;
}
