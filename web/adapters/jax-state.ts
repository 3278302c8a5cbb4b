// The state of an optimizer as a loop of jax-js passes it on: a list of arrays that are copied out of the engine when
// somebody looks at the list. Most go straight into the next step, and are never copied. To the outside it is a value
// like any other: who keeps it (`tree.ref`) has looked, and whoever changes the engine's state fills it first.
import type { JaxArray } from './jax-tree.js';

/** Those that nobody has looked at, by what is behind the list. */
const unseen = new WeakMap<object, HeldState>();

/** Whatever is asked of the list, it is filled before. */
const handler = Object.fromEntries(
  Object.getOwnPropertyNames(Reflect).map((trap) => [
    trap,
    (target: object, ...rest: unknown[]) => {
      unseen.get(target)?.fill();
      return (Reflect as never as Record<string, (...args: unknown[]) => unknown>)[trap](target, ...rest);
    },
  ]),
) as ProxyHandler<JaxArray[]>;

/** The one state that the engine has. */
export class HeldState {
  readonly list: JaxArray[];
  readonly #copy: () => JaxArray[];
  readonly #behind: JaxArray[] = [];
  /** What the list was filled with: arrays of jax-js never change. */
  #arrays: readonly JaxArray[] | null = null;
  #spent = false;

  /** @param copy makes the arrays; called once at most, while the engine has this state */
  constructor(copy: () => JaxArray[]) {
    this.#copy = copy;
    this.list = new Proxy(this.#behind, handler);
    unseen.set(this.#behind, this);
  }

  /** Before the engine's state changes otherwise than by `spend`. */
  fill(): void {
    if (this.#spent)
      throw new ReferenceError('This state was consumed by a step: keep a state with tree.ref(state).');
    if (this.#arrays) return;
    unseen.delete(this.#behind);
    this.#arrays = this.#copy();
    this.#behind.push(...this.#arrays);
  }

  /** Whether the list is this one, and nobody has looked at it: then there is nothing to check. */
  isUnseen(list: readonly JaxArray[]): boolean {
    return list === this.list && !this.#arrays;
  }

  /** Whether these are the arrays of this state. */
  is(list: readonly JaxArray[]): boolean {
    if (this.isUnseen(list)) return !this.#spent;
    const arrays = this.#arrays;
    return arrays !== null && arrays.length === list.length && arrays.every((array, k) => array === list[k]);
  }

  /** Gives up the reference that came with `list`, which is this state's. */
  spend(list: readonly JaxArray[]): void {
    if (this.isUnseen(list)) this.#spent = true;
    else for (const array of list) array.dispose();
  }
}
