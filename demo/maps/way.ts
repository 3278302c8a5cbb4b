// The way from one start of the basin map, under the map's settings: what a pixel tells in one colour.
import { runner } from '../optimizers.ts';
import { Disturber } from '../race/gradients.ts';
import { Racer } from '../race/racer.ts';
import type { Point, Range, Surface } from '../surfaces/surfaces.ts';
import type { BasinJob } from './job.ts';

export interface Way {
  /** In shares of the window: x, y, x, y, … */
  readonly points: readonly number[];
  /** Who walked, and how it ended. */
  readonly told: string;
}

export function walkFrom(start: Point, surface: Surface, job: BasinJob): Way {
  const { optimizer, learningRate, options, steps } = job;
  const exact = new Disturber('exact', 0, surface);
  const racer = new Racer(optimizer, surface, start, { learningRate, options }, exact);
  while (racer.steps < steps && racer.arrivedAt === null && !racer.done) racer.step();
  const { trail, arrivedAt, lost } = racer;
  racer.dispose();
  const end = arrivedAt === null ? `does not arrive in ${steps} steps` : `arrives at step ${arrivedAt}`;
  return {
    points: trail.map((value, index) => shareOf(index % 2 === 0 ? surface.x : surface.y, value)),
    told: `${runner(optimizer).name} ${lost === null ? end : `is lost: ${lost}`}`,
  };
}

export const shareOf = ([low, high]: Range, value: number): number => (value - low) / (high - low);
