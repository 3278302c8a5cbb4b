// The optimizers that the page compares: how each is made, what it is called, and how it looks wherever it is
// drawn. The maps and the digits show the first two.
import { Adam, Adamax, type AdamOptions, AdamW, type Optimizer } from 'simdescent';

export type RunnerId = 'adam' | 'adamax' | 'amsgrad' | 'adamw';
export type PerRunner<T> = Record<RunnerId, T>;
export const runnerIds: readonly RunnerId[] = ['adam', 'adamax', 'amsgrad', 'adamw'];

export type OptimizerId = 'adam' | 'adamax';
export type PerOptimizer<T> = Record<OptimizerId, T>;
export const optimizerIds: readonly OptimizerId[] = ['adam', 'adamax'];

export interface Settings {
  learningRate: NonNullable<AdamOptions['learningRate']>;
  beta1: number;
  beta2: number;
  epsilon: number;
  weightDecay: number;
}

interface Runner {
  readonly name: string;
  readonly color: `--${string}`;
  readonly dash: number[];
  /** The class, and the options that are not settings, as they are written in code. */
  readonly className: 'Adam' | 'Adamax' | 'AdamW';
  readonly extra: Readonly<Record<string, boolean>>;
  readonly decays: boolean;
}

export const runners: PerRunner<Runner> = {
  adam: { name: 'Adam', color: '--adam', dash: [], className: 'Adam', extra: {}, decays: false },
  adamax: { name: 'Adamax', color: '--adamax', dash: [7, 4], className: 'Adamax', extra: {}, decays: false },
  amsgrad: {
    name: 'AMSGrad',
    color: '--amsgrad',
    dash: [2, 4],
    className: 'Adam',
    extra: { amsgrad: true },
    decays: false,
  },
  adamw: {
    name: 'AdamW',
    color: '--adamw',
    dash: [10, 3, 2, 3],
    className: 'AdamW',
    extra: {},
    decays: true,
  },
};

const classes = { Adam, Adamax, AdamW };

export function makeOptimizer(id: RunnerId, settings: Partial<Settings>): Optimizer {
  const { className, extra, decays } = runners[id];
  const { weightDecay, ...common } = settings;
  return new classes[className]({ ...common, ...extra, ...(decays && { weightDecay }) });
}

/** Makes one of something for each. */
export function perRunner<T>(make: (id: RunnerId) => T): PerRunner<T> {
  return { adam: make('adam'), adamax: make('adamax'), amsgrad: make('amsgrad'), adamw: make('adamw') };
}

export function perOptimizer<T>(make: (id: OptimizerId) => T): PerOptimizer<T> {
  return { adam: make('adam'), adamax: make('adamax') };
}
