// The numbers that every variant starts from: the same weights and gradients for all, from a seed. Gradients
// are never 0, so that no state ends in denormals, which some arithmetic units take a hundred times longer for.

/** Uniform in ±[0.25, 1) (xorshift32). */
export function numbers(length, seed) {
  const out = new Float32Array(length);
  let state = (seed * 0x9e3779b9) >>> 0 || 1;
  for (let i = 0; i < length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    const magnitude = 0.25 + ((state >>> 9) / 2 ** 23) * 0.75;
    out[i] = state & 1 ? magnitude : -magnitude;
  }
  return out;
}

export const weightsOf = (length) => numbers(length, 1);
export const gradientOf = (length) => numbers(length, 2);

export const hyper = { learningRate: 0.001, beta1: 0.9, beta2: 0.999, epsilon: 1e-7 };
