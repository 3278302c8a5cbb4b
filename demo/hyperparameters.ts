// What may be typed for a hyperparameter, and how far a map goes over it. Which there are the library says: see
// optimizers.ts.
import { makeOptimizer, type RunnerId } from './optimizers.ts';
import { decayRate, epsilon, type NumberKind, rate, weightDecay } from './page/number-field.ts';

const inTheMean = ['beta1', 'beta2', 'rho', 'momentum'];

/** Where the page has no narrower bounds of its own, the library judges. */
export function kindOf(option: string, id: RunnerId): NumberKind {
  if (inTheMean.includes(option)) return decayRate;
  if (option === 'epsilon') return epsilon;
  if (option === 'weightDecay') return weightDecay;
  return { ...rate, problem: (value) => refusal(option, id, value) };
}

function refusal(option: string, id: RunnerId, value: number): string | null {
  try {
    makeOptimizer(id, { options: { [option]: value } }).dispose();
    return null;
  } catch (error) {
    return (error as Error).message.replace(/^.*? must be /, 'Must be ').replace(/, got .*$/, '');
  }
}

export interface MapAxis {
  /** Values of equal cells, rounded so that what is said is what is computed. */
  values(cells: number): number[];
  readonly ticks: readonly { readonly at: number; readonly label: string }[];
}

/** The range that a map goes over; null for what is not measured in powers of ten. */
export function axisOf(option: string): MapAxis | null {
  if (option === 'learningRate') return powers([-4, 0.5], ['0.0001', '0.001', '0.01', '0.1', '1']);
  if (inTheMean.includes(option)) return toOne;
  if (option === 'warmupSteps' || option === 'learningRatePower') return null;
  return powers([-8, 0], ['1e-8', '1e-6', '1e-4', '0.01', '1']);
}

/** Which hyperparameters a map can go over; the first is the usual one. */
export function mappable(options: readonly string[]): string[] {
  const usual = ['beta2', 'rho', 'momentum'].filter((option) => options.includes(option));
  return [...new Set([...usual, ...options])].filter((option) => axisOf(option));
}

/** Powers of ten of the distance to 1. */
const TO_ONE = [0.3, 4.3] as const;
const toOne: MapAxis = {
  values: (cells) =>
    cellsOf([-TO_ONE[0], -TO_ONE[1]], cells).map((distance) => Number((1 - distance).toPrecision(8))),
  ticks: ['0.9', '0.99', '0.999', '0.9999'].map((label) => ({
    at: (-Math.log10(1 - Number(label)) - TO_ONE[0]) / (TO_ONE[1] - TO_ONE[0]),
    label,
  })),
};

function powers(range: readonly [from: number, to: number], labels: readonly string[]): MapAxis {
  return {
    values: (cells) => cellsOf(range, cells),
    ticks: labels.map((label) => ({
      at: (Math.log10(Number(label)) - range[0]) / (range[1] - range[0]),
      label,
    })),
  };
}

/** Powers of ten in the middles of equal cells. */
function cellsOf([from, to]: readonly [number, number], count: number): number[] {
  return Array.from({ length: count }, (_, index) =>
    Number((10 ** (from + ((index + 0.5) / count) * (to - from))).toPrecision(3)),
  );
}
