// Brings the page to life once the library is there: says what engine is running, starts its parts, and
// puts the library on the console for the curious.
import * as simdescent from 'simdescent';
import { type DigitsPanel, startDigits } from './digits/digits-panel.ts';
import { defineKeys } from './looks.ts';
import { startMaps } from './maps/maps-panel.ts';
import { element, whenNear } from './page/dom.ts';
import { followLinks } from './page/link.ts';
import { openAtPlace } from './page/places.ts';
import { startRace } from './race/race-panel.ts';
import { startSpeed } from './speed/speed-panel.ts';
import { startStory } from './story/story.ts';

export async function start(): Promise<void> {
  const { variant, threads } = await simdescent.init();
  const engine = `${variant.toUpperCase()} WebAssembly`;
  element('engine', HTMLElement).textContent =
    `${engine}, ${threads} ${threads === 1 ? 'thread' : 'threads'}`;
  Object.assign(globalThis, { simdescent });
  followLinks();
  defineKeys(element('keys', SVGSVGElement));
  openAtPlace();
  const story = startStory();
  const race = startRace();
  startMaps(race);
  let digits: DigitsPanel | null = null;
  startSpeed((measuring) => {
    story.rest(measuring);
    race.rest(measuring);
    digits?.rest(measuring);
  });
  // Their file is a third of all that the page loads: not before somebody comes near.
  whenNear(element('digits', HTMLElement), async () => {
    digits = await startDigits();
  });
}
