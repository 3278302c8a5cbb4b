// What the controls of both halves of the page have in common: element ids that differ only by their prefix.
import { element } from './dom.ts';
import { type OptimizerId, type PerOptimizer, perOptimizer } from './optimizers.ts';
import type { PlaybackButtons } from './playback.ts';
import { RateField } from './rate-field.ts';

export type Prefix = 'race' | 'digits';

export function playbackButtons(prefix: Prefix): PlaybackButtons {
  return {
    play: element(`${prefix}-play`, HTMLButtonElement),
    step: element(`${prefix}-step`, HTMLButtonElement),
    reset: element(`${prefix}-reset`, HTMLButtonElement),
  };
}

export function rateFields(
  prefix: Prefix,
  onChange: (id: OptimizerId, rate: number) => void,
): PerOptimizer<RateField> {
  return perOptimizer((id) => new RateField(`${prefix}-${id}-rate`, (rate) => onChange(id, rate)));
}

/** Puts texts into elements: keys are ids without the prefix. */
export function showTexts(prefix: Prefix, texts: Record<string, string>): void {
  for (const [id, text] of Object.entries(texts)) element(`${prefix}-${id}`, HTMLElement).textContent = text;
}
