// The loss surfaces: a formula, its minima and a sensible window for each, and surfaces from a visitor's own
// formula. Losses are shown above the lowest one known (`floor`), so that a logarithmic axis can show them.
// Plain double arithmetic; rounding to float32 happens where a gradient is stored.
import { findMinima } from './find-minima.ts';
import type { Point, Range } from './points.ts';
import { Formula } from './tape.ts';

export type { Point, Range };

export interface Surface {
  readonly id: string;
  readonly label: string;
  /** As it can be typed: see parse.ts. */
  readonly text: string;
  /** What makes this surface worth a look, in a sentence. */
  readonly note: string;
  readonly x: Range;
  readonly y: Range;
  readonly start: Point;
  readonly minima: readonly Point[];
  readonly floor: number;
  readonly formula: Formula;
}

type Described = Omit<Surface, 'formula' | 'floor'>;

const described: readonly Described[] = [
  {
    id: 'rosenbrock',
    label: 'Rosenbrock',
    text: '(1 - x)^2 + 100 (y - x^2)^2',
    note: 'A curved, nearly flat valley: finding it is easy, following it is not.',
    x: [-2, 2],
    y: [-1, 3],
    start: [-1.2, 1],
    minima: [[1, 1]],
  },
  {
    id: 'beale',
    label: 'Beale',
    text: '(1.5 - x + xy)^2 + (2.25 - x + xy^2)^2 + (2.625 - x + xy^3)^2',
    note: 'Steep walls at the corners, a wide plateau, one minimum at the end of a bent valley.',
    x: [-4.5, 4.5],
    y: [-4.5, 4.5],
    start: [-1, -1.5],
    minima: [[3, 0.5]],
  },
  {
    id: 'himmelblau',
    label: 'Himmelblau',
    text: '(x^2 + y - 11)^2 + (x + y^2 - 7)^2',
    note: 'Four equal minima: near the ridges the optimizers may choose different ones.',
    x: [-5, 5],
    y: [-5, 5],
    start: [-0.5, -0.5],
    minima: [
      [3, 2],
      [-2.805118086952745, 3.131312518250573],
      [-3.779310253377747, -3.283185991286169],
      [3.584428340330492, -1.848126526964404],
    ],
  },
  {
    id: 'rastrigin',
    label: 'Rastrigin',
    text: '20 + x^2 - 10 cos(2 pi x) + y^2 - 10 cos(2 pi y)',
    note: 'A bowl full of dents: one is the minimum, every other one is a trap.',
    x: [-3, 3],
    y: [-3, 3],
    start: [2.3, -1.6],
    minima: [[0, 0]],
  },
  {
    id: 'ravine',
    label: 'Tilted ravine',
    text: '0.05 (x + y)^2 + 5 (x - y)^2',
    note: 'A bowl 100 times steeper across than along, turned by 45° so that no scaling of x and y helps.',
    x: [-2, 2],
    y: [-2, 2],
    start: [-1.7, -0.6],
    minima: [[0, 0]],
  },
  {
    id: 'saddle',
    label: 'Saddle between two wells',
    text: '(x^2 - 1)^2 + y^2',
    note: 'Start on the line x = 0, where left equals right, and all walk onto the saddle and stay.',
    x: [-2, 2],
    y: [-2, 2],
    start: [0.04, 1.6],
    minima: [
      [1, 0],
      [-1, 0],
    ],
  },
  {
    id: 'plateau',
    label: 'Plateau with a hole',
    text: '1 - exp(-x^2 - 2 y^2)',
    note: 'Flat far out: where the slope is below epsilon, even these optimizers hardly move.',
    x: [-4, 4],
    y: [-4, 4],
    start: [-2.4, 1.5],
    minima: [[0, 0]],
  },
];

export const surfaces: readonly Surface[] = described.map((surface) => ({
  ...surface,
  floor: 0,
  formula: new Formula(surface.text),
}));

export const OWN = 'own';

/** A visitor's formula in the window of another surface. @throws FormulaError */
export function ownSurface(text: string, { x, y, start }: Pick<Surface, 'x' | 'y' | 'start'>): Surface {
  const formula = new Formula(text);
  const { minima, lowest, starts, level } = findMinima(formula, x, y);
  const found =
    minima.length === 0
      ? level
        ? 'Where it is lowest it is level: there is no one lowest point.'
        : 'No minimum was found inside the window.'
      : `Adam, from ${starts} starts, found ${minima.length === 1 ? 'one lowest point' : `${minima.length} lowest points`}.`;
  return {
    id: OWN,
    label: 'Your own formula',
    text,
    note: found,
    x,
    y,
    start,
    minima,
    floor: lowest,
    formula,
  };
}

/** The loss above the lowest known. */
export function lossAt({ formula, floor }: Surface, [x, y]: Point): number {
  return formula.loss(x, y) - floor;
}

/** Distance from a point to the nearest minimum of a surface. */
export function distanceToMinimum(surface: Surface, [x, y]: Point): number {
  return Math.min(...surface.minima.map(([mx, my]) => Math.hypot(x - mx, y - my)));
}
