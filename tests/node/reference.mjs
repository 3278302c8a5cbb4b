// Adam and Adamax written out for plain JavaScript numbers, one float32 rounding per operation: an oracle for
// sizes that no recorded case has. It is slow on purpose and knows no option of an optimizer.
const f = Math.fround;

// The powers are right for the few steps taken here; later they would be an ulp off now and then.
const BETA1 = 0.9;
const BETA2 = 0.999;
const bias1 = (t) => f(1 - f(f(BETA1) ** t));
const bias2 = (t) => f(1 - f(f(BETA2) ** t));

/** 1 - beta1, 1 - beta2, alpha and epsilon of the t-th step (from 1) with Keras' defaults. */
export function adamCoefficients(t) {
  const alpha = f(f(f(0.001) * f(Math.sqrt(bias2(t)))) / bias1(t));
  return [f(1 - BETA1), f(1 - BETA2), alpha, f(1e-7)];
}

/** 1 - beta1, beta2, the learning rate, the bias correction and epsilon. */
export function adamaxCoefficients(t) {
  return [f(1 - BETA1), f(BETA2), f(0.001), bias1(t), f(1e-7)];
}

/** Updates w, m and v in place for the t-th step. */
export function referenceAdam({ w, g, m, v }, t) {
  const [oneMinusBeta1, oneMinusBeta2, alpha, epsilon] = adamCoefficients(t);
  for (let i = 0; i < w.length; i++) {
    m[i] += f(f(g[i] - m[i]) * oneMinusBeta1);
    v[i] += f(f(f(g[i] * g[i]) - v[i]) * oneMinusBeta2);
    w[i] -= f(f(m[i] * alpha) / f(f(Math.sqrt(v[i])) + epsilon));
  }
}

/** Updates w, m and the norm v in place for the t-th step. */
export function referenceAdamax({ w, g, m, v }, t) {
  const [oneMinusBeta1, beta2, rate, correction, epsilon] = adamaxCoefficients(t);
  for (let i = 0; i < w.length; i++) {
    m[i] += f(f(g[i] - m[i]) * oneMinusBeta1);
    v[i] = Math.max(f(beta2 * v[i]), Math.abs(g[i]));
    w[i] -= f(f(rate * m[i]) / f(correction * f(v[i] + epsilon)));
  }
}
