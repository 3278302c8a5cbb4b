// Where a visitor's own formula is lowest inside its window: the library's Adam walks from a grid of starts,
// all in one Variable, with a rate that falls to nothing. It finds what these starts lead to, no more; and of that only
// points from which it is uphill all round, not what lies in a flat valley or on level ground.
import { Adam, schedules, Variable } from 'simdescent';
import type { Point, Range } from './points.ts';
import type { Formula } from './tape.ts';

/** Starts along a side, at the most: a formula of many terms gets fewer, or typing it would stop at every letter. */
const SIDE = 24;
const FEWEST = 8;
/** Terms of a formula, times its starts. */
const MOST_WORK = 60 * SIDE * SIDE;
const STEPS = 900;
/** End points nearer than this share of the window are one minimum. */
const SAME = 0.01;
/** End points higher than the lowest by more than this share of the surface's range are not minima of it. */
const AS_LOW = 1e-6;
const MOST = 8;
/** How far from a minimum the ground must have risen, as a share of the window, and by how much of the surface's range. */
const RING = 0.005;
const UPHILL = 1e-12;
const DIRECTIONS = 64;

export interface Found {
  readonly minima: Point[];
  readonly lowest: number;
  readonly starts: number;
  /** The ground is lowest inside the window, but level there: no point of it is a minimum. */
  readonly level: boolean;
}

export function findMinima(formula: Formula, x: Range, y: Range): Found {
  const side = Math.max(FEWEST, Math.min(SIDE, Math.floor(Math.sqrt(MOST_WORK / formula.size))));
  const count = side * side;
  const starts = new Float32Array(2 * count);
  for (let index = 0; index < count; index++) {
    starts[2 * index] = x[0] + (((index % side) + 0.5) / side) * (x[1] - x[0]);
    starts[2 * index + 1] = y[0] + ((Math.floor(index / side) + 0.5) / side) * (y[1] - y[0]);
  }
  const points = new Variable(starts, { name: 'starts' });
  const initialLearningRate = 0.01 * (x[1] - x[0]);
  const optimizer = new Adam({
    learningRate: new schedules.CosineDecay({ initialLearningRate, decaySteps: STEPS }),
    beta2: 0.99,
  });
  optimizer.build([points]);
  for (let step = 0; step < STEPS; step++) {
    formula.gradients(points.value, points.gradient);
    optimizer.step();
  }
  const ends = points.value.slice();
  optimizer.dispose();
  points.dispose();

  const lossesAt = (points: Float32Array) =>
    Array.from({ length: count }, (_, index) => formula.loss(points[2 * index], points[2 * index + 1]));
  const losses = lossesAt(ends);
  const inside = (index: number) =>
    within(ends[2 * index], x) && within(ends[2 * index + 1], y) && Number.isFinite(losses[index]);
  const seen = [...lossesAt(starts), ...losses.filter((_, index) => inside(index))].filter(Number.isFinite);
  const lowest = seen.reduce((low, loss) => Math.min(low, loss), Number.POSITIVE_INFINITY);
  const highest = seen.reduce((high, loss) => Math.max(high, loss), Number.NEGATIVE_INFINITY);
  if (lowest === Number.POSITIVE_INFINITY) return { minima: [], lowest: 0, starts: count, level: false };

  const minima: Point[] = [];
  let level = false;
  const byLoss = Array.from({ length: count }, (_, index) => index)
    .filter((index) => inside(index) && losses[index] <= lowest + AS_LOW * (highest - lowest))
    .sort((a, b) => losses[a] - losses[b]);
  for (const index of byLoss) {
    const end: Point = [ends[2 * index], ends[2 * index + 1]];
    const known = minima.some(([mx, my]) => Math.hypot(end[0] - mx, end[1] - my) < SAME * (x[1] - x[0]));
    if (known || minima.length === MOST) continue;
    const rise = lowestAround(formula, end, RING * (x[1] - x[0])) - losses[index];
    if (rise > UPHILL * Math.max(highest - lowest, Math.abs(lowest))) minima.push(end);
    else level = true;
  }
  return { minima, lowest, starts: count, level: level && minima.length === 0 };
}

/** The lowest loss on a circle: the best of some directions, and between its neighbours by thirds. */
function lowestAround(formula: Formula, [x, y]: Point, radius: number): number {
  const at = (angle: number) => formula.loss(x + radius * Math.cos(angle), y + radius * Math.sin(angle));
  const step = (2 * Math.PI) / DIRECTIONS;
  const tried = Array.from({ length: DIRECTIONS }, (_, index) => at(index * step));
  const best = tried.reduce((low, loss, index) => (loss < tried[low] ? index : low), 0);
  let [left, right] = [(best - 1) * step, (best + 1) * step];
  for (let third = 0; third < 60; third++) {
    const [a, b] = [(2 * left + right) / 3, (left + 2 * right) / 3];
    if (at(a) < at(b)) right = b;
    else left = a;
  }
  return Math.min(tried[best], at((left + right) / 2));
}

/** A point on the very edge is where the window ends, not a minimum. */
const within = (value: number, [low, high]: Range) => value > low && value < high;
