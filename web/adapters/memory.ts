// memoryOptimizer: our optimizers for any library with a WebAssembly memory of its own. Variables and gradients
// are addresses in it; the update runs there, in place, and the state lives there, in blocks of its allocator.
import { describe } from '../basics/errors.js';
import { sizeOf } from '../basics/floats.js';
import { Optimizer } from '../optimizers/optimizer.js';
import { byStart, overlaps, type Range } from '../step/aliases.js';
import type { Target } from '../step/target.js';
import type { MemoryHost } from './kernels.js';
import { MemoryExecutor, type MemoryGradient } from './memory-executor.js';
import { type Access, type Named, Roster } from './roster.js';

/** One variable in the library's memory: float32, row-major, at an address that 4 divides. */
export interface Place extends Named {
  /** Keys the optimizer's state; its last part is what `excludeFromWeightDecay` looks at. */
  readonly name: string;
  /** Row-major; fixed from the first step on. */
  readonly shape: readonly number[];
  /** Where its values are now, in bytes; it may move between steps. */
  readonly weights: number;
  /** Where its gradient is; null where it has none in this step. */
  readonly gradient: number | null;
}

/** An optimizer whose variables and state are in a library's memory. */
export interface MemoryOptimizer {
  /** What was given, with all its live properties and its state. */
  readonly optimizer: Optimizer;
  /** One step over these variables, in place. @throws TypeError, RangeError, Error: nothing has changed. */
  apply(places: readonly Place[]): void;
  /** Frees the state; never the variables. */
  dispose(): void;
}

/** @throws TypeError for what is no optimizer or no memory */
export function memoryOptimizer(optimizer: Optimizer, host: MemoryHost): MemoryOptimizer {
  if (!(optimizer instanceof Optimizer))
    throw new TypeError(`memoryOptimizer takes an optimizer, got ${describe(optimizer)}.`);
  if (!(host?.memory instanceof WebAssembly.Memory) || !host.allocate || !host.free)
    throw new TypeError(`memoryOptimizer takes a host { memory, allocate, free }, got ${describe(host)}.`);
  const access = new MemoryAccess(host);
  const roster = new Roster(optimizer, access);
  return {
    optimizer,
    apply(places) {
      checkPlaces(places);
      access.look(places);
      const fresh = places.filter(({ name }) => !roster.has(name));
      const gradients = places.map(({ gradient }) => gradient);
      roster.during(fresh, () => optimizer.apply(gradients as never, places as never));
    },
    dispose: () => optimizer.dispose(),
  };
}

/** @throws TypeError for what is no list of places: their addresses are looked at later */
function checkPlaces(places: unknown): void {
  if (!Array.isArray(places))
    throw new TypeError(
      `memoryOptimizer: apply takes a list of { name, shape, weights, gradient }, got ${describe(places)}.`,
    );
  if (places.length === 0)
    throw new RangeError('memoryOptimizer: apply: there is no gradient for any variable.');
  for (const [k, place] of places.entries()) {
    const { name, shape, weights, gradient } = (place ?? {}) as Partial<Place>;
    const what = `memoryOptimizer: apply: places[${k}]`;
    if (typeof name !== 'string' || name === '')
      throw new TypeError(`${what}.name must be a non-empty string, got ${describe(name)}.`);
    if (!Array.isArray(shape) || ![...shape].every((d) => Number.isInteger(d) && d >= 0))
      throw new TypeError(`${what}.shape must be an array of integers from 0 on, got ${describe(shape)}.`);
    if (typeof weights !== 'number')
      throw new TypeError(`${what}.weights must be an address, got ${describe(weights)}.`);
    if (typeof gradient !== 'number' && gradient !== null)
      throw new TypeError(`${what}.gradient must be an address, or null, got ${describe(gradient)}.`);
  }
}

const rangeOf = (start: number, { shape }: Place): Range => ({ start, end: start + 4 * sizeOf(shape) });

/** From the first byte of all to the last. */
function spanOf(ranges: readonly Range[]): Range {
  let [start, end] = [Number.POSITIVE_INFINITY, 0];
  for (const range of ranges) {
    start = Math.min(start, range.start);
    end = Math.max(end, range.end);
  }
  return { start, end };
}

/** In ascending order. */
function areApart(ranges: readonly Range[]): boolean {
  let end = 0;
  for (const range of ranges) {
    if (range.start < end && range.start < range.end) return false;
    end = Math.max(end, range.end);
  }
  return true;
}

function refuseOverlap(places: readonly Place[]): void {
  places.forEach((place, k) => {
    const range = rangeOf(place.weights, place);
    const other = places.slice(0, k).find((one) => overlaps([rangeOf(one.weights, one)], range));
    if (other && other.name !== place.name)
      throw new RangeError(
        `memoryOptimizer: apply: the weights of '${other.name}' and '${place.name}' overlap; one array is one variable.`,
      );
  });
}

class MemoryAccess implements Access<Place, number> {
  readonly #host: MemoryHost;
  readonly #gradients: MemoryGradient[] = [];
  #aliased: ReadonlySet<string> = new Set();
  /** What was looked at last, and found to be apart: most loops come with the same addresses again. */
  #looked: (string | number | null)[] = [];
  #executor: MemoryExecutor | null = null;

  constructor(host: MemoryHost) {
    this.#host = host;
  }

  executor(...[core, ...rest]: Parameters<Access<Place, number>['executor']>): MemoryExecutor {
    this.#executor = new MemoryExecutor(core, this.#host, ...rest);
    return this.#executor;
  }

  /**
   * Gradients that overlap weights count as they are before the step: they are copied. Most lie apart altogether.
   * @throws RangeError where weights overlap
   */
  look(places: readonly Place[]): void {
    if (this.#isRepeated(places)) return;
    this.#looked = [];
    if (this.#aliased.size > 0) this.#aliased = new Set();
    const given = places.filter(({ gradient }) => gradient !== null);
    const weights = places.map((place) => rangeOf(place.weights, place));
    const gradients = given.map((place) => rangeOf(place.gradient as number, place));
    const span = spanOf(weights);
    weights.sort(byStart);
    if (!areApart(weights)) refuseOverlap(places);
    this.#looked = places.flatMap((place) => [
      place.name,
      sizeOf(place.shape),
      place.weights,
      place.gradient,
    ]);
    if (!overlaps([span], spanOf(gradients))) return;
    this.#aliased = new Set(given.filter((_, k) => overlaps(weights, gradients[k])).map(({ name }) => name));
  }

  #isRepeated(places: readonly Place[]): boolean {
    const looked = this.#looked;
    if (looked.length !== 4 * places.length) return false;
    let at = 0;
    for (const { name, shape, weights, gradient } of places)
      if (
        looked[at++] !== name ||
        looked[at++] !== sizeOf(shape) ||
        looked[at++] !== weights ||
        looked[at++] !== gradient
      )
        return false;
    return true;
  }

  check({ name, shape, weights }: Place, gradient: number | null, target: { size: number }): void {
    const size = sizeOf(shape);
    if (size !== target.size)
      throw new RangeError(`'${name}' had ${target.size} elements, and has ${size} now (shape [${shape}]).`);
    this.#checkRange('weights', name, weights, size);
    if (gradient !== null) this.#checkRange('gradient', name, gradient, size);
  }

  #checkRange(what: string, name: string, address: number, size: number): void {
    const end = address + 4 * size;
    if (!(address >= 0) || address % 4 !== 0 || end > this.#host.memory.buffer.byteLength)
      throw new RangeError(
        `The ${what} of '${name}': ${size} floats at address ${address} do not lie in the memory.`,
      );
  }

  bind({ weights }: Place, { row }: { row: number }): void {
    (this.#executor as MemoryExecutor).weights[row] = weights;
  }

  bindGradient(given: number, target: Target): MemoryGradient {
    const { row, size, path } = target;
    const address = this.#aliased.has(path) ? (this.#executor as MemoryExecutor).held(given, target) : given;
    this.#gradients[row] ??= { address, size, given: null };
    this.#gradients[row].address = address;
    return this.#gradients[row];
  }
}
