// The loss surfaces of the race: formulas, exact gradients, minima and a sensible window for each.
// Every surface has minimum value 0, so that its loss can be drawn on a logarithmic axis as it is.
// Plain double arithmetic; rounding to float32 happens where a gradient is stored.

export type Point = readonly [x: number, y: number];

export interface Surface {
  readonly id: string;
  readonly label: string;
  readonly formula: string;
  /** What makes this surface worth a look, in a sentence. */
  readonly note: string;
  readonly x: readonly [low: number, high: number];
  readonly y: readonly [low: number, high: number];
  readonly start: Point;
  readonly minima: readonly Point[];
  loss(x: number, y: number): number;
  gradient(x: number, y: number): Point;
}

const rosenbrock: Surface = {
  id: 'rosenbrock',
  label: 'Rosenbrock',
  formula: '(1 − x)² + 100 (y − x²)²',
  note: 'A curved, nearly flat valley: finding it is easy, following it is not.',
  x: [-2, 2],
  y: [-1, 3],
  start: [-1.2, 1],
  minima: [[1, 1]],
  loss: (x, y) => (1 - x) ** 2 + 100 * (y - x * x) ** 2,
  gradient: (x, y) => {
    const off = y - x * x;
    return [-2 * (1 - x) - 400 * x * off, 200 * off];
  },
};

const beale: Surface = {
  id: 'beale',
  label: 'Beale',
  formula: '(1.5 − x + xy)² + (2.25 − x + xy²)² + (2.625 − x + xy³)²',
  note: 'Steep walls at the corners, a wide plateau, one minimum at the end of a bent valley.',
  x: [-4.5, 4.5],
  y: [-4.5, 4.5],
  start: [-1, -1.5],
  minima: [[3, 0.5]],
  loss: (x, y) => (1.5 - x + x * y) ** 2 + (2.25 - x + x * y ** 2) ** 2 + (2.625 - x + x * y ** 3) ** 2,
  gradient: (x, y) => {
    const a = 1.5 - x + x * y;
    const b = 2.25 - x + x * y ** 2;
    const c = 2.625 - x + x * y ** 3;
    return [
      2 * (a * (y - 1) + b * (y ** 2 - 1) + c * (y ** 3 - 1)),
      2 * x * (a + 2 * b * y + 3 * c * y ** 2),
    ];
  },
};

const himmelblau: Surface = {
  id: 'himmelblau',
  label: 'Himmelblau',
  formula: '(x² + y − 11)² + (x + y² − 7)²',
  note: 'Four equal minima: near the ridges the two optimizers may choose different ones.',
  x: [-5, 5],
  y: [-5, 5],
  start: [-0.5, -0.5],
  minima: [
    [3, 2],
    [-2.805118086952745, 3.131312518250573],
    [-3.779310253377747, -3.283185991286169],
    [3.584428340330492, -1.848126526964404],
  ],
  loss: (x, y) => (x * x + y - 11) ** 2 + (x + y * y - 7) ** 2,
  gradient: (x, y) => {
    const a = x * x + y - 11;
    const b = x + y * y - 7;
    return [4 * a * x + 2 * b, 2 * a + 4 * b * y];
  },
};

const ravine: Surface = {
  id: 'ravine',
  label: 'Tilted ravine',
  formula: '0.05 (x + y)² + 5 (x − y)²',
  note: 'A bowl 100 times steeper across than along, turned by 45° so that no scaling of x and y helps.',
  x: [-2, 2],
  y: [-2, 2],
  start: [-1.7, -0.6],
  minima: [[0, 0]],
  loss: (x, y) => 0.05 * (x + y) ** 2 + 5 * (x - y) ** 2,
  gradient: (x, y) => {
    const along = 0.1 * (x + y);
    const across = 10 * (x - y);
    return [along + across, along - across];
  },
};

const saddle: Surface = {
  id: 'saddle',
  label: 'Saddle between two wells',
  formula: '(x² − 1)² + y²',
  note: 'Start on the line x = 0, where left equals right, and both walk onto the saddle and stay.',
  x: [-2, 2],
  y: [-2, 2],
  start: [0.04, 1.6],
  minima: [
    [1, 0],
    [-1, 0],
  ],
  loss: (x, y) => (x * x - 1) ** 2 + y * y,
  gradient: (x, y) => [4 * x * (x * x - 1), 2 * y],
};

export const surfaces: readonly Surface[] = [rosenbrock, beale, himmelblau, ravine, saddle];

/** Distance from a point to the nearest minimum of a surface. */
export function distanceToMinimum(surface: Surface, [x, y]: Point): number {
  return Math.min(...surface.minima.map(([mx, my]) => Math.hypot(x - mx, y - my)));
}
