// Play, pause, step and reset for anything that advances in steps. Each animation frame makes at most the
// chosen number of steps and stops early when its share of the frame is used up, so the page never hangs.

/** Milliseconds of one frame that stepping may take; the rest is for drawing and for the reader. */
const FRAME_BUDGET = 8;

export type PlaybackState = 'ready' | 'playing' | 'paused' | 'finished';

export interface PlaybackSubject {
  /** Makes one step; false when that was the last one. */
  step(): boolean;
  /** Back to the beginning. */
  reset(): void;
  draw(): void;
  stepsPerFrame(): number;
  /** Called on every change of state. */
  onState(state: PlaybackState): void;
}

export interface PlaybackButtons {
  play: HTMLButtonElement;
  step: HTMLButtonElement;
  reset: HTMLButtonElement;
}

export class Playback {
  #state: PlaybackState = 'ready';
  readonly #subject: PlaybackSubject;
  readonly #buttons: PlaybackButtons;
  #frame = 0;
  readonly #rests = new Set<string>();

  constructor(subject: PlaybackSubject, buttons: PlaybackButtons) {
    this.#subject = subject;
    this.#buttons = buttons;
    buttons.play.addEventListener('click', () => this.toggle());
    buttons.step.addEventListener('click', () => this.#stepOnce());
    buttons.reset.addEventListener('click', () => {
      this.#enter('ready');
      this.#restart();
    });
  }

  get state(): PlaybackState {
    return this.#state;
  }

  play(): void {
    if (this.#state === 'playing') return;
    if (this.#state === 'finished') this.#restart();
    this.#enter('playing');
    this.#next();
  }

  /** Makes no steps, for one reason or another, and goes on when all of them have ended. The state stays. */
  rest(reason: string, resting: boolean): void {
    const rested = this.#rests.size > 0;
    if (resting) this.#rests.add(reason);
    else this.#rests.delete(reason);
    if (rested && this.#rests.size === 0 && this.#state === 'playing') this.#next();
  }

  toggle(): void {
    if (this.#state === 'playing') this.#enter('paused');
    else this.play();
  }

  /** Makes so many steps at once, and pauses there. */
  forward(steps: number): void {
    let going = true;
    for (let count = 0; going && count < steps; count++) going = this.#subject.step();
    this.#enter(going ? 'paused' : 'finished');
    this.#subject.draw();
  }

  /** Begins anew after a setting has changed: whoever was watching a run goes on watching. */
  restart(): void {
    const watching = this.#state === 'playing' || this.#state === 'finished';
    this.#enter('ready');
    this.#restart();
    if (watching) this.play();
  }

  #stepOnce(): void {
    if (this.#state === 'finished') return;
    this.#enter(this.#subject.step() ? 'paused' : 'finished');
    this.#subject.draw();
  }

  #restart(): void {
    this.#subject.reset();
    this.#subject.draw();
  }

  #enter(state: PlaybackState): void {
    cancelAnimationFrame(this.#frame);
    this.#state = state;
    this.#buttons.play.textContent = state === 'playing' ? 'Pause' : 'Play';
    this.#buttons.step.disabled = state === 'finished';
    this.#subject.onState(state);
  }

  #next(): void {
    cancelAnimationFrame(this.#frame);
    if (this.#rests.size === 0) this.#frame = requestAnimationFrame(this.#tick);
  }

  readonly #tick = (): void => {
    if (this.#rests.size > 0) return;
    const deadline = performance.now() + FRAME_BUDGET;
    let left = this.#subject.stepsPerFrame();
    let going = true;
    do {
      going = this.#subject.step();
      left -= 1;
    } while (going && left > 0 && performance.now() < deadline);
    if (going) this.#next();
    else this.#enter('finished');
    this.#subject.draw();
  };
}
