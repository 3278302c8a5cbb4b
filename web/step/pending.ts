// What an optimizer waits for: work that has begun and not settled, an apply that needs numbers from a GPU or a move
// there and back. Meanwhile nothing else may change the optimizer, and what would free its memory is put off.

export class Pending {
  #count = 0;
  #within = 0;
  #what = '';
  readonly #later: (() => void)[] = [];

  /** @throws Error while something has not settled */
  check(what: string): void {
    if (this.#within > 0)
      throw new Error(
        `${what}: a function of yours, called by ${this.#what}, calls this before ${this.#what} has ended.`,
      );
    if (this.#count > 0)
      throw new Error(`${what}: ${this.#what} has not settled yet; await the Promise that it returned.`);
  }

  /** `work` is what is waited for, until it settles. */
  async during<T>(what: string, work: Promise<T>): Promise<T> {
    if (this.#count++ === 0) this.#what = what;
    try {
      return await work;
    } finally {
      this.#end();
    }
  }

  /** Work of the user's own, in the middle of a call: it may call anything of ours, as if it had to be waited for. */
  within<T>(what: string, work: () => T): T {
    if (this.#count++ === 0) this.#what = what;
    this.#within++;
    try {
      return work();
    } finally {
      this.#within--;
      this.#end();
    }
  }

  #end(): void {
    if (--this.#count === 0) for (const f of this.#later.splice(0)) f();
  }

  /** Now, or when everything has settled. */
  afterwards(f: () => void): void {
    if (this.#count > 0) this.#later.push(f);
    else f();
  }

  get isIdle(): boolean {
    return this.#count === 0;
  }
}
