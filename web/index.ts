// The public names of simdescent, and nothing else.
import type * as constraintTypes from './constraints/constraints.js';
import { Constraint, MaxNorm, MinMaxNorm, NonNeg, UnitNorm } from './constraints/constraints.js';
import { deserialize, get, serialize } from './optimizers/registry.js';
import type * as scheduleTypes from './schedules/schedules.js';
import {
  CosineDecay,
  CosineDecayRestarts,
  ExponentialDecay,
  InverseTimeDecay,
  LearningRateSchedule,
  PiecewiseConstantDecay,
  PolynomialDecay,
} from './schedules/schedules.js';

export type { InSnakeCase, OneOf, SnakeCase, Spelled } from './basics/spelling.js';
export type { Constraint } from './constraints/constraints.js';
export { endThreads, type InitOptions, init, type RuntimeInfo } from './engine/load.js';
export { Adadelta, type AdadeltaOptions } from './optimizers/adadelta.js';
export { Adafactor, type AdafactorOptions } from './optimizers/adafactor.js';
export { Adagrad, type AdagradOptions } from './optimizers/adagrad.js';
export {
  Adam,
  type AdamHyperparameters,
  type AdamOptions,
  AdamW,
  type AdamWOptions,
  type ClippingOptions,
  type CommonOptions,
  type MomentHyperparameters,
  type MomentOptions,
  type OptimizerOptions,
} from './optimizers/adam.js';
export { AdamMultilr, type AdamMultilrOptions, type PatternRate } from './optimizers/adam-multilr.js';
export { Adamax, type AdamaxOptions } from './optimizers/adamax.js';
export type { Excluded } from './optimizers/exclusion.js';
export { Ftrl, type FtrlOptions } from './optimizers/ftrl.js';
export type { VariableGroup } from './optimizers/groups.js';
export { Lamb, type LambOptions } from './optimizers/lamb.js';
export { Lion, type LionOptions } from './optimizers/lion.js';
export type { LossScaleOptions } from './optimizers/loss-scale.js';
export type { MonitorOption } from './optimizers/monitor.js';
export type { MultiOptimizerOptions } from './optimizers/multi.js';
export type { OptimizerChoice } from './optimizers/multi-map.js';
export { Muon, type MuonOptions } from './optimizers/muon.js';
export { Nadam, type NadamOptions, RAdam, type RAdamOptions } from './optimizers/nadam.js';
export { Optimizer } from './optimizers/optimizer.js';
export type { OffloadOptions } from './optimizers/placement.js';
export { LossScaleOptimizer, MultiOptimizer, OptimizerMap } from './optimizers/registry.js';
export type { Figures, Report, VariableReport } from './optimizers/report.js';
export { RMSprop, type RMSpropOptions } from './optimizers/rmsprop.js';
export { ScheduleFreeAdamW, type ScheduleFreeAdamWOptions } from './optimizers/schedule-free.js';
export type { SerializedOptimizer } from './optimizers/serialized.js';
export { SGD, type SGDOptions } from './optimizers/sgd.js';
export type { StateDtypeOptions } from './optimizers/state-dtype.js';
export type { LearningRate, SerializedSchedule } from './schedules/rate.js';
export type { LearningRateSchedule, ScheduleConfig } from './schedules/schedules.js';
export type { OptimizerVariable } from './state/entries.js';
export type { AddVariableOptions, Numbers } from './state/state.js';
export type { Accelerator } from './step/elsewhere.js';
export type { StateDtype } from './step/narrow.js';
export type { Parameter } from './step/parameters.js';
export { SparseGradient, type SparseGradientOptions } from './step/sparse.js';
export type { GradientLike, HostGradient } from './step/target.js';
export { Variable, type VariableOptions } from './step/variable.js';

/** keras.constraints; `Constraint` is there to extend. */
export const constraints = { NonNeg, MaxNorm, UnitNorm, MinMaxNorm, Constraint };

/** Its classes as types: `constraints.MaxNorm`. */
export declare namespace constraints {
  type Constraint = constraintTypes.Constraint;
  type NonNeg = constraintTypes.NonNeg;
  type MaxNorm = constraintTypes.MaxNorm;
  type UnitNorm = constraintTypes.UnitNorm;
  type MinMaxNorm = constraintTypes.MinMaxNorm;
}

/** keras.optimizers.schedules; `LearningRateSchedule` is there to extend. */
export const schedules = {
  ExponentialDecay,
  PiecewiseConstantDecay,
  PolynomialDecay,
  InverseTimeDecay,
  CosineDecay,
  CosineDecayRestarts,
  LearningRateSchedule,
};

/** Its classes as types: `schedules.CosineDecay`. */
export declare namespace schedules {
  type LearningRateSchedule = scheduleTypes.LearningRateSchedule;
  type ExponentialDecay = scheduleTypes.ExponentialDecay;
  type PiecewiseConstantDecay = scheduleTypes.PiecewiseConstantDecay;
  type PolynomialDecay = scheduleTypes.PolynomialDecay;
  type InverseTimeDecay = scheduleTypes.InverseTimeDecay;
  type CosineDecay = scheduleTypes.CosineDecay;
  type CosineDecayRestarts = scheduleTypes.CosineDecayRestarts;
}

/** keras.optimizers' functions. */
export const optimizers = { get, serialize, deserialize };
