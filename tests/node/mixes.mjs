// Random mixes of the options that every optimizer has, from a seed; and runs of one optimizer over the same numbers
// wherever they may lie. What a run leaves behind is compared bit by bit.
import { LossScaleOptimizer, optimizers, SparseGradient, schedules, Variable } from '../../dist/index.js';
import { memoryOptimizer } from '../../dist/memory.js';
import { library } from './foreign-memory.mjs';
import { assertSameBits, generator, randomFloats } from './helpers.mjs';

/** Options for a seed, and what is done to the optimizer that is made with them. */
export function mix(seed) {
  const next = generator(seed);
  const one = (...list) => list[Math.floor(next() * list.length)];
  const rate = one(0.01, 0.1, 'schedule', 'function');
  const options = {
    learningRate:
      {
        schedule: new schedules.ExponentialDecay({ initialLearningRate: 0.1, decaySteps: 2, decayRate: 0.7 }),
        function: (t) => 0.1 / (1 + t),
      }[rate] ?? rate,
    ...one({}, { weightDecay: 0.05 }),
    ...one({}, { clipnorm: 0.5 }, { clipvalue: 0.3 }, { globalClipnorm: 1 }),
    ...one({}, {}, { useEma: true, emaMomentum: 0.9, emaOverwriteFrequency: one(null, 2) }),
    ...one({}, { gradientAccumulationSteps: one(2, 3) }),
    ...one({}, { lossScaleFactor: one(3, 1024) }),
    ...one({}, {}, { maximize: true }),
  };
  const excludes = one(false, true);
  const scales = one(false, false, true);
  return {
    options,
    rate,
    make({ Class, options: own }) {
      const inner = new Class({ ...options, ...own });
      if (excludes) inner.excludeFromWeightDecay({ varNames: ['_1$'] });
      return scales ? new LossScaleOptimizer(inner, { initialScale: 1024, dynamicGrowthSteps: 2 }) : inner;
    },
  };
}

export const sizes = [1, 7, 1000, 16385, 50000]; // round a tile of 16384
const numbers = new Map();
/** The same numbers each time; nobody writes to them. */
function known(size, seed) {
  const key = `${size}/${seed}`;
  if (!numbers.has(key)) numbers.set(key, randomFloats(size, seed));
  return numbers.get(key);
}
const start = (k) => known(sizes[k], k);
/** Now and then a variable has no gradient. */
const gradient = (k, t) => ((k + 2 * t) % 7 === 3 ? null : known(sizes[k], 10 + k + 10 * (t % 3)));

/** Where variables and gradients may lie: each makes what steps, reads the variables, and cleans up. */
export const places = {
  'Variables and gradients of the engine'(optimizer) {
    const variables = sizes.map((_, k) => new Variable(start(k)));
    optimizer.build(variables);
    return {
      step(t) {
        const grads = variables.map((_, k) => gradient(k, t));
        grads.forEach((g, k) => {
          if (g) variables[k].gradient.set(g); // the first of these makes it, and the memory may grow
        });
        optimizer.apply(variables.map((v, k) => grads[k] && v.gradient));
      },
      values: () => variables.map((v) => v.value),
      set: (k, values) => variables[k].assign(values),
      end() {
        for (const v of variables) v.dispose();
      },
    };
  },
  'Variables, with gradients of the JavaScript heap'(optimizer) {
    const variables = sizes.map((_, k) => new Variable(start(k)));
    optimizer.build(variables);
    return {
      step: (t) => optimizer.apply(variables.map((_, k) => gradient(k, t))),
      values: () => variables.map((v) => v.value),
      set: (k, values) => variables[k].assign(values),
      end() {
        for (const v of variables) v.dispose();
      },
    };
  },
  'arrays of the JavaScript heap'(optimizer) {
    const arrays = sizes.map((_, k) => start(k).slice());
    optimizer.build(arrays);
    return {
      step: (t) => optimizer.apply(arrays.map((_, k) => gradient(k, t))),
      values: () => arrays,
      set: (k, values) => arrays[k].set(values),
      end() {},
    };
  },
  "a memory of somebody else's"(optimizer) {
    const host = library();
    const there = memoryOptimizer(optimizer, host);
    const list = sizes.map((n, k) => {
      const [weights, address] = [host.allocate(4 * n), host.allocate(4 * n)];
      host.floats(weights, n).set(start(k));
      return { name: k ? `variable_${k}` : 'variable', shape: [n], weights, address };
    });
    return {
      step: (t) =>
        there.apply(
          list.map((place, k) => {
            const g = gradient(k, t);
            if (g) host.floats(place.address, g.length).set(g);
            return { ...place, gradient: g && place.address };
          }),
        ),
      values: () => list.map(({ weights }, k) => host.floats(weights, sizes[k])),
      set: (k, values) => host.floats(list[k].weights, sizes[k]).set(values),
      end() {},
    };
  },
};

const bytesOf = ({ buffer, byteOffset, byteLength }) => Buffer.from(buffer, byteOffset, byteLength);

export function assertSameArrays(got, expected, message) {
  expected.forEach((values, k) => {
    if (typeof values === 'number') values = Float32Array.of(values);
    const mine = typeof got[k] === 'number' ? Float32Array.of(got[k]) : got[k];
    if (!bytesOf(mine).equals(bytesOf(values))) assertSameBits(mine, values, `${message}, array ${k}`);
  });
}

/** Variables and state after so many steps. */
export function outcome(optimizer, run) {
  return [...run.values().map((values) => values.slice()), ...optimizer.getWeights()];
}

/** Random rows of a gradient for a variable of this many rows, and the dense gradient that they are. */
export function sparseAndDense(rows, width, seed) {
  const next = generator(seed);
  const indices = Array.from({ length: rows }, (_, k) => k).filter(() => next() < 0.3);
  if (indices.length === 0) indices.push(rows - 1);
  const values = randomFloats(indices.length * width, seed + 1);
  const dense = new Float32Array(rows * width);
  indices.forEach((row, k) => {
    dense.set(values.subarray(k * width, (k + 1) * width), row * width);
  });
  return [new SparseGradient({ indices: indices.reverse(), values: reversed(values, width) }), dense];
}

/** Rows from the last to the first. */
function reversed(values, width) {
  const found = new Float32Array(values.length);
  for (let k = 0; k < values.length; k += width)
    found.set(values.subarray(k, k + width), values.length - k - width);
  return found;
}

/** Through JSON, as a config is saved. */
export const again = (optimizer) =>
  optimizers.get(JSON.parse(JSON.stringify(optimizers.serialize(optimizer))));
