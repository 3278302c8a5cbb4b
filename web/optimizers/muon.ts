// Muon: its options, and which variables it takes as matrices. The formula is cpp/kernels/muon.h.
import { describe } from '../basics/errors.js';
import { pattern } from '../basics/pattern.js';
import type { Spelled } from '../basics/spelling.js';
import type { OptimizerOptions } from './adam.js';
import type { Kind } from './configuration.js';
import { Optimizer } from './optimizer.js';
import { baseOptions, boolean, type Check, fraction, number, orNull, positiveOrZero } from './options.js';

/** Options of Muon; those of every optimizer as well. */
export type MuonOptions = OptimizerOptions &
  Spelled<{
    /** Decay rate of the first moment, for the AdamW that steps what is no matrix; in [0, 1]. Default 0.9. */
    adamBeta1?: number;
    /** Decay rate of its second moment, in [0, 1]. Default 0.999. */
    adamBeta2?: number;
    /** Added to its denominator. Default 1e-7. */
    epsilon?: number;
    /** Its weight decay, or null; `weightDecay` is that of the matrices. Default 0.004, both. */
    adamWeightDecay?: number | null;
    /** Its learning rate is so many times the other's. Default 1. */
    adamLrRatio?: number;
    /** Regular expressions, found in the path: variables that AdamW steps. Default none. */
    excludeLayers?: readonly string[] | null;
    /** AdamW steps what has 'embedding' in its path. Default true. */
    excludeEmbeddings?: boolean;
    /** First coefficient of an iteration. Default 3.4445. */
    muonA?: number;
    /** Second coefficient of an iteration. Default -4.775. */
    muonB?: number;
    /** Third coefficient of an iteration. Default 2.0315. */
    muonC?: number;
    /** Of the matrices. Default 0.95. */
    momentum?: number;
    /** Iterations. Default 5. */
    nsSteps?: number;
    /** Look ahead by the momentum. Default true. */
    nesterov?: boolean;
    /** Steps are scaled by `sqrt(max(rows, columns))` times this (arXiv 2502.16982); null: not at all. Default 0.2. */
    rmsRate?: number | null;
  }>;

const none: readonly string[] = Object.freeze([]);

const patterns: Check<readonly string[]> = (label, value) => {
  if (value === null) return none;
  if (!Array.isArray(value) || !Array.from(value).every((x) => typeof x === 'string'))
    throw new TypeError(`${label} must be a list of regular expressions, or null, got ${describe(value)}.`);
  for (const source of value) pattern(label, source);
  return Object.freeze([...value]);
};

const off = (x: unknown) => (x === null ? -1 : (x as number));

const muon = (): Kind => {
  const finite = number('a finite number');
  const decay = orNull(number('a number >= 0, or null', (x) => x >= 0));
  return {
    className: 'Muon',
    defaultName: 'muon',
    options: {
      ...baseOptions,
      weightDecay: { default: 0.004, check: decay, config: 'always' },
      adamBeta1: { default: 0.9, check: fraction, config: 'always' },
      adamBeta2: { default: 0.999, check: fraction, config: 'always' },
      epsilon: { default: 1e-7, check: positiveOrZero, config: 'always' },
      excludeLayers: { default: none, check: patterns, config: 'always', fixed: true },
      muonA: { default: 3.4445, check: finite, config: 'always' },
      muonB: { default: -4.775, check: finite, config: 'always' },
      muonC: { default: 2.0315, check: finite, config: 'always' },
      adamLrRatio: { default: 1, check: finite, config: 'always' },
      momentum: { default: 0.95, check: fraction, config: 'always' },
      nsSteps: {
        default: 5,
        check: number('an integer >= 0', (x) => Number.isInteger(x) && x >= 0),
        config: 'always',
      },
      nesterov: { default: true, check: boolean, config: 'always' },
      excludeEmbeddings: { default: true, check: boolean, config: 'always', fixed: true },
      adamWeightDecay: { default: 0.004, check: decay, config: 'always' },
      rmsRate: { default: 0.2, check: orNull(finite), config: 'always' },
    },
    rule: () => 'muon',
    hasOneDecay: true, // which its rule knows
    isMatrix: ({ shape, path }, o) =>
      shape.length === 2 &&
      !(o.excludeEmbeddings && path.toLowerCase().includes('embedding')) &&
      !(o.excludeLayers as string[]).some((source) => new RegExp(source).test(path)),
    hypers: (o) => ({
      weight_decay: off(o.weightDecay),
      adam_weight_decay: off(o.adamWeightDecay),
      rms_rate: (o.rmsRate as number | null) ?? 0,
      scaled: Number(o.rmsRate !== null),
    }),
    configure(native) {
      native.decays = true; // the rule knows by how much
    },
  };
};

/**
 * Muon (Jordan et al. 2024), as keras.optimizers.Muon: the momentum of a matrix, made nearly orthogonal by
 * Newton-Schulz iterations; AdamW for what is no matrix, for embeddings and for what `excludeLayers` matches.
 */
export class Muon extends Optimizer {
  static override readonly name: string = 'Muon';
  static override readonly className: string = 'Muon';
  /** Decay rate of the first moment of what AdamW steps. */
  declare adamBeta1: number;
  /** Decay rate of the second moment of what AdamW steps. */
  declare adamBeta2: number;
  /** Added to the denominator of what AdamW steps. */
  declare epsilon: number;
  /** Weight decay of what AdamW steps, or null. */
  declare adamWeightDecay: number | null;
  /** AdamW's learning rate is so many times the other's. */
  declare adamLrRatio: number;
  /** Regular expressions, found in the path: variables that AdamW steps; fixed once built. */
  declare excludeLayers: readonly string[];
  /** Whether AdamW steps what has 'embedding' in its path; fixed once built. */
  declare excludeEmbeddings: boolean;
  /** First coefficient of an iteration. */
  declare muonA: number;
  /** Second coefficient of an iteration. */
  declare muonB: number;
  /** Third coefficient of an iteration. */
  declare muonC: number;
  /** Of the matrices. */
  declare momentum: number;
  /** Newton-Schulz iterations of a step. */
  declare nsSteps: number;
  /** Whether to look ahead by the momentum. */
  declare nesterov: boolean;
  /** Steps are scaled by `sqrt(max(rows, columns))` times this; null: not at all. */
  declare rmsRate: number | null;

  /** @throws TypeError, RangeError for unknown, doubled or wrong options; Error before `init()`. */
  constructor(options: MuonOptions = {}) {
    super(options, muon);
  }
}
