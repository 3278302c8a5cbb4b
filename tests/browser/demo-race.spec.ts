// The race as a visitor meets it: it loads cleanly, runs, its figures are the library's own, and every control
// does what it says. Formulas are checked in demo-math.spec.ts.
import { expect, test } from '@playwright/test';
import { figure, openPage, pressStep, problems, startPoint, watchPage } from './demo-page.ts';

// High enough that the whole map is in view without scrolling.
test.use({ viewport: { width: 1280, height: 1000 } });
watchPage();

test('loads without a complaint and names the engine', async ({ page }) => {
  await openPage(page);
  await expect(page).toHaveTitle(/simdescent/);
  await expect(page.locator('#engine')).toContainText('WebAssembly');
  await expect(page.locator('#error')).toBeHidden();
  await expect(page.getByRole('link', { name: 'CC BY 4.0' })).toBeVisible();
  expect(problems).toEqual([]);
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
  await page.locator('#race-adam-rate').fill('0.05');
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

/** What the table says that each keeps, by Keras' names. */
const kept: Record<string, RegExp> = {
  adam: /^momentum .+, velocity .+$/,
  adamax: /^momentum .+, norm .+$/,
  amsgrad: /^momentum .+, velocity .+, velocity hat .+$/,
  adamw: /^momentum .+, velocity .+$/,
  rmsprop: /^velocity .+$/,
};

test('every runner runs with its own settings under the schedule, and its effect is that of its state', async ({
  page,
}) => {
  await openPage(page);
  for (const id of ['amsgrad', 'adamw', 'rmsprop']) await page.locator('#race-add').selectOption(id);
  await page.locator('#race-schedule').selectOption('cosine');
  await page.locator('#race-schedule-steps').selectOption('300');
  await page.locator('.more summary').click();
  await page.locator('#race-adam-beta1').fill('0.8');
  await page.locator('#race-adam-epsilon').fill('0.01');
  await page.locator('#race-adamax-beta2').fill('0.9');
  await page.locator('#race-amsgrad-rate').fill('0.05');
  await page.locator('#race-adamw-decay').fill('0.3');
  await page.locator('#race-rmsprop-rho').fill('0.95');
  await pressStep(page, 30);
  const expected = await page.evaluate(() => {
    const { Adam, Adamax, AdamW, RMSprop, Variable, schedules } = globalThis.simdescent;
    const rate = (initialLearningRate: number) =>
      new schedules.CosineDecay({ initialLearningRate, decaySteps: 300 });
    const runners = {
      adam: new Adam({ learningRate: rate(0.02), beta1: 0.8, epsilon: 0.01 }),
      adamax: new Adamax({ learningRate: rate(0.02), beta2: 0.9 }),
      amsgrad: new Adam({ learningRate: rate(0.05), amsgrad: true }),
      adamw: new AdamW({ learningRate: rate(0.02), weightDecay: 0.3 }),
      rmsprop: new RMSprop({ learningRate: rate(0.02), rho: 0.95 }),
    };
    return Object.entries(runners).map(([id, runner]) => {
      const variable = new Variable(new Float32Array([-1.2, 1]), { name: 'point' });
      runner.build([variable]);
      let [before, decayed] = [0, 0];
      for (let step = 0; step < 30; step++) {
        const [x, y] = variable.value;
        [before, decayed] = [x, id === 'adamw' ? 0.3 * runner.learningRate * x : 0];
        variable.gradient.set([2 * (x - 1) - 400 * x * (y - x ** 2), 200 * (y - x ** 2)]);
        if (step < 29) runner.step();
      }
      const lastRate = runner.learningRate;
      runner.step();
      const [x, y] = variable.value;
      return { id, x, y, effect: (before - decayed - x) / lastRate };
    });
  });
  for (const { id, x, y, effect } of expected) {
    expect(await figure(page.locator(`#race-${id}-x`)), id).toBeCloseTo(x, 4);
    expect(await figure(page.locator(`#race-${id}-y`)), id).toBeCloseTo(y, 4);
    const shown = await figure(page.locator(`#race-${id}-x-effect`));
    expect(Math.abs(shown - effect), id).toBeLessThan(0.002);
    expect(await page.locator(`#race-${id}-x-kept`).innerText()).toMatch(kept[id]);
  }
  await page.locator('#race-adamw-off').click();
  await expect(page.locator('#race-adamw-x')).toHaveCount(0);
  await expect(page.locator('#race-steps')).toHaveText('0');
});

test('every optimizer of the package can race, up to eight at once, and no two look the same', async ({
  page,
}) => {
  await openPage(page);
  const add = page.locator('#race-add');
  const others = await add
    .locator('option:not([value=""])')
    .evaluateAll((options) => options.map((option) => (option as HTMLOptionElement).value));
  expect(others).toEqual(expect.arrayContaining(['sgd', 'lion', 'ftrl', 'radam', 'adadelta', 'lamb']));
  expect(others).not.toContain('muon');
  for (const id of others.slice(0, 6)) await add.selectOption(id);
  await expect(add).toBeDisabled();
  const keys = await page
    .locator('#race-standing use')
    .evaluateAll((uses) => uses.map((use) => use.getAttribute('href')));
  expect(new Set(keys).size).toBe(8);
  for (const id of others.slice(6)) {
    await page.locator('#race-runners .remove').first().click();
    await add.selectOption(id);
    await pressStep(page, 2);
    const loss = await figure(page.locator(`#race-${id}-loss`));
    expect(loss, id).toBeLessThan(40);
    expect(loss, id).not.toBe(24.2);
  }
  expect(problems).toEqual([]);
});

test('who leaves the numbers says why', async ({ page }) => {
  await openPage(page, '#race-runners=sgd,adam&race-sgd-rate=1');
  await pressStep(page, 8);
  await expect(page.locator('#race-sgd-arrival')).toHaveText('lost');
  await expect(page.locator('#race-lost')).toContainText('SGD is lost: at (');
  await expect(page.locator('#race-lost')).toContainText('a smaller learning rate may help');
  await expect(page.locator('#race-adam-arrival')).toHaveText('not yet');
  // Ftrl divides by its rate, and a warm-up begins at 0.
  await openPage(page, '#race-runners=ftrl&race-schedule=warmup');
  await expect(page.locator('#race-ftrl-learningRatePower')).toHaveValue('-0.5');
  await pressStep(page, 1);
  await expect(page.locator('#race-lost')).toHaveText(/^Ftrl is lost: .*learning rate, which was 0\.$/);
});

test('the race rests out of sight and while speed is measured', async ({ page }) => {
  await openPage(page, '#race-surface=rastrigin&race-speed=1&speed-size=16777216');
  const steps = () => figure(page.locator('#race-steps'));
  await page.locator('#race-play').click();
  await expect.poll(steps).toBeGreaterThan(5);
  await page.locator('#speed-run').scrollIntoViewIfNeeded();
  await page.waitForTimeout(200);
  const held = await steps();
  await page.waitForTimeout(300);
  expect(await steps()).toBe(held);
  await expect(page.locator('#race-play')).toHaveText('Pause');
  await page.locator('#race-play').scrollIntoViewIfNeeded();
  await expect.poll(steps).toBeGreaterThan(held);
  await page.locator('#speed-run').dispatchEvent('click');
  await page.waitForTimeout(100);
  const measured = await steps();
  await page.waitForTimeout(300);
  expect(await steps()).toBe(measured);
  await page.locator('#speed-run').dispatchEvent('click');
  await expect.poll(steps).toBeGreaterThan(measured);
});

test('disturbed gradients come the same in every race, and seldom means seldom', async ({ page }) => {
  const after = async (kind: string, amount: string) => {
    await openPage(page, `#race-gradients=${kind}&race-amount=${amount}&race-at=300`);
    await expect(page.locator('#race-steps')).toHaveText('300');
    await expect(page.locator('#race-amount')).toBeEnabled({ enabled: kind !== 'exact' });
    return page.locator('#race-adam-x').innerText();
  };
  const runs = [await after('exact', '0'), await after('noise', '0.3'), await after('sparse', '0.1')];
  runs.push(await after('spikes', '0.02'));
  expect(new Set(runs).size).toBe(4);
  expect(await after('noise', '0.3')).toBe(runs[1]);
  // No noise, no spikes, and a gradient always are the exact gradient; a gradient never is none.
  for (const kind of ['noise', 'spikes']) expect(await after(kind, '0')).toBe(runs[0]);
  expect(await after('sparse', '1')).toBe(runs[0]);
  expect(await after('sparse', '0')).toBe('−1.2000');
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
  await page.mouse.move(0, ((await map.boundingBox())?.y ?? 0) - 10, { steps: 4 });
  await page.mouse.up();
  expect(await startPoint(page)).toEqual([-2, 3]);

  await map.press('ArrowRight');
  await map.press('Shift+ArrowDown');
  expect(await startPoint(page)).toEqual([-1.96, 2.6]);
  await map.press(' ');
  await expect(page.locator('#race-play')).toHaveText('Pause');
});

test('the map of an own formula can be zoomed and dragged; minima and the link follow', async ({ page }) => {
  await openPage(page);
  const zoomOut = page.locator('#race-zoom-out');
  await expect(zoomOut).toBeDisabled();
  // One minimum inside the window of Rosenbrock's surface, from -2 to 2 and from -1 to 3; another outside.
  await page.locator('#race-formula').fill('(x (x - 4))^2 + y^2');
  await expect(page.locator('#race-note')).toContainText('one lowest point');
  const map = page.locator('#race-map');
  await map.scrollIntoViewIfNeeded();
  const box = async () => (await map.boundingBox()) ?? { width: 0, height: 0, x: 0, y: 0 };
  const topLeft = { position: { x: 1, y: 1 } };
  await zoomOut.click();
  await map.click(topLeft);
  expect(await startPoint(page)).toEqual([-3, 4]);
  await pressStep(page, 3);
  await page.locator('#race-zoom-in').click();
  // The same minimum: the runners go on.
  await expect(page.locator('#race-steps')).toHaveText('3');
  for (let press = 0; press < 3; press++) await map.press('-');
  await expect(page.locator('#race-note')).toContainText('2 lowest points');
  await expect(page.locator('#race-steps')).toHaveText('0');
  await map.click(topLeft);
  expect(await startPoint(page)).toEqual([-6.75, 7.75]);
  // Dragged by a quarter of its width: 13.5 / 4, less the margins of the axes.
  const { width, height, x, y } = await box();
  await page.mouse.move(x + width / 2, y + height / 2);
  await page.mouse.down();
  await page.mouse.move(x + width / 4, y + height / 2, { steps: 5 });
  await page.mouse.up();
  // A drag chooses no start.
  expect(await startPoint(page)).toEqual([-6.75, 7.75]);
  await map.click(topLeft);
  const [left, top] = await startPoint(page);
  const shift = (13.5 * width) / 4 / (width - 38);
  expect(left).toBeCloseTo(-6.75 + shift, 1);
  expect(top).toBe(7.75);
  // The wheel zooms only a map that has the focus.
  await page.mouse.move(x + width / 2, y + height / 2);
  await page.mouse.wheel(0, -200);
  await expect(page).toHaveURL(/race-window=/);
  await expect.poll(() => page.url()).toMatch(new RegExp(`race-start=${left},7.75`));
  const window = () =>
    new URLSearchParams(new URL(page.url()).hash.slice(1)).get('race-window')?.split(',').map(Number);
  await expect.poll(() => (window()?.[1] ?? 0) - (window()?.[0] ?? 0)).toBeLessThan(10);
  const link = page.url();
  await openPage(page, '', link);
  expect(await startPoint(page)).toEqual([left, top]);
  await map.click({ position: { x: 1, y: 1 } });
  expect((await startPoint(page))[0]).toBeCloseTo(window()?.[0] ?? 0, 1);
  await openPage(page, '#race-surface=own&race-formula=x^2+y^2&race-window=3,1,a,b');
  await map.click(topLeft);
  expect(await startPoint(page)).toEqual([-2, 3]);
  await page.locator('#race-surface').selectOption('beale');
  await expect(zoomOut).toBeDisabled();
  expect(problems).toEqual([]);
});

test('nonsense for a learning rate is refused visibly and changes nothing', async ({ page }) => {
  await openPage(page);
  const field = page.locator('#race-adam-rate');
  const message = page.locator('#race-message');
  await pressStep(page, 1);
  const honest = await page.locator('#race-adam-x').innerText();
  for (const nonsense of ['fast', '', '-0.1', '0', '1e-60', 'Infinity', '0.1.2', '0x10', '11']) {
    await page.locator('#race-reset').click();
    await field.fill(nonsense);
    await expect(message).toHaveText(/^Adam learning rate: .*; still using 0\.02\.$/);
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

test('runs on opening unless the visitor wants less motion', async ({ page }) => {
  await openPage(page);
  await page.waitForTimeout(100);
  await expect(page.locator('#race-steps')).toHaveText('0');
  await page.emulateMedia({ reducedMotion: 'no-preference' });
  await openPage(page, '#at=race');
  await expect.poll(() => figure(page.locator('#race-steps'))).toBeGreaterThan(10);
});

test.describe('by touch', () => {
  test.use({ hasTouch: true, viewport: { width: 390, height: 844 } });
  test('a tap sets the start', async ({ page }) => {
    await openPage(page);
    await page.locator('#race-map').tap({ position: { x: 1, y: 1 } });
    expect(await startPoint(page)).toEqual([-2, 3]);
  });
});
