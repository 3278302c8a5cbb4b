// What all scenes of the story have in common: a run of some length that plays while it is in sight, under Play, Step and
// Reset. Who wants less motion sees its end at once. What is told is in the scenes' own files.
import { element, prefersReducedMotion, whileOutOfSight } from '../page/dom.ts';
import { Playback } from '../page/playback.ts';

export interface Scene {
  /** Of its section, and of what is in it: story-spike. */
  readonly id: `story-${string}`;
  /** In steps, and how many of them a frame makes. */
  readonly length: number;
  readonly perFrame: number;
  /** Back to before the first step. */
  begin(): void;
  step(): void;
  draw(): void;
}

/** What the story asks of its scenes. */
export interface Played {
  /** Begins anew: a setting has changed. */
  restart(): void;
  /** Stands still while somebody else needs the machine. */
  rest(resting: boolean): void;
}

export function playScene({ id, length, perFrame, begin, step, draw }: Scene): Played {
  let steps = 0;
  const state = element(`${id}-state`, HTMLElement);
  const button = (name: string) => element(`${id}-${name}`, HTMLButtonElement);
  const playback = new Playback(
    {
      step: () => {
        step();
        steps += 1;
        return steps < length;
      },
      reset: () => {
        steps = 0;
        begin();
      },
      draw: () => {
        state.textContent = `Step ${steps} of ${length}`;
        draw();
      },
      stepsPerFrame: () => perFrame,
      onState: () => {},
    },
    { play: button('play'), step: button('step'), reset: button('reset') },
  );
  const restart = () => {
    playback.restart();
    if (prefersReducedMotion()) playback.forward(length);
  };
  let seen = false;
  playback.restart();
  whileOutOfSight(element(id, HTMLElement), (out) => {
    playback.rest('out of sight', out);
    if (out || seen) return;
    seen = true;
    if (prefersReducedMotion()) playback.forward(length);
    else playback.play();
  });
  element(`${id}-controls`, HTMLFieldSetElement).disabled = false;
  return { restart, rest: (resting) => playback.rest('measuring', resting) };
}
