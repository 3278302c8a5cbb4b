// The page as a whole: nothing sticks out or jumps at any width, everything has a name, axe finds nothing to
// complain about, dark and light, and it says so when something cannot be loaded.
import AxeBuilder from '@axe-core/playwright';
import { expect, test } from '@playwright/test';
import { goToDigits, openPage, pressStep, scenes, seeScene, watchPage } from './demo-page.ts';

test.use({ viewport: { width: 1280, height: 1000 } });
watchPage();

test('axe finds nothing, light and dark, on a phone and on a screen, with everything open and played', async ({
  page,
}) => {
  await openPage(page, '#basin-side=128');
  for (const summary of await page.locator('summary').all()) await summary.click();
  for (const scene of scenes) await seeScene(page, scene);
  await goToDigits(page);
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    for (const width of [390, 1280]) {
      await page.setViewportSize({ width, height: 840 });
      const { violations } = await new AxeBuilder({ page }).analyze();
      const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`);
      expect(found, `${width} pixels, ${colorScheme}`).toEqual([]);
    }
  }
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
    // Everything that plays when it is seen has played, and the digits are there.
    for (const part of await page.locator('main section').all()) await part.scrollIntoViewIfNeeded();
    await goToDigits(page);
    const layout = () =>
      page.evaluate(() => ({
        overflow: document.documentElement.scrollWidth - innerWidth,
        height: document.documentElement.scrollHeight,
        button: document.querySelector('#race-play')?.getBoundingClientRect().top,
      }));
    await page.evaluate(() => scrollTo(0, 0));
    const before = await layout();
    expect(before.overflow).toBe(0);
    await page.locator('#race-adamax-rate').fill('nonsense');
    await page.locator('#race-formula').fill('nonsense');
    await pressStep(page, 1);
    await page.locator('#digits-step').click();
    await page.evaluate(() => scrollTo(0, 0));
    expect(await layout()).toEqual(before);
    const shifts = await page.evaluate(() => globalThis.shifts);
    expect(shifts.reduce((sum, value) => sum + value, 0)).toBeLessThan(0.02);
  });
}

test('nothing scrolls sideways at any width, with everything open and eight runners', async ({ page }) => {
  const hash = '#race-runners=adam,adamax,amsgrad,adamw,momentum,ftrl,lion,schedulefreeadamw';
  await openPage(page, `${hash}&digits-left-who=schedulefreeadamw`);
  await pressStep(page, 2);
  for (const summary of await page.locator('summary').all()) await summary.click();
  await seeScene(page, 'epsilon');
  await goToDigits(page);
  await page.locator('#digits-step').click();
  await page.locator('.of-tfjs').evaluateAll((cells) => {
    for (const cell of cells as HTMLElement[]) cell.hidden = false;
  });
  const wide: string[] = [];
  for (let width = 320; width <= 1920; width += 20) {
    await page.setViewportSize({ width, height: 800 });
    const overlaps = await page.evaluate(() => {
      const edge = (id: string) => document.querySelector(id)?.getBoundingClientRect() as DOMRect;
      const [code, side] = [edge('#race-program-box'), edge('.race .side')];
      return {
        overflow: document.documentElement.scrollWidth - innerWidth,
        out: [...document.querySelectorAll('.panel')]
          .filter(({ scrollWidth, clientWidth }) => scrollWidth > clientWidth)
          .map(({ id }) => id),
        names: [...document.querySelectorAll('.runner .who')]
          .filter(({ scrollWidth, clientWidth }) => scrollWidth > clientWidth)
          .map(({ textContent }) => textContent),
        covered: code.right > side.left + 1 && code.top < side.bottom && code.bottom > side.top,
      };
    });
    const { overflow, out, names, covered } = overlaps;
    if (overflow > 0 || out.length || names.length || covered)
      wide.push(`${width}: ${JSON.stringify(overlaps)}`);
  }
  expect(wide).toEqual([]);
});

test('letters half as large again, as a browser can be told, widen nothing', async ({ playwright }) => {
  const { executablePath, args = [] } = test.info().project.use.launchOptions ?? {};
  const large = '--blink-settings=defaultFontSize=24';
  const browser = await playwright.chromium.launch({ executablePath, args: [...args, large] });
  const { baseURL } = test.info().project.use;
  const page = await browser.newPage({ baseURL, viewport: { width: 390, height: 844 } });
  await openPage(page, '#race-runners=adam,adamax,schedulefreeadamw');
  await pressStep(page, 1);
  await goToDigits(page);
  expect(await page.evaluate(() => getComputedStyle(document.documentElement).fontSize)).toBe('24px');
  await page.locator('.speeds td[id$="-time"]').evaluateAll((cells) => {
    for (const cell of cells) cell.textContent = '12.34 ms';
  });
  const wide: string[] = [];
  for (let width = 320; width <= 1440; width += 10) {
    await page.setViewportSize({ width, height: 844 });
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    if (overflow > 0) wide.push(`${width}: ${overflow}`);
  }
  expect(wide).toEqual([]);
  await browser.close();
});

for (const [width, height] of [
  [1366, 657],
  [390, 844],
]) {
  test(`map and Play share one screen of ${width} by ${height}`, async ({ page }) => {
    await page.setViewportSize({ width, height });
    await openPage(page);
    await page.getByRole('link', { name: 'Skip to the race' }).click();
    for (const part of ['#race-map', '#race-play']) {
      await expect(page.locator(part)).toBeInViewport({ ratio: 1 });
    }
    const { width: side } = (await page.locator('#race-map').boundingBox()) ?? { width: 0 };
    expect(side).toBeGreaterThan(300);
  });
}

test('under a finger sliders are tall enough, and fields large enough not to be zoomed into', async ({
  browser,
}) => {
  const viewport = { width: 390, height: 844 };
  const page = await browser.newPage({ viewport, hasTouch: true, isMobile: true });
  await openPage(page);
  await page.locator('summary', { hasText: 'epsilon' }).tap();
  const small = await page
    .locator('input')
    .evaluateAll((inputs) =>
      (inputs as HTMLInputElement[])
        .filter((input) =>
          input.type === 'range'
            ? input.clientHeight < 24
            : input.type === 'text' && Number.parseFloat(getComputedStyle(input).fontSize) < 16,
        )
        .map(({ id }) => id),
    );
  expect(small).toEqual([]);
  await page.close();
});

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

test('says so on the page when the library or the digits cannot be loaded', async ({ page }) => {
  await page.route('**/digits*.bin*', (route) => route.fulfill({ status: 404 }));
  await openPage(page);
  await expect(page.locator('#error')).toBeHidden();
  await page.locator('#digits').scrollIntoViewIfNeeded();
  await expect(page.locator('#error')).toContainText('digits');
  await expect(page.locator('#error')).toBeInViewport();
  await expect(page.locator('#digits-state')).toHaveText('Not loaded');
  await expect(page.locator('#race-play')).toBeEnabled();
  await page.route('**/dist/index.js*', (route) => route.abort());
  await page.goto('./');
  await expect(page.locator('#error')).toBeVisible();
  await expect(page.locator('#error-text')).toHaveText(/\w/);
  await expect(page.locator('#race-play')).toBeDisabled();
});
test('every control has a name', async ({ page }) => {
  await openPage(page);
  for (const summary of await page.locator('summary').all()) await summary.click();
  for (const control of await page.locator('button, input, select, [tabindex]').all()) {
    await expect(control).toHaveAccessibleName(/\S/);
  }
});
