// The story at the top of the page: its numbers are the library's, its scenes play while they are seen, who wins where is
// measured, and links lead where they say.
import { expect, type Page, test } from '@playwright/test';
import * as simdescent from 'simdescent';
import { Disturber } from '../../demo/race/gradients.ts';
import { ARRIVAL_DISTANCE, Racer } from '../../demo/race/racer.ts';
import { type Preset, presets } from '../../demo/story/presets.ts';
import { distanceToMinimum } from '../../demo/surfaces/surfaces.ts';
import { asTyped, openPage, problems, seeScene, watchPage } from './demo-page.ts';

test.use({ viewport: { width: 1280, height: 1000 } });
watchPage();

const shown = (page: Page, scene: string, name: string) =>
  page.locator(`#story-${scene} [data-figure="${name}"]`).first();
/** Formulas are MathML, which has no inner text. */
const textIn = async (page: Page, scene: string, name: string) =>
  asTyped((await shown(page, scene, name).textContent()) ?? '');
const numberIn = async (page: Page, scene: string, name: string) =>
  Number.parseFloat(await textIn(page, scene, name));

test('what both keep: the quotients are the steps that the library made', async ({ page }) => {
  await openPage(page);
  await seeScene(page, 'kept');
  for (const id of ['adam', 'adamax']) {
    const quotient =
      (await numberIn(page, 'kept', `${id}-mean`)) / (await numberIn(page, 'kept', `${id}-size`));
    expect(quotient).toBeCloseTo(await numberIn(page, 'kept', `${id}-step`), 2);
  }
  expect(await numberIn(page, 'kept', 'adam-mean')).toBe(await numberIn(page, 'kept', 'adamax-mean'));
  expect(await numberIn(page, 'kept', 'adam-size')).toBeLessThan(await numberIn(page, 'kept', 'adamax-size'));
  const before = await textIn(page, 'kept', 'adam-step');
  await page.locator('#story-kept-reset').click();
  // What was said was about the steps that were.
  await expect(shown(page, 'kept', 'adam-size')).toHaveText('–');
  await page.locator('#story-kept-step').click();
  await expect(page.locator('#story-kept-state')).toHaveText('Step 1 of 360');
  // The first step of both is the rate.
  expect(await numberIn(page, 'kept', 'adam-step')).toBeCloseTo(1, 2);
  expect(await numberIn(page, 'kept', 'adamax-step')).toBeCloseTo(1, 2);
  expect(await textIn(page, 'kept', 'adam-step')).not.toBe(before);
  expect(problems).toEqual([]);
});

test('a spike: u takes it in whole, lets it fade by beta2 a step and forgets it to the bit; v remembers', async ({
  page,
}) => {
  await openPage(page, '#story-spike-beta2=0.99&story-spike-size=30');
  await seeScene(page, 'spike');
  const forgotten = await textIn(page, 'spike', 'forgotten');
  const at = Number(/step (\d+), to the bit/.exec(forgotten)?.[1]);
  // It falls below the usual gradients, of 0.5 to 1.5, after ln(30 / 1.5) / -ln 0.99 = 298 steps or a little later.
  expect(at).toBeGreaterThan(300 + 290);
  expect(at).toBeLessThan(300 + 345);
  for (const name of ['v', 'u']) {
    const parts = await Promise.all(
      [`${name}-kept`, `${name}-new`].map((part) => numberIn(page, 'spike', part)),
    );
    const joined = name === 'v' ? parts[0] + parts[1] : Math.max(...parts);
    expect(joined).toBeCloseTo(await numberIn(page, 'spike', name), 2);
  }
  // With Keras' beta2 it costs Adamax more than half of its way, and Adam less than a tenth.
  await page.locator('#story-spike-beta2').fill('0.999');
  await page.locator('#story-spike-size').fill('20');
  await expect(page.locator('#story-spike-state')).toHaveText('Step 3000 of 3000');
  const share = async (id: string) =>
    (await numberIn(page, 'spike', `${id}-hit`)) / (await numberIn(page, 'spike', `${id}-spared`));
  expect(await share('adam')).toBeGreaterThan(0.9);
  expect(await share('adamax')).toBeLessThan(0.5);
  await page.locator('#story-spike-size').fill('0');
  await expect(page.locator('#story-spike-message')).toHaveText(/^Spike: Not .*; still using 20\.$/);
  expect(problems).toEqual([]);
});

test('rare gradients: the row of an embedding walks as the library walks it', async ({ page }) => {
  await openPage(page, '#story-rare-rows=80');
  await seeScene(page, 'rare');
  const count = await numberIn(page, 'rare', 'count');
  expect(count).toBeGreaterThan(8);
  expect(count).toBeLessThan(32);
  const each = async (id: string) =>
    (await numberIn(page, 'rare', `${id}-walked`)) / (await numberIn(page, 'rare', 'count'));
  expect(await each('adam')).toBeGreaterThan(6);
  expect(await each('adamax')).toBeGreaterThan(0.9);
  expect(await each('adamax')).toBeLessThan(1.3);
  // A word that comes at every step is not rare.
  await page.locator('#story-rare-rows').fill('1');
  await expect(shown(page, 'rare', 'count')).toHaveText('1500');
  expect(await each('adam')).toBeCloseTo(1, 1);
  expect(await each('adamax')).toBeCloseTo(1, 1);
});

test('epsilon hat: the steps are those of Keras and of Algorithm 1', async ({ page }) => {
  await openPage(page);
  await seeScene(page, 'epsilon');
  await page.locator('#story-epsilon-reset').click();
  for (let step = 0; step < 3; step++) await page.locator('#story-epsilon-step').click();
  const expected = await page.evaluate(() => {
    const { Adam, Adamax, Variable } = globalThis.simdescent;
    const made = [new Adam({ learningRate: 1 }), new Adam({ learningRate: 1, adaptiveEpsilon: true })];
    return [...made, new Adamax({ learningRate: 1 })].map((optimizer) => {
      const variable = new Variable(1, { name: 'x' });
      optimizer.build([variable]);
      let before = 0;
      for (let step = 0; step < 3; step++) {
        before = variable.value[0];
        optimizer.apply([new Float32Array([1e-6])]);
      }
      return before - variable.value[0];
    });
  });
  expect(expected[0]).toBeLessThan(0.5 * expected[1]);
  for (const [index, name] of ['hat-step', 'paper-step', 'adamax-step'].entries()) {
    expect(await numberIn(page, 'epsilon', name)).toBeCloseTo(expected[index], 3);
  }
  const part = (name: string) => numberIn(page, 'epsilon', name);
  const hat =
    ((await part('hat-rate')) * (await part('hat-mean'))) /
    ((await part('hat-root')) + (await part('epsilon')));
  expect(hat / (await part('hat-step'))).toBeCloseTo(1, 1);
});

const rates = Array.from({ length: 9 }, (_, place) => Number((10 ** (place / 3 - 2.5)).toPrecision(2)));
const MOST = 2000;
const STAY = 10;
const DRAWS = 15;

/** Steps until a racer is at a minimum and stays there, under one draw of the chance. */
function settles(preset: Preset, id: 'adam' | 'adamax', learningRate: number, draw: number): number {
  const { surface, disturbance, amount, start } = preset;
  const disturber = new Disturber(disturbance, amount, surface);
  for (let skipped = 0; skipped < 5000 * draw; skipped++) disturber.next([0, 0]);
  const racer = new Racer(id, surface, start, { learningRate, options: {} }, disturber);
  let near = 0;
  while (racer.steps < MOST && racer.lost === null && near < STAY) {
    racer.step();
    near = distanceToMinimum(surface, racer.position) < ARRIVAL_DISTANCE ? near + 1 : 0;
  }
  const steps = near === STAY ? racer.steps - STAY + 1 : Number.POSITIVE_INFINITY;
  racer.dispose();
  return steps;
}

for (const preset of presets) {
  const [first, second] =
    preset.id === 'smooth' ? (['adam', 'adamax'] as const) : (['adamax', 'adam'] as const);
  test(`${preset.surface.label}: ${first} wins, each at its best rate, whatever the chance`, async () => {
    await simdescent.init();
    const draws = preset.disturbance === 'exact' ? [0] : Array.from({ length: DRAWS }, (_, draw) => draw);
    const median = (values: number[]) => [...values].sort((a, b) => a - b)[values.length >> 1];
    const best = { adam: [] as number[], adamax: [] as number[] };
    for (const id of [first, second]) {
      const runs = rates.map((rate) => draws.map((draw) => settles(preset, id, rate, draw)));
      const medians = runs.map(median);
      const at = medians.indexOf(Math.min(...medians));
      expect(rates[at], id).toBe(preset.rates[id]);
      best[id] = runs[at];
    }
    expect(median(best[first])).toBeLessThan(0.75 * median(best[second]));
    const won = draws.filter((draw) => best[first][draw] < best[second][draw]).length;
    expect(won).toBeGreaterThanOrEqual(0.8 * draws.length);
  });
}

test('where each wins: the maps race, a click moves the start, and the race below can take it over', async ({
  page,
}) => {
  await openPage(page);
  await seeScene(page, 'wins');
  const arrival = async (name: string) =>
    Number(/step (\d+)/.exec(await textIn(page, 'wins', `${name}-arrival`))?.[1]);
  expect(await arrival('smooth-adam')).toBeLessThan(await arrival('smooth-adamax'));
  const [adamax, adam] = [await arrival('spiky-adamax'), await arrival('spiky-adam')];
  expect(adamax).toBeLessThan(adam);
  // The link loads the page anew, which breaks off what is still being loaded.
  expect(problems).toEqual([]);
  await page.locator('#story-spiky-race').click();
  await expect(page).toHaveURL(/race-gradients=spikes/);
  await expect(page.locator('#race-map')).toBeInViewport();
  await expect(page.locator('#race-adamax-rate')).toHaveValue('0.32');
  await page.locator('#race-speed').selectOption('64');
  await page.locator('#race-play').click();
  await expect(page.locator('#race-adam-arrival')).toHaveText(`step ${adam}`);
  await expect(page.locator('#race-adamax-arrival')).toHaveText(`step ${adamax}`);

  await openPage(page);
  const map = page.locator('#story-spiky-map');
  await map.scrollIntoViewIfNeeded();
  await map.press('ArrowLeft');
  await expect(page.locator('#story-spiky-race')).toHaveAttribute('href', /race-start=-1\.1,-1$/);
});

test('scenes play while they are seen and rest when they are not', async ({ page }) => {
  await page.emulateMedia({ reducedMotion: 'no-preference' });
  await openPage(page);
  const steps = async (scene: string) =>
    Number(/Step (\d+)/.exec(await page.locator(`#story-${scene}-state`).innerText())?.[1]);
  await expect.poll(() => steps('kept')).toBeGreaterThan(3);
  expect(await steps('epsilon')).toBe(0);
  await page.locator('#story-epsilon').scrollIntoViewIfNeeded();
  await expect.poll(() => steps('epsilon')).toBeGreaterThan(3);
  const held = await steps('kept');
  await page.waitForTimeout(300);
  expect(await steps('kept')).toBe(held);
  await page.locator('#story-epsilon-play').press('Enter');
  await expect(page.locator('#story-epsilon-play')).toHaveText('Play');
});

test('links lead to scenes and to the race, on the page and from outside', async ({ page }) => {
  await openPage(page);
  await expect(page.locator('#story-title')).toBeInViewport();
  await page.getByRole('link', { name: 'Rare gradients' }).press('Enter');
  await expect(page.locator('#story-rare-title')).toBeInViewport();
  await expect(page.locator('#story-rare-title')).toBeFocused();
  await expect(page).toHaveURL(/#at=story-rare$/);
  await page.getByRole('link', { name: 'Skip to the race' }).click();
  await expect(page.locator('#race-map')).toBeInViewport({ ratio: 1 });
  await expect(page.locator('#race-title')).toBeFocused();
  await expect(page).toHaveURL(/#at=race$/);
  await page.locator('#race-copy-link').click();
  await expect(page).not.toHaveURL(/#/);
  await openPage(page, '#at=story-epsilon');
  await expect(page.locator('#story-epsilon-title')).toBeInViewport();
  // A link that says something about one part opens there.
  for (const [hash, part] of [
    ['#race-at=5', '#race-map'],
    ['#maps-left-who=sgd', '#maps-left-who'],
    ['#digits-left-rate=0.01', '#digits-left-rate'],
    ['#story-rare-rows=7', '#story-rare-rows'],
    ['#at=nowhere', '#story-title'],
  ]) {
    await openPage(page, hash);
    await expect(page.locator(part), hash).toBeInViewport();
  }
  await expect(page.locator('#error')).toBeHidden();
});
