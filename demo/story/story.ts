// The story that the page opens with: five scenes about Adam and Adamax.
import { startEpsilon } from './epsilon.ts';
import { startKept } from './kept.ts';
import { startRare } from './rare.ts';
import { startSpike } from './spike.ts';
import { startWins } from './wins.ts';

/** What the rest of the page may ask of the story. */
export interface Story {
  /** Stands still while somebody else needs the machine. */
  rest(resting: boolean): void;
}

export function startStory(): Story {
  const scenes = [startKept(), startSpike(), startRare(), startWins(), startEpsilon()];
  return {
    rest: (resting) => {
      for (const scene of scenes) scene.rest(resting);
    },
  };
}
