// Properties that no optimizer has: `o.lr = 0.1` would change nothing, and say nothing. An assignment looks through the
// prototypes for a setter, and at their end it finds this; what is found before, every option and method, costs nothing.
import { describe, suggestion } from '../basics/errors.js';

/**
 * Makes assignments to unknown properties of an instance throw, which name the nearest that there is. A subclass of the
 * user's own may add what it likes.
 * @param isOurs whether an instance is of a class of ours
 */
export function refuseUnknownProperties(prototype: object, isOurs: (instance: object) => boolean): void {
  const end = new Proxy(Object.prototype, {
    set(_target, key, value, instance: object) {
      if (typeof key === 'string' && isOurs(instance))
        throw new TypeError(
          `${(instance.constructor as { name: string }).name} has no property '${key}' to set to ${describe(value)}.` +
            `${suggestion(key, settable(instance))}`,
        );
      return Reflect.defineProperty(instance, key, {
        value,
        writable: true,
        enumerable: true,
        configurable: true,
      });
    },
  });
  Object.setPrototypeOf(prototype, end);
}

function settable(instance: object): string[] {
  const names: string[] = [];
  for (let p = Object.getPrototypeOf(instance); p && p !== Object.prototype; p = Object.getPrototypeOf(p))
    for (const [name, { set }] of Object.entries(Object.getOwnPropertyDescriptors(p)))
      if (set && !name.includes('_')) names.push(name);
  return names;
}
