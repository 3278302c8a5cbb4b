// The maps: every number that they show is the number that the library gives when it is asked directly.
import { expect, type Page, test } from '@playwright/test';
import { asTyped, figure, openPage, problems, startPoint, watchPage } from './demo-page.ts';

test.use({ viewport: { width: 1280, height: 1000 } });
watchPage();

const numbersIn = (text: string) =>
  asTyped(text)
    .match(/-?\d+(\.\d+)?(e-?\d+)?/g)
    ?.map(Number) ?? [];

async function openMap(page: Page, which: 'basin' | 'rates', hash: string): Promise<void> {
  await openPage(page, hash);
  await page.locator(`#${which}-maps`).scrollIntoViewIfNeeded();
  await expect(page.locator(`#${which}-state`)).toHaveText('Complete', { timeout: 30_000 });
}

/** Moves the pointer to a place of a map, in shares of its size, and returns what the page says of it. */
async function readAt(page: Page, id: string, x: number, y: number): Promise<string> {
  const map = page.locator(`#${id}`);
  const { width, height } = (await map.boundingBox()) ?? { width: 0, height: 0 };
  await map.hover({ position: { x: x * width, y: y * height } });
  return page.locator(`#${id}-reading`).innerText();
}

/** Steps from a start until the nearest of the minima of Himmelblau is within 0.01. */
const arrival = (page: Page, optimizer: 'Adam' | 'Adamax', start: number[], learningRate = 0.1) =>
  page.evaluate(
    ([name, point, learningRate]) => {
      const { Adam, Adamax, Variable } = globalThis.simdescent;
      const variable = new Variable(Float32Array.from(point), { name: 'point' });
      const runner = new { Adam, Adamax }[name]({ learningRate, beta2: 0.99 });
      runner.build([variable]);
      const minima = [
        [3, 2],
        [-2.805118086952745, 3.131312518250573],
        [-3.779310253377747, -3.283185991286169],
        [3.584428340330492, -1.848126526964404],
      ];
      for (let step = 0; step <= 500; step++) {
        const [x, y] = variable.value;
        const near = minima.find(([mx, my]) => Math.hypot(x - mx, y - my) < 0.01);
        if (near) return { step, near };
        const [a, b] = [x * x + y - 11, x + y * y - 7];
        variable.gradient.set([4 * a * x + 2 * b, 2 * a + 4 * b * y]);
        runner.step();
      }
      return null;
    },
    [optimizer, start, learningRate] as const,
  );

test('each pixel of the basin map is a run of the library', async ({ page }) => {
  await openMap(page, 'basin', '#basin-left-rate=0.1&basin-right-rate=0.1&basin-side=128');
  for (const [id, name] of [
    ['left', 'Adam'],
    ['right', 'Adamax'],
  ] as const) {
    for (const [x, y] of [
      [0.3, 0.3],
      [0.5, 0.6],
      [0.8, 0.2],
    ]) {
      const text = await readAt(page, `basin-${id}`, x, y);
      const [startX, startY, step, endX, endY] = numbersIn(text);
      const exact = [startX, startY].map(
        (value) => (Math.round(((value + 5) * 128) / 10 - 0.5) + 0.5) * (10 / 128) - 5,
      );
      const expected = await arrival(page, name, exact);
      expect(step, text).toBe(expected?.step);
      expect(endX).toBeCloseTo(expected?.near[0] ?? 0, 3);
      expect(endY).toBeCloseTo(expected?.near[1] ?? 0, 3);
    }
    await expect(page.locator(`#basin-${id}-summary`)).toHaveText(
      /^100\.0 % arrive, half of them by step \d+$/,
    );
    // 128 × 128 starts of two coordinates, until the last has arrived.
    const effort = await page.locator(`#basin-${id}-effort`).innerText();
    const [updates] = numbersIn(effort);
    expect(updates).toBeGreaterThan((2 * 128 * 128 * 50) / 1e6);
    expect(updates).toBeLessThan((2 * 128 * 128 * 500) / 1e6);
    expect(effort).toMatch(/M\/s with gradients, .*\/s in the optimizer/);
  }
  expect(problems).toEqual([]);
});

test('other settings make another map; a click on it shows the ways from there and offers the race', async ({
  page,
}) => {
  await openMap(page, 'basin', '#basin-side=128');
  const summary = page.locator('#basin-left-summary');
  const before = await summary.innerText();
  await page.locator('#basin-left-rate').fill('0.02');
  // What stood there was about the other rate.
  await expect(summary).not.toHaveText(before, { timeout: 1000 });
  await expect(summary).toHaveText(/arrive/, { timeout: 20_000 });
  await page.locator('#basin-left-rate-slider').press('Home');
  await expect(summary).toHaveText(/^0\.\d % arrive/);

  const map = page.locator('#basin-right');
  const { width, height } = (await map.boundingBox()) ?? { width: 0, height: 0 };
  await expect(page.locator('#basin-race')).toBeDisabled();
  await map.click({ position: { x: 0.999 * width, y: 0.001 * height } });
  await map.press('ArrowDown');
  await map.press('Shift+ArrowLeft');
  await map.press('Enter');
  const walked = page.locator('#basin-walked');
  // The middle of the pixel, of 10 / 128, that (4, 4.8) lies in.
  const start = [4.0234375, 4.8046875];
  const expected = await arrival(page, 'Adamax', start, 0.2);
  await expect(page.locator('#basin-right-reading')).toContainText(
    `(4.0234, 4.8047): step ${expected?.step},`,
  );
  await expect(walked).toHaveText(
    `From (4.0234, 4.8047): Adam does not arrive in 500 steps; Adamax arrives at step ${expected?.step}.`,
  );
  await expect(page.locator('#race-surface')).toHaveValue('rosenbrock');
  const colors = () =>
    map.locator('canvas').evaluate((canvas: HTMLCanvasElement) => {
      const data = canvas.getContext('2d')?.getImageData(0, 0, canvas.width, canvas.height).data ?? [];
      // Pixels of Adamax' orange, #c2410c.
      let count = 0;
      for (let index = 0; index < data.length; index += 4)
        if (data[index] === 0xc2 && data[index + 1] === 0x41 && data[index + 2] === 0x0c) count += 1;
      return count;
    });
  expect(await colors()).toBeGreaterThan(30);
  await page.locator('#basin-race').click();
  expect(await startPoint(page)).toEqual([4.0234, 4.8047]);
  await expect(page).toHaveURL(new RegExp(`race-start=${start}(&|$)`));
  await expect(page.locator('#race-surface')).toHaveValue('himmelblau');
  await expect(page.locator('#race-adam-rate')).toHaveValue('0.0001');
  await expect(page.locator('#race-adamax-rate')).toHaveValue('0.2');
  await expect(page.locator('#race-adamax-beta2')).toHaveValue('0.99');
  await expect(page.locator('#race-map')).toBeInViewport();
  await page.locator('#race-speed').selectOption('64');
  await page.locator('#race-play').click();
  await expect(page.locator('#race-adamax-arrival')).toHaveText(`step ${expected?.step}`);
  // The ways were about the settings that were.
  await page.locator('#basin-beta1').fill('0.8');
  await expect(walked).toHaveText('');
  await expect(page.locator('#basin-race')).toBeDisabled();
  expect(await colors()).toBe(0);
});

test('long work can be stopped, and run again', async ({ page }) => {
  await openPage(page, '#basin-surface=rastrigin&basin-steps=2000&basin-side=512');
  await page.locator('#basin-maps').scrollIntoViewIfNeeded();
  const state = page.locator('#basin-state');
  await expect(state).toHaveText('Computing …');
  const progress = () => page.locator('#basin-progress').evaluate((bar: HTMLProgressElement) => bar.value);
  await expect.poll(progress, { timeout: 20_000 }).toBeGreaterThan(0);
  // The page itself stays awake meanwhile. A busy machine may take the core away from it for a while, so
  // one quiet stretch is enough: a page that computed by itself would have none.
  const longestFrame = () =>
    page.evaluate(async () => {
      let [longest, last] = [0, performance.now()];
      for (const end = last + 500; last < end; ) {
        await new Promise(requestAnimationFrame);
        longest = Math.max(longest, performance.now() - last);
        last = performance.now();
      }
      return longest;
    });
  await expect.poll(longestFrame, { timeout: 20_000 }).toBeLessThan(300);
  await expect(state).toHaveText('Computing …');
  await page.locator('#basin-run').click();
  await expect(state).toHaveText('Stopped');
  const held = await progress();
  expect(held).toBeLessThan(1);
  await page.waitForTimeout(300);
  expect(await progress()).toBe(held);
  await page.locator('#basin-surface').selectOption('saddle');
  await page.locator('#basin-side').selectOption('128');
  await expect(state).toHaveText('Complete', { timeout: 30_000 });
});

test('each cell of the map of the rates is a run of the library; a click races with it', async ({ page }) => {
  await openMap(page, 'rates', '#basin-steps=250');
  for (const [id, name] of [
    ['left', 'Adam'],
    ['right', 'Adamax'],
  ] as const) {
    for (const [x, y] of [
      [0.3, 0.3],
      [0.45, 0.2],
    ]) {
      const [rate, beta2, loss] = numbersIn(
        (await readAt(page, `rates-${id}`, x, y)).replace('rate', '').replace('β₂', ''),
      );
      const expected = await page.evaluate(
        ([name, learningRate, beta2]) => {
          const { Adam, Adamax, Variable } = globalThis.simdescent;
          const variable = new Variable(new Float32Array([-1.2, 1]), { name: 'point' });
          const runner = new { Adam, Adamax }[name]({ learningRate, beta2 });
          runner.build([variable]);
          for (let step = 0; step < 250; step++) {
            const [x, y] = variable.value;
            variable.gradient.set([2 * (x - 1) - 400 * x * (y - x ** 2), 200 * (y - x ** 2)]);
            runner.step();
          }
          const [x, y] = variable.value;
          return (1 - x) ** 2 + 100 * (y - x ** 2) ** 2;
        },
        [name, rate, beta2] as const,
      );
      expect(loss / expected).toBeCloseTo(1, 1.9);
    }
    const map = page.locator(`#rates-${id}`);
    const { width, height } = (await map.boundingBox()) ?? { width: 0, height: 0 };
    await map.click({ position: { x: 0.5 * width, y: 0.5 * height } });
    const [rate, beta2] = numbersIn(
      (await page.locator(`#rates-${id}-reading`).innerText()).replace('β₂', ''),
    );
    expect(await page.locator(`#race-${name.toLowerCase()}-rate`).inputValue()).toBe(String(rate));
    expect(await page.locator(`#race-${name.toLowerCase()}-beta2`).inputValue()).toBe(String(beta2));
    expect(await figure(page.locator('#race-steps'))).toBe(0);
  }
  expect(problems).toEqual([]);
});

test('any optimizer has maps, over any of its hyperparameters, also where steps depend on the place', async ({
  page,
}) => {
  const hash =
    '#maps-left-who=sgd&maps-right-who=ftrl&basin-left-rate=0.01&basin-right-rate=0.5&basin-side=128&basin-steps=100&race-surface=ravine';
  await openMap(page, 'basin', hash);
  await expect(page.locator('#basin-left-summary')).toHaveText(/^\d+\.\d % arrive/);
  await page.locator('#rates-maps').scrollIntoViewIfNeeded();
  await expect(page.locator('#rates-state')).toHaveText('Complete', { timeout: 30_000 });
  for (const [side, name, option] of [
    ['left', 'SGD', 'momentum'],
    ['right', 'Ftrl', 'initialAccumulatorValue'],
  ] as const) {
    const [rate, value, loss] = numbersIn(
      (await readAt(page, `rates-${side}`, 0.6, 0.6)).replace(/rate|momentum|initial sum/g, ''),
    );
    const expected = await page.evaluate(
      ([name, learningRate, option, value]) => {
        const { SGD, Ftrl, Variable } = globalThis.simdescent;
        const variable = new Variable(new Float32Array([-1.7, -0.6]), { name: 'point' });
        const runner = new { SGD, Ftrl }[name]({ learningRate, [option]: value });
        runner.build([variable]);
        for (let step = 0; step < 100; step++) {
          const [x, y] = variable.value;
          variable.gradient.set([0.1 * (x + y) + 10 * (x - y), 0.1 * (x + y) - 10 * (x - y)]);
          runner.step();
        }
        const [x, y] = variable.value;
        return 0.05 * (x + y) ** 2 + 5 * (x - y) ** 2;
      },
      [name, rate, option, value] as const,
    );
    expect(loss / expected, name).toBeCloseTo(1, 1.9);
  }
  await page.locator('#rates-right').click({ position: { x: 150, y: 60 } });
  await expect(page.locator('#race-ftrl-rate')).toBeVisible();
  expect(problems).toEqual([]);
});
