// The digits on the page: the networks learn, TensorFlow.js beside ours when asked for, and what is shown of them
// agrees with itself.
import { expect, test } from '@playwright/test';
import { duration, figure, goToDigits, openPage, problems, watchPage } from './demo-page.ts';

watchPage();

test('both networks learn the digits to more than 90 % and the time per step is shown', async ({ page }) => {
  await openPage(page);
  await goToDigits(page);
  const accuracies = [page.locator('#digits-left-accuracy'), page.locator('#digits-right-accuracy')];
  for (const accuracy of accuracies) expect(await figure(accuracy)).toBeLessThan(30);
  await page.locator('#digits-speed').selectOption('many');
  await page.locator('#digits-play').click();
  for (const accuracy of accuracies) {
    await expect.poll(() => figure(accuracy), { timeout: 30_000 }).toBeGreaterThan(90);
  }
  await page.locator('#digits-play').click();
  for (const id of ['left', 'right']) {
    expect(await figure(page.locator(`#digits-${id}-loss`))).toBeLessThan(1);
    expect(await figure(page.locator(`#digits-${id}-gradient`))).toBeGreaterThan(0);
    const ratio = await figure(page.locator(`#digits-${id}-ratio`));
    expect(ratio).toBeGreaterThan(1e-5);
    expect(ratio).toBeLessThan(0.1);
    const step = await duration(page.locator(`#digits-${id}-optimizer-time`));
    expect(step).toBeGreaterThan(0);
    expect(step).toBeLessThan(await duration(page.locator(`#digits-${id}-training-time`)));
  }
  const verdicts = page.locator('#digits-gallery li:not(.empty) .verdict:visible');
  const mistaken = await figure(page.locator('#digits-mistaken'));
  const wrong = await Promise.all(
    accuracies.map(async (cell) => Math.round(2.99 * (100 - (await figure(cell))))),
  );
  expect(mistaken).toBeGreaterThanOrEqual(Math.max(...wrong));
  expect(mistaken).toBeLessThanOrEqual(wrong[0] + wrong[1]);
  await expect(page.locator('#digits-gallery li:not(.empty)')).toHaveCount(Math.min(20, mistaken));
  await page.locator('#digits-show').selectOption('first');
  await expect(page.locator('#digits-gallery li:not(.empty)')).toHaveCount(20);
  expect(await verdicts.filter({ hasText: '✓' }).count()).toBeGreaterThan(30);

  await page.locator('#digits-reset').click();
  await expect(page.locator('#digits-steps')).toHaveText('0');
  for (const accuracy of accuracies) expect(await figure(accuracy)).toBeLessThan(30);
  expect(problems).toEqual([]);
});

test('TensorFlow.js trains the same network from the same weights, with its own Adam and with ours', async ({
  page,
}) => {
  await openPage(page);
  await goToDigits(page);
  const button = page.locator('#digits-tfjs');
  await button.click();
  await expect(button).toHaveText('TensorFlow.js takes part', { timeout: 30_000 });
  await page.locator('#digits-step').click();
  const losses = () =>
    Promise.all(['left', 'tfjs', 'tfours'].map((id) => figure(page.locator(`#digits-${id}-loss`))));
  const first = await losses();
  expect(first[1] / first[0]).toBeCloseTo(1, 3);
  expect(first[2] / first[0]).toBeCloseTo(1, 3);
  for (let step = 0; step < 30; step++) await page.locator('#digits-step').click();
  const later = await losses();
  expect(later[1] / later[0]).toBeCloseTo(1, 1);
  expect(later[2] / later[0]).toBeCloseTo(1, 3);
  expect(later[2]).toBeLessThan(first[2]);
  for (const id of ['left', 'tfjs', 'tfours']) {
    const colors = await page.locator(`#digits-${id}-weights`).evaluate((canvas: HTMLCanvasElement) => {
      const data = canvas.getContext('2d')?.getImageData(0, 0, canvas.width, canvas.height).data ?? [];
      return new Set(new Uint32Array(Uint8Array.from(data).buffer)).size;
    });
    expect(colors, id).toBeGreaterThan(50);
  }
  expect(problems).toEqual([]);
});

test('any two optimizers learn; what belongs to nobody is not there', async ({ page }) => {
  await openPage(page, '#digits-left-who=lion&digits-left-rate=0.002');
  await goToDigits(page);
  await expect(page.locator('#digits thead')).toHaveText(/Lion\s*Adamax/, { useInnerText: true });
  await expect(page.locator('#digits-tfjs-loss')).toBeHidden();
  await page.locator('#digits-right-who').selectOption('nadam');
  await expect(page.locator('#digits-right-rate')).toHaveValue('0.005');
  await expect(page.locator('#digits-left-who option[value="nadam"]')).toBeDisabled();
  await page.locator('#digits-step').click();
  // All that is told of a step is there after the first, as people write it.
  for (const what of ['loss', 'gradient', 'ratio'])
    await expect(page.locator(`#digits-left-${what}`)).toHaveText(/^\d+\.\d+$/);
  const first = await figure(page.locator('#digits-left-loss'));
  for (let step = 0; step < 40; step++) await page.locator('#digits-step').click();
  for (const side of ['left', 'right'])
    expect(await figure(page.locator(`#digits-${side}-loss`))).toBeLessThan(first);
  // Every digit says what it is, beside what it is taken for.
  const digit = page.locator('#digits-gallery li:not(.empty)').first();
  const label = await digit.locator('canvas').getAttribute('aria-label');
  await expect(digit.locator('.truth')).toHaveText(`is ${label?.split(' ').pop()}`);
  expect(problems).toEqual([]);
});
