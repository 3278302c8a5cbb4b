// The option `monitor`: which updates are told of. What is told is report.ts.
import { describe, isRecord } from '../basics/errors.js';
import { readSpelled, type Spelled } from '../basics/spelling.js';

/** `true` is every update, as a whole. */
export type MonitorOption = boolean | Spelled<{ every?: number; perVariable?: boolean }> | null;

/** Which updates are told of: every so many. */
export interface Monitor {
  readonly every: number;
  readonly perVariable: boolean;
}

/** @throws TypeError, RangeError */
export function readMonitor(label: string, value: unknown): Monitor | null {
  if (value === null || value === false) return null;
  if (value !== true && !isRecord(value))
    throw new TypeError(`${label} must be true, false or { every, perVariable }, got ${describe(value)}.`);
  const given = value === true ? {} : readSpelled(label, value, ['every', 'perVariable']);
  const { every = 1, perVariable = false } = given;
  if (typeof every !== 'number')
    throw new TypeError(`${label}: every must be a whole number >= 1, got ${describe(every)}.`);
  if (!Number.isInteger(every) || every < 1 || every >= 2 ** 31)
    throw new RangeError(`${label}: every must be a whole number from 1 to ${2 ** 31 - 1}, got ${every}.`);
  if (typeof perVariable !== 'boolean')
    throw new TypeError(`${label}: perVariable must be true or false, got ${describe(perVariable)}.`);
  return Object.freeze({ every, perVariable });
}
