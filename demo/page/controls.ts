// What the controls of the page's parts have in common: element ids that differ only by their prefix.
import { element } from './dom.ts';
import type { PlaybackButtons } from './playback.ts';

export type Prefix = 'race' | 'basin' | 'rates' | 'digits' | 'speed';

export function playbackButtons(prefix: Prefix): PlaybackButtons {
  return {
    play: element(`${prefix}-play`, HTMLButtonElement),
    step: element(`${prefix}-step`, HTMLButtonElement),
    reset: element(`${prefix}-reset`, HTMLButtonElement),
  };
}

/** Puts texts into elements: keys are ids without the prefix. */
export function showTexts(prefix: Prefix, texts: Record<string, string>): void {
  for (const [id, text] of Object.entries(texts)) {
    const place = element(`${prefix}-${id}`, HTMLElement);
    // A status that is written anew is read aloud anew.
    if (place.textContent !== text) place.textContent = text;
  }
}

/** Puts a text on the clipboard and says so on the button; where that is refused, says that. */
export async function copyText(button: HTMLButtonElement, text: string): Promise<void> {
  const label = button.dataset.label ?? button.textContent ?? '';
  button.dataset.label = label;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = 'Copied';
  } catch {
    button.textContent = 'Refused';
  }
  setTimeout(() => {
    button.textContent = label;
  }, 1500);
}
