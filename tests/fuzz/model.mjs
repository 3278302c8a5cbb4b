// Keras' optimizers once more, as slowly and plainly as can be: one float32 rounding per operation, an array per thing.
// The oracle of the random sequences: it shares nothing with the package but the specification.
const f = Math.fround;

/** Sum of squares in numpy's pairwise order. */
export function sumOfSquares(g, from = 0, n = g.length) {
  const square = (i) => f(g[from + i] * g[from + i]);
  if (n < 8) {
    let sum = 0;
    for (let i = 0; i < n; i++) sum = f(sum + square(i));
    return sum;
  }
  if (n <= 128) {
    const r = Array.from({ length: 8 }, (_, i) => square(i));
    let i = 8;
    for (; i + 8 <= n; i += 8) for (let j = 0; j < 8; j++) r[j] = f(r[j] + square(i + j));
    const pair = (a, b) => f(r[a] + r[b]);
    let sum = f(f(pair(0, 1) + pair(2, 3)) + f(pair(4, 5) + pair(6, 7)));
    for (; i < n; i++) sum = f(sum + square(i));
    return sum;
  }
  const half = (n >> 1) - ((n >> 1) % 8);
  return f(sumOfSquares(g, from, half) + sumOfSquares(g, from + half, n - half));
}

const rules = {
  adam: {
    slots: ['momentum', 'velocity'],
    step(w, g, [m, v], { lr, t, beta1, beta2, epsilon }) {
      const p1 = f(f(beta1) ** t);
      const p2 = f(f(beta2) ** t);
      const alpha = f(f(lr * f(Math.sqrt(f(1 - p2)))) / f(1 - p1));
      for (let i = 0; i < w.length; i++) {
        m[i] = f(m[i] + f(f(g[i] - m[i]) * f(1 - beta1)));
        v[i] = f(v[i] + f(f(f(g[i] * g[i]) - v[i]) * f(1 - beta2)));
        w[i] = f(w[i] - f(f(m[i] * alpha) / f(f(Math.sqrt(v[i])) + f(epsilon))));
      }
    },
  },
  adamax: {
    slots: ['momentum', 'norm'],
    step(w, g, [m, u], { lr, t, beta1, beta2, epsilon }) {
      const p1 = f(f(beta1) ** t);
      for (let i = 0; i < w.length; i++) {
        m[i] = f(m[i] + f(f(g[i] - m[i]) * f(1 - beta1)));
        u[i] = Math.max(f(f(beta2) * u[i]), Math.abs(g[i]));
        w[i] = f(w[i] - f(f(lr * m[i]) / f(f(1 - p1) * f(u[i] + f(epsilon)))));
      }
    },
  },
};

/** A sparse gradient as rows in ascending order with duplicates summed, and as the dense one that it stands for. */
function spread({ indices, values }, size, width) {
  const sums = new Map();
  indices.forEach((row, k) => {
    const part = values.slice(k * width, (k + 1) * width);
    sums.set(row, sums.has(row) ? sums.get(row).map((x, i) => f(x + part[i])) : part);
  });
  const rows = [...sums.keys()].sort((a, b) => a - b);
  const dense = new Float32Array(size);
  for (const row of rows) dense.set(sums.get(row), row * width);
  return { dense, given: Float32Array.from(rows.flatMap((row) => [...sums.get(row)])) };
}

export class Model {
  constructor(config) {
    Object.assign(this, { raw: 0, options: { ...config.options }, rule: rules[config.rule], scaling: null });
    if (config.scaled) this.scaling = { scale: 8, counter: 0 };
  }

  /** @param variables `{ values, width, excluded }`: shared with other models */
  build(variables) {
    const zeros = () => variables.map(({ values }) => new Float32Array(values.length));
    this.variables = variables;
    this.slots = this.rule.slots.map(zeros);
    this.averages = this.options.useEma ? zeros() : null;
    this.accumulators = this.options.gradientAccumulationSteps ? zeros() : null;
  }

  get iterations() {
    return Math.floor(this.raw / (this.options.gradientAccumulationSteps ?? 1));
  }

  /** @param grads null, a Float32Array or `{ indices, values }` for each of `rows` */
  apply(grads, rows = this.variables.map((_, k) => k)) {
    const given = rows.map((row, k) => ({ row, g: grads[k] })).filter(({ g }) => g);
    if (this.scaling) {
      const finite = given.every(({ g }) => (g.indices ? g.values : g).every(Number.isFinite));
      if (!finite) {
        this.scaling = { scale: f(this.scaling.scale * 0.5), counter: 0 };
        return;
      }
    }
    this.#step(given, this.scaling ? this.scaling.scale : (this.options.lossScaleFactor ?? 1));
    if (!this.scaling) return;
    const { scale, counter } = this.scaling;
    this.scaling = counter === 1 ? { scale: f(scale * 2), counter: 0 } : { scale, counter: counter + 1 };
  }

  #step(given, divisor) {
    const o = this.options;
    const n = o.gradientAccumulationSteps ?? null;
    const updates = n === null || (this.raw + 1) % n === 0;
    const steps = given.map(({ row, g }) => {
      const { values, width } = this.variables[row];
      let { dense, given: rows } = g.indices ? spread(g, values.length, width) : { dense: g, given: g };
      dense = dense.map((x) => x / f(divisor));
      rows = n === null ? rows.map((x) => x / f(divisor)) : null;
      if (n !== null) dense = dense.map((x, i) => f(x + this.accumulators[row][i]));
      if (n !== null && updates) dense = dense.map((x) => x / n);
      return { row, g: dense, normed: rows ?? dense };
    });
    if (updates) this.#update(steps);
    else for (const { row, g } of steps) this.accumulators[row].set(g);
    this.#average();
    this.raw++;
  }

  #update(steps) {
    const o = this.options;
    const lr = f(o.learningRate);
    if (o.clipnorm > 0) {
      const c = f(o.clipnorm);
      for (const step of steps) {
        const norm = f(Math.sqrt(sumOfSquares(step.normed)));
        step.g = step.g.map((x) => f(x * c) / Math.max(norm, c));
      }
    } else if (o.globalClipnorm > 0) {
      const c = f(o.globalClipnorm);
      const norm = f(Math.sqrt(steps.reduce((sum, { normed }) => f(sum + sumOfSquares(normed)), 0)));
      const k = f(f(c * Math.min(f(1 / norm), f(1 / c))) + f(norm - norm));
      for (const step of steps) step.g = step.g.map((x) => x * k);
    } else if (o.clipvalue > 0) {
      const c = f(o.clipvalue);
      for (const step of steps) step.g = step.g.map((x) => Math.min(Math.max(x, -c), c));
    }
    const scalars = { ...o, lr, t: this.iterations + 1 };
    for (const { row, g } of steps) {
      const { values: w, excluded } = this.variables[row];
      if (o.weightDecay !== null && !excluded)
        w.forEach((x, i) => {
          w[i] = f(x - f(f(x * f(o.weightDecay)) * lr));
        });
      this.rule.step(
        w,
        g,
        this.slots.map((slot) => slot[row]),
        scalars,
      );
    }
    if (this.accumulators) for (const acc of this.accumulators) acc.fill(0);
  }

  #average() {
    if (!this.averages) return;
    const { emaMomentum, emaOverwriteFrequency } = this.options;
    const mu = this.iterations === 0 ? 0 : f(emaMomentum);
    const due = emaOverwriteFrequency && (this.iterations + 1) % emaOverwriteFrequency === 0;
    this.variables.forEach(({ values, gone }, k) => {
      if (gone) return;
      const average = this.averages[k];
      average.forEach((x, i) => {
        average[i] = f(f(mu * x) + f(f(1 - mu) * values[i]));
      });
      if (due) values.set(average);
    });
  }

  updateStep(g, row, rate) {
    const scalars = { ...this.options, lr: f(rate), t: this.iterations + 1 };
    this.rule.step(
      this.variables[row].values,
      g,
      this.slots.map((slot) => slot[row]),
      scalars,
    );
  }

  finalize() {
    if (this.averages) for (const [k, { values }] of this.variables.entries()) values.set(this.averages[k]);
  }

  /** In Keras' order, without that of variables that are gone. */
  weights() {
    const here = this.variables.map((_, k) => k).filter((k) => !this.variables[k].gone);
    const list = this.scaling ? [0, 0, this.scaling.counter, this.scaling.scale] : [];
    list.push(this.raw, f(this.options.learningRate));
    for (const group of [this.averages, this.accumulators])
      if (group) list.push(...here.map((k) => group[k]));
    for (const k of here) list.push(...this.slots.map((slot) => slot[k]));
    return list;
  }
}
