// What the page and a map's worker say to each other.
import type { RunnerId } from '../optimizers.ts';
import type { Point, Range } from '../surfaces/surfaces.ts';

/** A surface as it travels: its formula is read again over there. */
export interface Ground {
  readonly text: string;
  readonly x: Range;
  readonly y: Range;
  readonly minima: readonly Point[];
  readonly floor: number;
}

/** Hyperparameters by their names. */
export type Options = Readonly<Record<string, number>>;

export interface BasinJob {
  readonly kind: 'basin';
  readonly optimizer: RunnerId;
  readonly ground: Ground;
  readonly learningRate: number;
  readonly options: Options;
  readonly steps: number;
  /** Starts along each side. */
  readonly side: number;
}

export interface RatesJob {
  readonly kind: 'rates';
  readonly optimizer: RunnerId;
  readonly ground: Ground;
  readonly start: Point;
  readonly options: Options;
  readonly steps: number;
  /** One column per rate, one row per value of the other hyperparameter. */
  readonly rates: readonly number[];
  readonly option: string;
  readonly values: readonly number[];
}

export type Job = BasinJob | RatesJob;

export interface Effort {
  /** Updates of single parameters so far. */
  updates: number;
  /** Milliseconds inside the optimizer's step(), and altogether. */
  engine: number;
  total: number;
}

export interface BasinPicture {
  readonly columns: number;
  readonly rows: number;
  /** Per start, row by row from the top: the step of arrival, or NEVER. */
  readonly arrivals: Uint16Array;
  /** Which minimum it arrived at. */
  readonly reached: Uint8Array;
}

export interface RatesPicture {
  readonly columns: number;
  readonly rows: number;
  /** Per cell, row by row from the top: the loss after the last step; NaN where there is none. */
  readonly losses: Float64Array;
}

export const NEVER = 0xffff;

/** A start of the window, in shares of its sides from the left and from the top: the same bits on the page as in a worker. */
export function startAt({ x, y }: Pick<Ground, 'x' | 'y'>, across: number, down: number): Point {
  return [x[0] + across * (x[1] - x[0]), y[1] - down * (y[1] - y[0])];
}

/** `quick`: first a rough picture, then the fine one when it is complete; for settings that are being dragged. */
export type ToWorker = { say: 'start'; run: number; job: Job; quick: boolean } | { say: 'stop' };

export interface FromWorker {
  readonly run: number;
  readonly progress: number;
  readonly rough: boolean;
  readonly effort: Effort;
  readonly basin?: BasinPicture;
  readonly rates?: RatesPicture;
}
