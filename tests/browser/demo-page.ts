// What the tests of the demo have in common: opening it quietly, reading its figures, and noticing complaints.
import { expect, type Locator, type Page, test } from '@playwright/test';

declare global {
  var simdescent: typeof import('simdescent');
  var shifts: number[];
}

/** What the page complained about in the running test. */
export const problems: string[] = [];

/** Collects complaints, and lets nothing move by itself: each test decides what runs. */
export function watchPage(): void {
  test.beforeEach(async ({ page }) => {
    problems.length = 0;
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') problems.push(message.text());
    });
    page.on('pageerror', (error) => problems.push(error.message));
    page.on('requestfailed', (request) => {
      const why = request.failure()?.errorText; // aborted: the test has left the page meanwhile
      if (why !== 'net::ERR_ABORTED') problems.push(`failed: ${request.url()}, ${why}`);
    });
    await page.emulateMedia({ reducedMotion: 'reduce' });
  });
}

export async function openPage(page: Page, hash = '', base = './'): Promise<void> {
  // Another hash alone would not load the page anew.
  if (page.url() !== 'about:blank') await page.goto('about:blank');
  await page.goto(`${base}${hash}`);
  await expect(page.locator('#race-play')).toBeEnabled();
}

/** The digits are loaded when somebody comes near them. */
export async function goToDigits(page: Page): Promise<void> {
  await page.locator('#digits').scrollIntoViewIfNeeded();
  await expect(page.locator('#digits-play')).toBeEnabled();
}

export const scenes = ['kept', 'spike', 'rare', 'wins', 'epsilon'];

/** Less motion is wanted in these tests, so a scene stands at its end once it has been seen. */
export async function seeScene(page: Page, scene: string): Promise<void> {
  await page.locator(`#story-${scene}`).scrollIntoViewIfNeeded();
  await expect(page.locator(`#story-${scene}-state`)).toHaveText(/^Step (\d+) of \1$/);
}

/** A text of the page with its numbers as JavaScript writes them: −4.2 × 10⁻⁸ is -4.2e-8. */
export const asTyped = (text: string): string =>
  text
    .replace(/\s×\s10([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)/g, (_, raised: string) => `e${raised.normalize('NFKD')}`)
    .replaceAll('−', '-');

/** A figure of the page as a number: units and the like removed. */
export const figure = async (cell: Locator): Promise<number> =>
  Number.parseFloat(asTyped(await cell.innerText()));

const units: Record<string, number> = { s: 1000, ms: 1, µs: 1e-3, ns: 1e-6 };

/** A duration of the page in milliseconds. */
export async function duration(cell: Locator): Promise<number> {
  const [size, unit] = (await cell.innerText()).split(' ');
  return Number(size) * units[unit];
}

export async function startPoint(page: Page): Promise<number[]> {
  const text = (await page.locator('#race-start').innerText()).replaceAll('−', '-');
  return JSON.parse(text.replace('(', '[').replace(')', ']'));
}

export const pressStep = async (page: Page, times: number) => {
  for (let count = 0; count < times; count++) await page.locator('#race-step').click();
};
