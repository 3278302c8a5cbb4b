// Brings the page to life once the library is there: says what engine is running, starts both halves, and
// puts the library on the console for the curious.
import * as simdescent from 'simdescent';
import { startDigits } from './digits-panel.ts';
import { element } from './dom.ts';
import { startRace } from './race-panel.ts';

export async function start(): Promise<void> {
  const { variant, threads } = await simdescent.init();
  const engine = variant === 'scalar' ? 'scalar WebAssembly' : `${variant.toUpperCase()} WebAssembly`;
  element('engine', HTMLElement).textContent =
    `${engine}, ${threads} ${threads === 1 ? 'thread' : 'threads'}`;
  Object.assign(globalThis, { simdescent });
  startRace();
  await startDigits();
}
