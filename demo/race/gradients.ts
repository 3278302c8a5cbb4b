// What stands between a surface's exact gradient and an optimizer: noise, gradients that come seldom, or
// spikes. Repeatable: in every race the same chance, and the same for every runner.
import { uniformNumbers, uniformSource } from '../page/random.ts';
import type { Point, Surface } from '../surfaces/surfaces.ts';

export type Disturbance = 'exact' | 'noise' | 'sparse' | 'spikes';

interface Described {
  readonly label: string;
  /** What the amount means, and its beginning. */
  readonly amount: string;
  readonly initial: number;
}

export const disturbances: Record<Disturbance, Described> = {
  exact: { label: 'exact', amount: 'Amount', initial: 0 },
  noise: { label: 'noisy, in typical slopes', amount: 'Strength', initial: 0.3 },
  sparse: { label: 'sparse: each coordinate by chance', amount: 'Chance', initial: 0.1 },
  spikes: {
    label: 'spiky: by chance 50 times too large',
    amount: 'Chance',
    initial: 0.02,
  },
};

const SPIKE = 50;
const SEED = 7;

/** Turns exact gradients into disturbed ones. Every step takes four random numbers, whatever becomes of them. */
export class Disturber {
  readonly #kind: Disturbance;
  readonly #amount: number;
  readonly #scale: number;
  readonly #random = uniformNumbers(SEED);

  constructor(kind: Disturbance, amount: number, surface: Surface) {
    this.#kind = kind;
    this.#amount = amount;
    this.#scale = kind === 'noise' ? typicalSlope(surface) : 1;
  }

  next([x, y]: Point): Point {
    const [a, b, c, d] = [this.#random(), this.#random(), this.#random(), this.#random()];
    if (this.#kind === 'noise') {
      const size = this.#amount * this.#scale;
      return [x + size * normal(a, b), y + size * normal(c, d)];
    }
    if (this.#kind === 'sparse') return [a < this.#amount ? x : 0, b < this.#amount ? y : 0];
    if (this.#kind === 'spikes') return a < this.#amount ? [SPIKE * x, SPIKE * y] : [x, y];
    return [x, y];
  }
}

/** The same as a program's text: `disturber()` makes what a Disturber's `next` is. */
export function disturberSource(
  kind: Exclude<Disturbance, 'exact'>,
  amount: number,
  surface: Surface,
): string {
  const size = amount * typicalSlope(surface);
  const disturbed = {
    noise: `[x + ${size} * normal(a, b), y + ${size} * normal(c, d)]`,
    sparse: `[a < ${amount} ? x : 0, b < ${amount} ? y : 0]`,
    spikes: `a < ${amount} ? [${SPIKE} * x, ${SPIKE} * y] : [x, y]`,
  }[kind];
  return `// As on the page, with the same chance for everybody. ${disturbances[kind].label}, ${amount}
function disturber() {
${uniformSource(SEED)}
${kind === 'noise' ? '  const normal = (a, b) => Math.sqrt(-2 * Math.log(1 - a)) * Math.cos(2 * Math.PI * b);\n' : ''}  return ([x, y]) => {
    const [a, b, c, d] = [random(), random(), random(), random()];
    return ${disturbed};
  };
}
`;
}

/** The median steepness over the window: noise means the same on every surface. */
function typicalSlope({ x, y, formula }: Surface): number {
  const side = 15;
  const slopes = Array.from({ length: side * side }, (_, index) => {
    const column = ((index % side) + 0.5) / side;
    const row = (Math.floor(index / side) + 0.5) / side;
    return Math.hypot(...formula.gradient(x[0] + column * (x[1] - x[0]), y[0] + row * (y[1] - y[0])));
  });
  return slopes.filter(Number.isFinite).sort((a, b) => a - b)[slopes.length >> 1] ?? 1;
}

/** A normal number from two uniform ones (Box and Muller 1958). */
export function normal(a: number, b: number): number {
  return Math.sqrt(-2 * Math.log(1 - a)) * Math.cos(2 * Math.PI * b);
}
