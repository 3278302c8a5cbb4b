// Whether a step is shared with the workers or done by the caller alone: by what both have taken lately. Workers that
// compete with the page, or with whatever else keeps the machine busy, come late or stop in the middle of a part, and
// then a step takes longer than by one thread. The bits are the same either way. It measures nothing itself.

/** Steps of a trial of the other way. */
const trialSteps = 4;
/** Trials take one part in so many of the time. */
const rarity = 32;
/** A mean follows the last so many steps. */
const memory = 32;
/** What is to be gained must be more than this part, or the two would alternate for ever. */
const margin = 0.05;

export class Pace {
  #prefersWorkers = true;
  /** Milliseconds a part by the way that is preferred; 0 as long as it is not known. */
  #mean = 0;
  /** The same by the other way, in the last trial. */
  #other = 0;
  /** Of a trial: steps that are left, and the time that it has taken. */
  #trial = 0;
  #trialTime = 0;
  /** Time until the next one. */
  #rest = 0;
  #known = 0;

  /** Of the next step. */
  get shares(): boolean {
    return this.#prefersWorkers !== this.#trial > 0;
  }

  /** @param ms what the step took, which had so many parts */
  took(ms: number, parts: number): void {
    if (this.#trial > 0) {
      this.#trialTime += ms;
      this.#other += ms / parts / trialSteps;
      if (--this.#trial > 0) return;
      this.#rest = this.#trialTime * rarity;
      this.#choose();
      return;
    }
    this.#known++;
    this.#mean += (ms / parts - this.#mean) / Math.min(this.#known, memory);
    this.#rest -= ms;
    if (this.#other > 0) this.#choose();
    if (this.#rest > 0 || this.#known < trialSteps) return;
    this.#trial = trialSteps;
    this.#other = this.#trialTime = 0;
  }

  #choose(): void {
    if (this.#other >= this.#mean * (1 - margin)) return;
    this.#prefersWorkers = !this.#prefersWorkers;
    [this.#mean, this.#other] = [this.#other, this.#mean];
    this.#known = trialSteps;
  }
}
