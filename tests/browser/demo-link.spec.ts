// What leaves the page: a link that brings back the picture, and a program that makes the same steps.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, type Page, test } from '@playwright/test';
import { figure, goToDigits, openPage, pressStep, problems, watchPage } from './demo-page.ts';

test.use({ viewport: { width: 1280, height: 1000 }, permissions: ['clipboard-read', 'clipboard-write'] });
watchPage();

// Playwright asks programs for colours; numbers in colour are not numbers.
const plainEnv = { ...process.env, FORCE_COLOR: '0' };
const clipboard = (page: Page) => page.evaluate(() => navigator.clipboard.readText());
const cells = ['x', 'y', 'loss'].flatMap((what) =>
  ['adam', 'adamax', 'amsgrad', 'adamw'].map((id) => `#race-${id}-${what}`),
);
/** Those whose options are of other kinds. */
const more = ['nesterov', 'adadelta', 'lion', 'schedulefreeadamw'];
const figures = (page: Page) => Promise.all(cells.map((cell) => page.locator(cell).innerText()));

async function setUp(page: Page): Promise<void> {
  await page.locator('#race-surface').selectOption('beale');
  await page.locator('#race-map').press('ArrowLeft');
  for (const id of ['amsgrad', 'adamw']) await page.locator('#race-add').selectOption(id);
  await page.locator('#race-adam-rate').fill('0.03');
  await page.locator('.more summary').click();
  await page.locator('#race-adamax-beta2').fill('0.97');
  await page.locator('#race-adamw-decay').fill('0.2');
  await page.locator('#race-schedule').selectOption('warmup');
  await page.locator('#race-schedule-steps').selectOption('300');
}

test('a link brings back the race at its step, and nothing else stands in it', async ({ page }) => {
  await openPage(page);
  await page.locator('#race-copy-link').click();
  expect(await clipboard(page)).not.toContain('#');
  await setUp(page);
  await page.locator('#race-gradients').selectOption('spikes');
  await page.locator('#race-amount').fill('0.1');
  await page.locator('#basin-beta1').fill('0.8');
  await goToDigits(page);
  await page.locator('#digits-right-rate').fill('0.02');
  await pressStep(page, 25);
  const before = await figures(page);
  await page.locator('#race-copy-link').click();
  await expect(page.locator('#race-copy-link')).toHaveText('Copied');
  const link = await clipboard(page);
  expect(link).toContain('race-at=25');
  await expect(page).toHaveURL(link);

  await openPage(page, '', link);
  await expect(page.locator('#race-steps')).toHaveText('25');
  await expect(page.locator('#race-state')).toHaveText('Paused at step 25');
  expect(await figures(page)).toEqual(before);
  expect(await page.locator('#basin-beta1').inputValue()).toBe('0.8');
  await goToDigits(page);
  expect(await page.locator('#digits-right-rate').inputValue()).toBe('0.02');
  // Gradients with spikes make a difference, and the same one for everybody.
  await page.locator('#race-gradients').selectOption('exact');
  await pressStep(page, 25);
  expect(await figures(page)).not.toEqual(before);

  // A race whose settings changed on the way cannot be repeated: its link brings back the settings only.
  await page.locator('#race-adam-rate').fill('0.04');
  await pressStep(page, 1);
  await expect(page).toHaveURL(/race-adam-rate=0\.04/);
  await expect(page).not.toHaveURL(/race-at/);
  expect(problems).toEqual([]);
});

test('links from before any optimizer could race still say the same', async ({ page }) => {
  const older =
    '#race-adamax-on=0&race-amsgrad-on=1&race-amsgrad-rate=0.05&basin-rate=0.1&digits-adam-rate=0.01&race-at=3';
  await openPage(page, older);
  await expect(page.locator('#race-standing th')).toHaveText(['Adam', 'AMSGrad']);
  await expect(page.locator('#race-amsgrad-rate')).toHaveValue('0.05');
  for (const side of ['left', 'right']) await expect(page.locator(`#basin-${side}-rate`)).toHaveValue('0.1');
  await goToDigits(page);
  await expect(page.locator('#digits-left-rate')).toHaveValue('0.01');
  await expect(page.locator('#race-steps')).toHaveText('3');
  await page.locator('#race-copy-link').click();
  const link = await clipboard(page);
  expect(link).toContain('race-runners=adam,amsgrad');
  expect(link).not.toContain('-on=');
});

test('an own formula travels in the link; nonsense in a link is ignored', async ({ page }) => {
  await openPage(page);
  await page.locator('#race-formula').fill('(x - 1)^2 + 3 (y + x)^2 - 5');
  await expect(page.locator('#race-surface')).toHaveValue('own');
  await expect(page.locator('#race-note')).toContainText('found one lowest point');
  await page.locator('#race-formula').fill('(x - 1)^2 + 3 (y +');
  await expect(page.locator('#race-formula-message')).toContainText('still using the formula before');
  await page.locator('#race-formula').fill('(x - 1)^2 + 3 (y + x)^2 - 5');
  await page.locator('#race-speed').selectOption('64');
  await page.locator('#race-play').click();
  await expect(page.locator('#race-adam-arrival')).toHaveText(/^step \d+$/, { timeout: 20_000 });
  expect(await figure(page.locator('#race-adam-x'))).toBeCloseTo(1, 1);
  await page.locator('#race-copy-link').click();
  const link = await clipboard(page);
  await openPage(page, '', link);
  await expect(page.locator('#race-formula')).toHaveValue('(x - 1)^2 + 3 (y + x)^2 - 5');
  await expect(page.locator('#race-surface')).toHaveValue('own');

  const nonsense =
    '#race-surface=own&race-formula=alert(1)&race-adam-rate=-1&race-start=a,b&race-at=x&basin-side=9';
  await openPage(page, nonsense);
  await expect(page.locator('#race-adam-rate')).toHaveValue('0.02');
  await expect(page.locator('#race-steps')).toHaveText('0');
  await expect(page.locator('#basin-side')).toHaveValue('352');
  await expect(page.locator('#error')).toBeHidden();
  expect(problems).toEqual([]);
});

test('the copied program makes the same steps', async ({ page }) => {
  await openPage(page);
  await setUp(page);
  await page.locator('#race-gradients').selectOption('spikes');
  await page.locator('#race-amount').fill('0.1');
  for (const id of more) await page.locator('#race-add').selectOption(id);
  await pressStep(page, 40);
  await page.locator('#race-copy-code').click();
  const program = await clipboard(page);
  await page.locator('#race-code summary').click();
  await expect(page.locator('#race-program')).toHaveText(program, { useInnerText: true });
  await page.locator('#race-adam-rate').fill('0.04');
  await expect(page.locator('#race-program')).toContainText('Rates were changed on the way');
  const folder = mkdtempSync(join(tmpdir(), 'simdescent-'));
  try {
    const library = new URL('../../dist/index.js', import.meta.url).href;
    const file = join(folder, 'race.mjs');
    writeFileSync(file, program.replace("'simdescent'", JSON.stringify(library)));
    const lines = execFileSync(process.execPath, [file], { encoding: 'utf8', env: plainEnv })
      .trim()
      .split('\n');
    expect(lines).toHaveLength(8);
    for (const [index, id] of ['adam', 'adamax', 'amsgrad', 'adamw', ...more].entries()) {
      const [x, y, loss] = lines[index].split(' ').slice(1).map(Number);
      expect(await figure(page.locator(`#race-${id}-x`))).toBeCloseTo(x, 4);
      expect(await figure(page.locator(`#race-${id}-y`))).toBeCloseTo(y, 4);
      expect((await figure(page.locator(`#race-${id}-loss`))) / loss).toBeCloseTo(1, 3);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});
