// The demo page as a visitor meets it: it loads cleanly, both races and both trainings work, its figures are
// the library's own, and it stands up on a phone, in the dark and when something fails. Formulas are checked
// in demo-math.spec.ts.
import { expect, type Locator, type Page, test } from '@playwright/test';

declare global {
  var simdescent: typeof import('simdescent');
  var shifts: number[];
}

const problems: string[] = [];

// High enough that the whole map is in view without scrolling.
test.use({ viewport: { width: 1280, height: 1000 } });

test.beforeEach(async ({ page }) => {
  problems.length = 0;
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') problems.push(message.text());
  });
  page.on('pageerror', (error) => problems.push(error.message));
  page.on('requestfailed', (request) => problems.push(`failed: ${request.url()}`));
  // Nothing moves by itself: each test decides what runs.
  await page.emulateMedia({ reducedMotion: 'reduce' });
});

async function openPage(page: Page): Promise<void> {
  await page.goto('./');
  await expect(page.locator('#race-play')).toBeEnabled();
  await expect(page.locator('#digits-play')).toBeEnabled();
}

/** A figure of the page as a number: minus signs, units and the like removed. */
async function figure(cell: Locator): Promise<number> {
  const text = await cell.innerText();
  return Number.parseFloat(text.replace('−', '-').replace('e−', 'e-'));
}

async function startPoint(page: Page): Promise<number[]> {
  const text = (await page.locator('#race-start').innerText()).replaceAll('−', '-');
  return JSON.parse(text.replace('(', '[').replace(')', ']'));
}

const pressStep = async (page: Page, times: number) => {
  for (let count = 0; count < times; count++) await page.locator('#race-step').click();
};

test('loads without a complaint and names the engine', async ({ page }) => {
  await openPage(page);
  await expect(page).toHaveTitle(/simdescent/);
  await expect(page.locator('#engine')).toContainText('WebAssembly');
  await expect(page.locator('#error')).toBeHidden();
  await expect(page.getByRole('link', { name: 'CC BY 4.0' })).toBeVisible();
  expect(problems).toEqual([]);
});

test('every control has a name', async ({ page }) => {
  await openPage(page);
  for (const control of await page.locator('button, input, select, [tabindex]').all()) {
    await expect(control).toHaveAccessibleName(/\w/);
  }
});

test('playing lowers both losses on every surface; pause holds, reset goes back', async ({ page }) => {
  await openPage(page);
  await page.locator('#race-speed').selectOption('4');
  for (const surface of await page.locator('#race-surface option').all()) {
    await page.locator('#race-surface').selectOption(await surface.innerText());
    const before = [
      await figure(page.locator('#race-adam-loss')),
      await figure(page.locator('#race-adamax-loss')),
    ];
    await page.locator('#race-play').click();
    await expect(page.locator('#race-play')).toHaveText('Pause');
    await page.waitForFunction(() => Number(document.querySelector('#race-steps')?.textContent) > 60);
    await page.locator('#race-play').click();
    const held = await page.locator('#race-steps').innerText();
    expect(await figure(page.locator('#race-adam-loss'))).toBeLessThan(before[0]);
    expect(await figure(page.locator('#race-adamax-loss'))).toBeLessThan(before[1]);
    await page.waitForTimeout(100);
    await expect(page.locator('#race-steps')).toHaveText(held);
    await expect(page.locator('#race-state')).toHaveText(`Paused at step ${held}`);

    await page.locator('#race-reset').click();
    await expect(page.locator('#race-steps')).toHaveText('0');
    expect(await figure(page.locator('#race-adam-loss'))).toBe(before[0]);
  }
});

test('a race ends by itself when both have arrived', async ({ page }) => {
  await openPage(page);
  await page.locator('#race-speed').selectOption('64');
  await page.locator('#race-play').click();
  await expect(page.locator('#race-state')).toHaveText(/^Finished after \d+ steps$/, { timeout: 20_000 });
  await expect(page.locator('#race-adam-arrival')).toHaveText(/^step \d+$/);
  await expect(page.locator('#race-adamax-arrival')).toHaveText(/^step \d+$/);
  for (const cell of ['#race-adam-x', '#race-adam-y', '#race-adamax-x', '#race-adamax-y']) {
    expect(await figure(page.locator(cell))).toBeCloseTo(1, 2);
  }
  await expect(page.locator('#race-play')).toHaveText('Play');
});

test('the figures are those of the library, also when a rate changes on the way', async ({ page }) => {
  await openPage(page);
  await pressStep(page, 20);
  await page.getByLabel('Adam learning rate', { exact: true }).first().fill('0.05');
  await pressStep(page, 15);
  await expect(page.locator('#race-steps')).toHaveText('35');

  const expected = await page.evaluate(() => {
    const { Adam, Adamax, Variable } = globalThis.simdescent;
    return [Adam, Adamax].map((Optimizer) => {
      const variable = new Variable(new Float32Array([-1.2, 1]), { name: 'point' });
      const optimizer = new Optimizer({ learningRate: 0.02 });
      optimizer.build([variable]);
      for (let step = 0; step < 35; step++) {
        if (step === 20 && Optimizer === Adam) optimizer.learningRate = 0.05;
        const [x, y] = variable.value;
        optimizer.apply([new Float32Array([2 * (x - 1) - 400 * x * (y - x ** 2), 200 * (y - x ** 2)])]);
      }
      const [x, y] = variable.value;
      optimizer.dispose();
      variable.dispose();
      return { x, y, loss: (1 - x) ** 2 + 100 * (y - x ** 2) ** 2 };
    });
  });
  for (const [index, id] of ['adam', 'adamax'].entries()) {
    expect(await figure(page.locator(`#race-${id}-x`))).toBeCloseTo(expected[index].x, 4);
    expect(await figure(page.locator(`#race-${id}-y`))).toBeCloseTo(expected[index].y, 4);
    expect((await figure(page.locator(`#race-${id}-loss`))) / expected[index].loss).toBeCloseTo(1, 3);
  }
  expect(expected[0].x).not.toBeCloseTo(expected[1].x, 2);
});

test('a click, a drag and the arrow keys choose the start', async ({ page }) => {
  await openPage(page);
  const map = page.locator('#race-map');
  const { width, height } = (await map.boundingBox()) ?? { width: 0, height: 0 };
  const click = async (x: number, y: number) => {
    await map.click({ position: { x: x * width, y: y * height } });
    return startPoint(page);
  };
  await pressStep(page, 3);
  const [left, middle, right] = [await click(0.25, 0.25), await click(0.5, 0.5), await click(0.75, 0.75)];
  expect((left[0] + right[0]) / 2).toBeCloseTo(middle[0], 1);
  expect((left[1] + right[1]) / 2).toBeCloseTo(middle[1], 1);
  expect(right[0] - left[0]).toBeGreaterThan(1.9);
  expect(left[1] - right[1]).toBeGreaterThan(1.9);
  await expect(page.locator('#race-steps')).toHaveText('0');
  expect(await figure(page.locator('#race-adam-x'))).toBe(right[0]);
  expect(await click(0.002, 0.002)).toEqual([-2, 3]);
  expect(await click(0.998, 0.998)).toEqual([2, -1]);

  await click(0.5, 0.5);
  await page.mouse.down();
  await page.mouse.move(0, 40, { steps: 4 });
  await page.mouse.up();
  expect(await startPoint(page)).toEqual([-2, 3]);

  await map.press('ArrowRight');
  await map.press('Shift+ArrowDown');
  expect(await startPoint(page)).toEqual([-1.96, 2.6]);
  await map.press(' ');
  await expect(page.locator('#race-play')).toHaveText('Pause');
});

test('nonsense for a learning rate is refused visibly and changes nothing', async ({ page }) => {
  await openPage(page);
  const field = page.getByLabel('Adam learning rate', { exact: true }).first();
  const message = page.locator('#race-adam-rate-message');
  await pressStep(page, 1);
  const honest = await page.locator('#race-adam-x').innerText();
  for (const nonsense of ['fast', '', '-0.1', '0', '1e-60', 'Infinity', '0.1.2', '0x10', '11']) {
    await page.locator('#race-reset').click();
    await field.fill(nonsense);
    await expect(message).toHaveText(/; still using 0\.02\.$/);
    await expect(message).toBeVisible();
    await expect(field).toHaveAttribute('aria-invalid', 'true');
    await pressStep(page, 1);
    await expect(page.locator('#race-adam-x')).toHaveText(honest);
  }
  await field.fill('0,1');
  await expect(message).toHaveText('');
  await expect(field).toHaveAttribute('aria-invalid', 'false');
  await page.locator('#race-reset').click();
  await pressStep(page, 1);
  await expect(page.locator('#race-adam-x')).not.toHaveText(honest);
  await page.locator('#race-adam-rate-slider').press('Home');
  await expect(field).toHaveValue('0.0001');
});

test('both networks learn the digits to more than 90 % and the time per step is shown', async ({ page }) => {
  await openPage(page);
  const accuracies = [page.locator('#digits-adam-accuracy'), page.locator('#digits-adamax-accuracy')];
  for (const accuracy of accuracies) expect(await figure(accuracy)).toBeLessThan(30);
  await page.locator('#digits-speed').selectOption('many');
  await page.locator('#digits-play').click();
  for (const accuracy of accuracies) {
    await expect.poll(() => figure(accuracy), { timeout: 30_000 }).toBeGreaterThan(90);
  }
  await page.locator('#digits-play').click();
  for (const id of ['adam', 'adamax']) {
    expect(await figure(page.locator(`#digits-${id}-loss`))).toBeLessThan(1);
    const step = await figure(page.locator(`#digits-${id}-optimizer-time`));
    expect(step).toBeGreaterThan(0);
    expect(step).toBeLessThan(await figure(page.locator(`#digits-${id}-training-time`)));
  }
  const verdicts = page.locator('#digits-gallery .verdict');
  await expect(verdicts).toHaveCount(40);
  expect(await verdicts.filter({ hasText: '✓' }).count()).toBeGreaterThan(30);

  await page.locator('#digits-reset').click();
  await expect(page.locator('#digits-steps')).toHaveText('0');
  for (const accuracy of accuracies) expect(await figure(accuracy)).toBeLessThan(30);
  expect(problems).toEqual([]);
});

test('runs on opening unless the visitor wants less motion', async ({ page }) => {
  await openPage(page);
  await page.waitForTimeout(100);
  await expect(page.locator('#race-steps')).toHaveText('0');
  await page.emulateMedia({ reducedMotion: 'no-preference' });
  await openPage(page);
  await expect.poll(() => figure(page.locator('#race-steps'))).toBeGreaterThan(10);
});

for (const width of [360, 390, 820, 1440]) {
  test(`at a width of ${width} pixels nothing sticks out and nothing jumps`, async ({ page }) => {
    await page.setViewportSize({ width, height: 840 });
    await page.addInitScript(() => {
      globalThis.shifts = [];
      new PerformanceObserver((list) => {
        for (const entry of list.getEntries())
          globalThis.shifts.push((entry as PerformanceEntry & { value: number }).value);
      }).observe({ type: 'layout-shift', buffered: true });
    });
    await openPage(page);
    const layout = () =>
      page.evaluate(() => ({
        overflow: document.documentElement.scrollWidth - innerWidth,
        height: document.documentElement.scrollHeight,
        button: document.querySelector('#race-play')?.getBoundingClientRect().top,
      }));
    const before = await layout();
    expect(before.overflow).toBe(0);
    await page.evaluate(() => scrollTo(0, 0));
    await page.locator('#race-adamax-rate').fill('nonsense');
    await pressStep(page, 1);
    await page.locator('#digits-step').click();
    await page.evaluate(() => scrollTo(0, 0));
    expect(await layout()).toEqual(before);
    const shifts = await page.evaluate(() => globalThis.shifts);
    expect(shifts.reduce((sum, value) => sum + value, 0)).toBeLessThan(0.02);
  });
}

test('the map follows the system from light to dark', async ({ page }) => {
  await page.emulateMedia({ colorScheme: 'light' });
  await openPage(page);
  const brightness = () =>
    page.locator('#race-ground').evaluate((canvas: HTMLCanvasElement) => {
      const data = canvas.getContext('2d')?.getImageData(0, 0, canvas.width, canvas.height).data;
      return data
        ? data.reduce((sum, value, index) => (index % 4 < 3 ? sum + value : sum), 0) / data.length
        : -1;
    });
  const light = await brightness();
  await page.emulateMedia({ colorScheme: 'dark' });
  await expect.poll(brightness).toBeLessThan(light / 2);
});

test.describe('by touch', () => {
  test.use({ hasTouch: true, viewport: { width: 390, height: 844 } });
  test('a tap sets the start', async ({ page }) => {
    await openPage(page);
    await page.locator('#race-map').tap({ position: { x: 1, y: 1 } });
    expect(await startPoint(page)).toEqual([-2, 3]);
  });
});

test('says so on the page when the library or the digits cannot be loaded', async ({ page }) => {
  await page.route('**/digits*.bin*', (route) => route.fulfill({ status: 404 }));
  await page.goto('./');
  await expect(page.locator('#error')).toContainText('digits');
  await expect(page.locator('#race-play')).toBeEnabled();
  await page.route('**/dist/index.js*', (route) => route.abort());
  await page.goto('./');
  await expect(page.locator('#error')).toBeVisible();
  await expect(page.locator('#error-text')).toHaveText(/\w/);
  await expect(page.locator('#race-play')).toBeDisabled();
});
