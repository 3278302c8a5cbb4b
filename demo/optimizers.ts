// The optimizers that the page compares: every one that the package exports and that walks by gradients alone, and
// a few that options make of these. What the page adds is here: names of variants, rates to begin with, and which
// look each prefers. Hyperparameters and their defaults are the library's own.

import type { LearningRate, Optimizer } from 'simdescent';
import * as simdescent from 'simdescent';

export type RunnerId = string;
/** A learning rate, and hyperparameters by their names. */
export interface Settings {
  readonly learningRate: LearningRate;
  readonly options: Readonly<Record<string, number>>;
}

type OptimizerClass = { className: string; new (options: object): Optimizer };

export interface Runner {
  readonly id: RunnerId;
  readonly name: string;
  readonly className: string;
  /** The options that make it what it is. */
  readonly extra: Readonly<Record<string, number | boolean>>;
  /** Rates that suit the first surface of the race, that of the maps, and the digits. */
  readonly rates: { readonly race: number; readonly maps: number; readonly digits: number };
  /** The index of the look that it has where nobody else has it: see looks.ts. */
  readonly look: number;
  /** Its steps depend on where it stands, and not on gradients alone. */
  readonly sees: boolean;
}

/** They wrap others, have rates by layer, or do what they are for only with matrices. */
const notOnPoints = ['LossScaleOptimizer', 'MultiOptimizer', 'AdamMultilr', 'Adafactor', 'Muon'];

const classes = new Map<string, OptimizerClass>();
for (const exported of Object.values(simdescent) as unknown[]) {
  if (typeof exported !== 'function' || !(exported.prototype instanceof simdescent.Optimizer)) continue;
  const { className } = exported as unknown as OptimizerClass;
  if (!notOnPoints.includes(className)) classes.set(className, exported as unknown as OptimizerClass);
}

const variants: readonly Pick<Runner, 'id' | 'name' | 'className' | 'extra'>[] = [
  { id: 'momentum', name: 'Momentum', className: 'SGD', extra: { momentum: 0.9 } },
  { id: 'nesterov', name: 'Nesterov', className: 'SGD', extra: { momentum: 0.9, nesterov: true } },
  { id: 'amsgrad', name: 'AMSGrad', className: 'Adam', extra: { amsgrad: true } },
];

/** Others, where the usual ones would diverge, or hardly move: near the best of docs/optimizers.md. */
const usualRates = { race: 0.02, maps: 0.2, digits: 0.005 };
const ownRates: Record<RunnerId, Partial<Runner['rates']>> = {
  sgd: { race: 0.001, maps: 0.01, digits: 0.5 },
  momentum: { race: 0.002, maps: 0.01, digits: 0.15 },
  nesterov: { race: 0.0007, maps: 0.007, digits: 0.3 },
  adagrad: { race: 0.2, maps: 0.7, digits: 0.3 },
  adadelta: { race: 5, maps: 10, digits: 10 },
  ftrl: { race: 0.2, maps: 0.7, digits: 0.3 },
  lion: { race: 0.002, maps: 0.01, digits: 0.005 },
  radam: { race: 0.001, maps: 0.05 },
  lamb: { digits: 0.015 },
};
const firstLooks: readonly RunnerId[] = [
  'adam',
  'adamax',
  'amsgrad',
  'adamw',
  'momentum',
  'rmsprop',
  'lion',
  'nadam',
];
const seeing = ['AdamW', 'Ftrl', 'Lamb'];

const all = [
  ...[...classes.keys()].map((className) => ({
    id: className.toLowerCase(),
    name: className,
    className,
    extra: {},
  })),
  ...variants,
];

export const runners: ReadonlyMap<RunnerId, Runner> = new Map(
  all
    .sort((a, b) => a.name.localeCompare(b.name))
    .map((described, index) => [
      described.id,
      {
        ...described,
        rates: { ...usualRates, ...ownRates[described.id] },
        look: firstLooks.includes(described.id) ? firstLooks.indexOf(described.id) : index,
        sees: seeing.includes(described.className),
      },
    ]),
);

export function runner(id: RunnerId): Runner {
  const found = runners.get(id);
  if (!found) throw new RangeError(`No optimizer '${id}'; known are ${[...runners.keys()].join(', ')}.`);
  return found;
}

/** `further`: options that are no hyperparameters, such as groups. */
export function makeOptimizer(
  id: RunnerId,
  { learningRate, options }: Partial<Settings>,
  further: object = {},
): Optimizer {
  const { className, extra } = runner(id);
  const Class = classes.get(className) as OptimizerClass;
  return new Class({ ...extra, ...(learningRate !== undefined && { learningRate }), ...options, ...further });
}

const known = new Map<RunnerId, Readonly<Record<string, number>>>();

/** Its hyperparameters and their defaults: the numbers of its config that not every optimizer has. After init(). */
export function hyperparameters(id: RunnerId): Readonly<Record<string, number>> {
  let found = known.get(id);
  if (!found) {
    const config = configOf(id);
    const common = Object.keys(configOf('sgd')).filter((key) => Object.hasOwn(configOf('adagrad'), key));
    const own = Object.entries(config).filter(
      ([key, value]) => typeof value === 'number' && (key === 'weight_decay' || !common.includes(key)),
    );
    found = Object.fromEntries(own.map(([key, value]) => [camelCase(key), value as number]));
    known.set(id, found);
  }
  return found;
}

function configOf(id: RunnerId): Record<string, unknown> {
  const optimizer = makeOptimizer(id, {});
  const config = optimizer.getConfig();
  optimizer.dispose();
  return config as Record<string, unknown>;
}

const camelCase = (key: string) => key.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
const letters: Record<string, string> = {
  beta1: 'β₁',
  beta2: 'β₂',
  epsilon: 'ε',
  rho: 'ρ',
  beta: 'β',
  weightDecay: 'decay',
  learningRatePower: 'power',
  initialAccumulatorValue: 'initial sum',
  l1RegularizationStrength: 'L1',
  l2RegularizationStrength: 'L2',
  l2ShrinkageRegularizationStrength: 'shrinkage',
  warmupSteps: 'warm-up',
};

/** A hyperparameter as the page writes it. */
export const symbolOf = (option: string): string => letters[option] ?? option;
