// Two races of which Adam wins one and Adamax the other, each with the rate that is best for it among three to a decade.
// demo-story.spec.ts looks whether they are, and for Adamax also under other draws of the chance.
import type { Disturbance } from '../race/gradients.ts';
import { type Point, type Surface, surfaces } from '../surfaces/surfaces.ts';

export interface Preset {
  readonly id: 'smooth' | 'spiky';
  readonly surface: Surface;
  readonly start: Point;
  readonly disturbance: Disturbance;
  /** Its amount: see ../race/gradients.ts. */
  readonly amount: number;
  readonly rates: { readonly adam: number; readonly adamax: number };
}

const byId = (id: string) => surfaces.find((surface) => surface.id === id) as Surface;

export const presets: readonly Preset[] = [
  {
    id: 'smooth',
    surface: byId('beale'),
    start: [-1, -1.5],
    disturbance: 'exact',
    amount: 0,
    rates: { adam: 1.5, adamax: 1.5 },
  },
  {
    id: 'spiky',
    surface: byId('himmelblau'),
    start: [-1, -1],
    disturbance: 'spikes',
    amount: 0.1,
    rates: { adam: 0.068, adamax: 0.32 },
  },
];

/** The same race below, from another start if need be: what the page's address says for it. */
export function raceLink({ surface, disturbance, amount, rates }: Preset, start: readonly number[]): string {
  const said: Record<string, string | number> = {
    'race-surface': surface.id,
    ...(disturbance !== 'exact' && { 'race-gradients': disturbance, 'race-amount': amount }),
    'race-adam-rate': rates.adam,
    'race-adamax-rate': rates.adamax,
    ...(String(start) !== String(surface.start) && { 'race-start': start.join(',') }),
  };
  return `#${Object.entries(said)
    .map(([key, value]) => `${key}=${value}`)
    .join('&')}`;
}
