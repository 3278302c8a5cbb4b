// The demo's own arithmetic, without a page: formulas, gradients against finite differences and against their
// compiled kernels, minima, and the digit network with the library's optimizers against losses recorded from Keras.
import { readFileSync } from 'node:fs';
import { expect, test } from '@playwright/test';
import * as simdescent from 'simdescent';
import { splitDigits } from '../../demo/digits/digits.ts';
import { Network, type Tensors, tensors } from '../../demo/digits/network.ts';
import { hues } from '../../demo/maps/colors.ts';
import { formatLoss, formatShort } from '../../demo/page/format.ts';
import { Disturber, disturberSource } from '../../demo/race/gradients.ts';
import { FormulaError } from '../../demo/surfaces/parse.ts';
import { lossAt, ownSurface, surfaces } from '../../demo/surfaces/surfaces.ts';
import { Formula } from '../../demo/surfaces/tape.ts';
import vectors from '../vectors/digits-mlp.json' with { type: 'json' };
import { asTyped } from './demo-page.ts';

for (const surface of surfaces) {
  test(`${surface.label}: the gradient is the slope, the minima are zero and flat`, () => {
    const nudge = 1e-5;
    for (let index = 0; index < 200; index++) {
      const x = surface.x[0] + ((index * 0.137) % 1) * (surface.x[1] - surface.x[0]);
      const y = surface.y[0] + ((index * 0.291) % 1) * (surface.y[1] - surface.y[0]);
      const { formula } = surface;
      const slopes = [
        (formula.loss(x + nudge, y) - formula.loss(x - nudge, y)) / (2 * nudge),
        (formula.loss(x, y + nudge) - formula.loss(x, y - nudge)) / (2 * nudge),
      ];
      formula.gradient(x, y).forEach((value, axis) => {
        expect(Math.abs(value - slopes[axis])).toBeLessThan(1e-4 * Math.max(1, Math.abs(slopes[axis])));
      });
    }
    for (const minimum of surface.minima) {
      expect(lossAt(surface, minimum)).toBeLessThan(1e-20);
      for (const slope of surface.formula.gradient(...minimum)) expect(Math.abs(slope)).toBeLessThan(1e-9);
    }
  });
}

/** Formulas as people type them, and the same in JavaScript. */
const typed: [string, (x: number, y: number) => number][] = [
  ['-x^2 + 2xy', (x, y) => -(x ** 2) + 2 * x * y],
  ['2^-x · y²', (x, y) => 2 ** -x * y * y],
  ['2^3^0.5 x', (x) => 2 ** (3 ** 0.5) * x],
  ['sin(x)cos(y)/(1+x^2)', (x, y) => (Math.sin(x) * Math.cos(y)) / (1 + x * x)],
  ['exp(-x^2-y^2) − tanh(3x)', (x, y) => Math.exp(-x * x - y * y) - Math.tanh(3 * x)],
  ['sqrt(1 + abs(x y)) + log(2 + x^2)', (x, y) => Math.sqrt(1 + Math.abs(x * y)) + Math.log(2 + x * x)],
  ['(x - 1.5e-1)^7 / 3 - pi y', (x, y) => (x - 0.15) ** 7 / 3 - Math.PI * y],
  ['(1.2+y^2)^x', (x, y) => (1.2 + y * y) ** x],
];

for (const [text, meant] of typed) {
  test(`${text} means what it says; its gradient is the slope, its kernel has the same bits`, () => {
    const formula = new Formula(text);
    const { shared, loss, dx, dy } = formula.source;
    const written = new Function('x', 'y', `${shared.join('\n')} return [${loss}, ${dx}, ${dy}];`);
    const points = Float32Array.from({ length: 2 * 9001 }, (_, index) => 1.9 * Math.sin(index * index));
    const gradients = new Float32Array(points.length);
    formula.gradients(points, gradients);
    const losses = new Float32Array(points.length / 2);
    formula.losses(points, losses);
    for (let index = 0; index < 9001; index++) {
      const [x, y] = points.subarray(2 * index);
      const exact = formula.gradient(x, y);
      const same = exact.every((value, axis) => Object.is(Math.fround(value), gradients[2 * index + axis]));
      if (!same || index % 100 === 0) expect([x, y, same]).toEqual([x, y, true]);
      if (index % 100 !== 0) continue;
      expect(written(x, y)).toEqual([formula.loss(x, y), ...exact]);
      expect(formula.loss(x, y)).toBeCloseTo(meant(x, y), 9);
      expect(losses[index]).toBe(Math.fround(formula.loss(x, y)));
      const nudge = 1e-6;
      const slope = [
        (meant(x + nudge, y) - meant(x - nudge, y)) / (2 * nudge),
        (meant(x, y + nudge) - meant(x, y - nudge)) / (2 * nudge),
      ];
      for (const axis of [0, 1]) {
        expect(Math.abs(exact[axis] - slope[axis])).toBeLessThan(1e-5 * Math.max(1, Math.abs(slope[axis])));
      }
    }
  });
}

test('what is not a formula is refused with a reason', () => {
  for (const nonsense of [
    '',
    'x +',
    '(x',
    'x)',
    'foo(x)',
    'x $ y',
    'sin x',
    '1..2',
    'x'.repeat(401),
    'alert(1)',
    'constructor(x)',
  ]) {
    expect(() => new Formula(nonsense), nonsense).toThrow(FormulaError);
  }
});

test('what disturbs gradients is the same in the program', () => {
  for (const kind of ['noise', 'sparse', 'spikes'] as const) {
    const own = new Disturber(kind, 0.3, surfaces[0]);
    const written = new Function(`${disturberSource(kind, 0.3, surfaces[0])} return disturber();`)();
    for (let draw = 0; draw < 50; draw++) expect(written([draw, 2]), kind).toEqual(own.next([draw, 2]));
  }
});

test('the lowest points of an own formula are found', async () => {
  await simdescent.init();
  const window = { x: [-3, 3], y: [-3, 3], start: [1, 1] } as const;
  const wells = ownSurface('(x^2 - 1)^2 + (y - 0.5)^2 - 7', window);
  expect(wells.floor).toBeCloseTo(-7, 9);
  const found = [...wells.minima].sort(([a], [b]) => a - b);
  expect(found).toHaveLength(2);
  for (const [index, x] of [-1, 1].entries()) {
    expect(found[index][0]).toBeCloseTo(x, 3);
    expect(found[index][1]).toBeCloseTo(0.5, 3);
  }
  expect(ownSurface('x + y', window).minima).toEqual([]);
  // Long ones are looked at from fewer starts: they are read anew at every letter.
  const long = Array.from({ length: 20 }, (_, k) => `sin(x - ${k})^2`).join(' + ');
  const shallow = ownSurface(`y^2 + 9 (x - 1)^4 + ${long}`, window);
  expect(shallow.minima).toHaveLength(1);
  const starts = (note: string) => Number(/from (\d+) starts/.exec(note)?.[1]);
  expect(starts(shallow.note)).toBeLessThan(starts(wells.note));
});

test('level ground has no minimum, flat valleys have none, and shallow bowls have one', async () => {
  await simdescent.init();
  const window = { x: [-3, 3], y: [-3, 3], start: [1, 1] } as const;
  for (const level of ['5', 'x^2', '(x - 3y)^2 + 2', '(x^2 + y^2 - 1)^2']) {
    const { minima, note } = ownSurface(level, window);
    expect(minima, level).toEqual([]);
    expect(note, level).toContain('level');
  }
  for (const [bowl, x, y] of [
    ['(1 - x)^2 + 100 (y - x^2)^2', 1, 1],
    ['(x - 1)^4 + (y + 2)^4', 1, -2],
    ['abs(x - 1) + abs(y) - 3', 1, 0],
    ['1 - exp(-x^2 - 2 y^2)', 0, 0],
  ] as const) {
    const { minima } = ownSurface(bowl, window);
    expect(minima, bowl).toHaveLength(1);
    expect(Math.hypot(minima[0][0] - x, minima[0][1] - y), bowl).toBeLessThan(0.1);
  }
});

/** The hue of a colour like #1d57d8 in OKLCH, in degrees. */
function hueOf(color: string): number {
  const [red, green, blue] = [1, 3, 5].map((at) => {
    const value = Number.parseInt(color.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  const l = Math.cbrt(0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue);
  const m = Math.cbrt(0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue);
  const s = Math.cbrt(0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue);
  const a = 1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s;
  const b = 0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s;
  return (Math.atan2(b, a) * 180) / Math.PI;
}

test('no basin has the colour of the optimizers beside it', () => {
  const theme = readFileSync(new URL('../../demo/styles/theme.css', import.meta.url), 'utf8');
  const colors = [...theme.matchAll(/--run-[12]: (#\w{6})/g)].map(([, color]) => color);
  expect(colors).toHaveLength(4);
  for (const color of colors) {
    for (const hue of hues) {
      const apart = Math.abs(((hue - hueOf(color) + 540) % 360) - 180);
      expect(apart, `${color} and ${hue}`).toBeGreaterThan(28);
    }
  }
});

const bytesOf = ({ base64 }: { base64: string }) =>
  Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));

for (const run of vectors.runs.filter(({ id }) => ['adam', 'adamax', 'adam-lr', 'adamax-lr'].includes(id))) {
  test(`the network with ${run.optimizer} follows the losses of Keras (${run.id})`, async () => {
    await simdescent.init();
    const weights = new Float32Array(bytesOf(vectors.initial_weights).buffer);
    let taken = 0;
    const variables = tensors.map(({ name, path, shape }) => {
      const size = shape.reduce((product: number, extent) => product * extent, 1);
      const values = weights.subarray(taken, taken + size);
      taken += size;
      return new simdescent.Variable(values, { name, path, shape: [...shape] });
    });
    expect(taken).toBe(weights.length);
    const Optimizer = run.optimizer === 'Adam' ? simdescent.Adam : simdescent.Adamax;
    const optimizer = new Optimizer({ learningRate: Number(run.config.learning_rate) });
    optimizer.build(variables);

    const pixels = bytesOf(vectors.data.x);
    const labels = bytesOf(vectors.data.y);
    const batches = new Uint16Array(bytesOf(vectors.batches).buffer);
    const [steps, size] = vectors.batches.shape;
    const network = new Network(size);
    const gradients = variables.map((variable) => variable.gradient) as unknown as Tensors;
    for (let step = 0; step < steps; step++) {
      const indices = Array.from(batches.subarray(step * size, (step + 1) * size));
      const batch = {
        count: size,
        images: Float32Array.from(
          indices.flatMap((index) => [...pixels.subarray(64 * index, 64 * index + 64)]),
          (pixel) => pixel / 16,
        ),
        labels: Uint8Array.from(indices, (index) => labels[index]),
      };
      const values = variables.map((variable) => variable.value) as unknown as Tensors;
      const loss = network.lossAndGradients(batch, values, gradients);
      expect(Math.abs(loss - run.loss[step]), `loss before step ${step}`).toBeLessThan(1e-5);
      optimizer.step();
    }
    optimizer.dispose();
    for (const variable of variables) variable.dispose();
  });
}

test('every digit is either for training or for testing', () => {
  const pixels = bytesOf(vectors.data.x);
  const { training, test: held } = splitDigits(Uint8Array.from([...pixels, ...bytesOf(vectors.data.y)]));
  expect([training.count, held.count]).toEqual([1498, 299]);
  expect(Math.max(...training.images)).toBe(1);
  expect(Array.from(held.images.subarray(0, 64), (ink) => ink * 16)).toEqual([
    ...pixels.subarray(5 * 64, 6 * 64),
  ]);
  const total = (labels: Uint8Array) => labels.reduce((sum, label) => sum + label, 0);
  expect(total(training.labels) + total(held.labels)).toBe(total(bytesOf(vectors.data.y)));
});

test('figures are written as people write them', () => {
  const typed: [number, string][] = [
    [2.3254, '2.33'],
    [1234.5, '1235'],
    [0.0012345, '0.00123'],
    [-4.2e-8, '−4.20 × 10⁻⁸'],
    [123456, '1.23 × 10⁵'],
    [0, '0'],
    [Number.POSITIVE_INFINITY, '∞'],
    [Number.NaN, 'NaN'],
  ];
  for (const [value, text] of typed) expect(formatShort(value).replaceAll('\u2009', ' ')).toBe(text);
  expect(asTyped(formatLoss(-4.2e-8))).toBe('-4.200e-8');
});
