// A learning rate: a number, a schedule, or a function of the number of calls. All three answer `at`.
import { awaited, describe, refuseMisspelt, suggestion } from '../basics/errors.js';
import {
  CosineDecay,
  CosineDecayRestarts,
  ExponentialDecay,
  InverseTimeDecay,
  LearningRateSchedule,
  PiecewiseConstantDecay,
  PolynomialDecay,
  type LearningRateSchedule as Schedule,
  type ScheduleConfig,
} from './schedules.js';

/** Number, schedule, Keras' serialized schedule, or a function of the calls so far (evaluated once a call). */
export type LearningRate = number | Schedule | SerializedSchedule | ((iteration: number) => number);

/** Keras' form of a schedule, as JSON. */
export interface SerializedSchedule {
  /** Where Keras finds the class; not looked at. */
  module?: string | null;
  /** The class: one of `schedules`, or of `customObjects`. */
  class_name: string;
  /** What `getConfig` gives. */
  config: ScheduleConfig;
  /** The name under which Keras knows a class that is not built in: `customObjects` may have it under this one, too. */
  registered_name?: string | null;
}

export interface Rate {
  readonly isNumber: boolean;
  readonly schedule: Schedule | null;
  at(iteration: number): number;
}

function finite(label: string, value: unknown): number {
  if (typeof value !== 'number')
    throw new TypeError(
      `${label} must be a number, a LearningRateSchedule, or a function (iteration) => number, got ${describe(value)}.${awaited(value)}`,
    );
  const rate = Math.fround(value);
  if (!Number.isFinite(rate)) throw new RangeError(`${label} must be finite, as float32 too, got ${value}.`);
  return rate;
}

/** @throws TypeError, RangeError that begins with `label`. */
export function rateFrom(label: string, value: unknown, customObjects: Record<string, unknown> = {}): Rate {
  if (typeof value === 'function' && value.prototype instanceof LearningRateSchedule)
    throw new TypeError(`${label}: a schedule is made with new, got the class ${value.name}.`);
  if (typeof value === 'object' && value !== null && !(value instanceof LearningRateSchedule))
    value = deserializeSchedule(label, value, customObjects);
  if (value instanceof LearningRateSchedule) {
    const schedule = value;
    if (typeof schedule.at !== 'function')
      throw new TypeError(
        `${label}: a LearningRateSchedule must have a method at(step), got ${describe(value)}.`,
      );
    return {
      isNumber: false,
      schedule,
      at: (step) => finite(`${label}: the schedule's value`, schedule.at(step)),
    };
  }
  if (typeof value === 'function') {
    const f = value;
    return {
      isNumber: false,
      schedule: null,
      at: (step) => finite(`${label}: the function's value`, f(step)),
    };
  }
  const number = finite(label, value);
  return { isNumber: true, schedule: null, at: () => number };
}

const builtIn: Record<string, unknown> = {
  CosineDecay,
  CosineDecayRestarts,
  ExponentialDecay,
  InverseTimeDecay,
  PiecewiseConstantDecay,
  PolynomialDecay,
};

/** Keras' form: `{ module, class_name, config, registered_name }`. */
export function serializeSchedule(schedule: Schedule): SerializedSchedule {
  const name = schedule.constructor.name;
  const own = Object.keys(builtIn).find((key) => builtIn[key] === schedule.constructor);
  return {
    module: own ? 'keras.optimizers.schedules' : null,
    class_name: own ?? name,
    config: schedule.getConfig(),
    registered_name: own ? null : name,
  };
}

export function deserializeSchedule(
  label: string,
  given: object,
  customObjects: Record<string, unknown>,
): Schedule {
  const { class_name: name, config, registered_name: registered } = given as Partial<SerializedSchedule>;
  if (typeof name !== 'string')
    throw new TypeError(
      `${label} must be a number, a schedule, a function or { class_name, config }, got ${describe(given)}.${awaited(given)}`,
    );
  refuseMisspelt(label, given);
  const known: Record<string, unknown> = Object.assign(Object.create(null), builtIn, customObjects);
  const type = (known[name] ?? known[name.split('>').pop() as string] ?? known[String(registered)]) as
    | { fromConfig?: (config: object) => unknown }
    | undefined;
  if (typeof type?.fromConfig !== 'function')
    throw new RangeError(
      `${label}: unknown schedule '${name}'.${suggestion(name, Object.keys(known))} Known: ${Object.keys(known).join(', ')}; ` +
        'pass your own classes as customObjects.',
    );
  const schedule = type.fromConfig(config ?? {});
  if (!(schedule instanceof LearningRateSchedule))
    throw new TypeError(`${label}: '${name}' must extend LearningRateSchedule.`);
  return schedule;
}
