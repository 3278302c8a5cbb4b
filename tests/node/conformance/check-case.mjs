// Compares what a trajectory showed with what Keras (or another oracle) recorded, and lists the differences.
import { largest, sameBits, within } from './compare.mjs';
import { dialectOf, floats } from './load.mjs';
import { rateTolerance } from './schedules.mjs';

const DEFAULT_TOLERANCE = 1e-6;
const SLOT_TOLERANCE = 1e-5; // of the largest element of the slot
const SUBNORMAL = 2 ** -148; // two of the smallest float32, for slots that hold nothing larger

const SLOT_NAMES = {
  m: 'momentum',
  v: 'velocity',
  vhat: 'velocity_hat',
  u: 'norm',
  exp_avg: 'momentum',
  exp_avg_sq: 'velocity',
  max_exp_avg_sq: 'velocity_hat',
  exp_inf: 'norm',
  momentum_buffer: 'momentum',
  square_avg: '(velocity|accumulated_grad)',
  grad_avg: 'average_gradient',
  acc_delta: 'accumulated_delta_var',
  sum: 'accumulator',
};

/** Pushes { what, step?, variable?, index, got, expected, ulp } for an array that differs. */
function note(failures, where, difference) {
  if (difference) failures.push({ ...where, ...difference });
}

function noteScalar(failures, what, got, expected) {
  if (!Object.is(got, expected)) failures.push({ what, got, expected });
}

function noteArrays(failures, where, got, expected, compare) {
  if (got.length !== expected.length) {
    failures.push({ ...where, index: 'count', got: got.length, expected: expected.length });
    return;
  }
  expected.forEach((values, i) => {
    note(failures, { ...where, variable: i }, compare(got[i], floats(values)));
  });
}

/** Slots are compared on the scale of their largest element. */
const nearSlot = (a, b) => within(a, b, SLOT_TOLERANCE * largest(b) + SUBNORMAL);

/** The same, and by as much more as Keras' own two backends are apart there: 1 - beta is rounded in float32 by one. */
function nearOneBackend({ expect_generic: generic }, slots) {
  const other = new Map(slots.map((v, i) => [v, generic?.optimizer_variables_final?.[i]]));
  return (a, b, recorded) => {
    const numpy = other.get(recorded);
    const apart = numpy ? Math.max(0, ...floats(numpy.values).map((x, i) => Math.abs(x - b[i]) || 0)) : 0;
    return within(a, b, SLOT_TOLERANCE * largest(b) + SUBNORMAL + apart);
  };
}

/** Products of matrices are a library's own order of summation. */
const multiplies = (testCase) => /Muon/.test(JSON.stringify([testCase.optimizer, testCase.config]));

const usesCosine = (testCase) => JSON.stringify(testCase.config).includes('"CosineDecay');

/**
 * Keras' numpy backend, bit for bit: the final variables, the averaged ones, every optimizer variable with its
 * path, shape and place. A cosine is not the same function in numpy and in the C library, so rates made of one
 * may differ in the last bits; there the tolerances hold instead.
 */
export function checkGeneric(testCase, trace) {
  const expected = testCase.expect_generic;
  const failures = [];
  const cosine = usesCosine(testCase) || multiplies(testCase);
  const strict = testCase.tolerance.strict;
  const same = cosine ? (a, b) => within(a, b, strict) : sameBits;
  const sameSlot = cosine ? nearSlot : sameBits;
  const final = expected.variables_final ?? Object.values(expected.variables_after_step).at(-1);
  noteArrays(failures, { what: 'generic: final variables' }, trace.variables, final, same);
  if (expected.variables_after_step) {
    for (const { number, variables } of trace.steps) {
      const recorded = expected.variables_after_step[number];
      if (!recorded) continue;
      noteArrays(failures, { what: 'generic: variables', step: number }, variables, recorded, same);
    }
  }
  if (expected.after_finalize) {
    noteArrays(failures, { what: 'generic: finalized' }, trace.finalized, expected.after_finalize, same);
  }
  if (!expected.error)
    checkState(failures, 'generic', trace.state, expected.optimizer_variables_final, sameSlot);
  return failures;
}

function checkState(failures, who, got, expected, same) {
  const paths = (list) => list.map((v) => `${v.path} [${v.shape}]`);
  const [gotPaths, expectedPaths] = [paths(got), paths(expected)];
  if (gotPaths.join() !== expectedPaths.join()) {
    const i = expectedPaths.findIndex((p, k) => p !== gotPaths[k]);
    const at = i < 0 ? expectedPaths.length : i;
    const what = `${who}: optimizer variables`;
    failures.push({ what, index: at, got: gotPaths[at], expected: expectedPaths[at] });
    return;
  }
  expected.forEach((v, i) => {
    note(failures, { what: `${who}: ${v.path}` }, same(got[i].values, floats(v.values), v));
  });
}

/** The recorded trajectory within its tolerance, at every step. */
export function checkExpected(testCase, trace, { builtByApply = true } = {}) {
  const expected = testCase.expect;
  const failures = [];
  const tolerance = testCase.tolerance?.strict ?? DEFAULT_TOLERANCE;
  const near = (a, b) => within(a, b, tolerance);
  for (const { number, variables } of trace.steps) {
    const recorded = expected.variables_after_step[number];
    if (!recorded) continue; // the backend raised at this step
    noteArrays(failures, { what: 'variables', step: number, tolerance }, variables, recorded, near);
  }
  if (expected.error) return failures;
  if (expected.after_finalize) {
    const where = { what: 'finalized', tolerance };
    noteArrays(failures, where, trace.finalized, expected.after_finalize, near);
  }
  const slots = expected.optimizer_variables_final.map((v) =>
    builtByApply ? v : { ...v, path: builtPath(v) },
  );
  if (dialectOf(testCase) === 'keras')
    checkState(failures, 'expect', trace.state, slots, nearOneBackend(testCase, slots));
  else checkSlots(failures, trace.state, slots, nearSlot);
  return failures;
}

/** The path without the names that the first apply puts before it, had build() been called instead. */
function builtPath({ path, shape }) {
  const own = path.replace(/^loss_scale_optimizer\/(?=[^/]+\/)/, '');
  const isRaw = /^nadam\/variable$|^adafactor\/(?!iteration$|learning_rate$|.*_)/.test(own); // past add_variable
  return isRaw && shape.length === 0 ? own.replace(/^.*\//, '') : own;
}

/** Other oracles name a slot 'm/0'; here it is the first optimizer variable that ends in _momentum. */
function checkSlots(failures, state, slots, same) {
  for (const { name, values } of slots) {
    const [slot, index] = name.split('/');
    const ours = state.filter((v) => new RegExp(`_${SLOT_NAMES[slot]}$`).test(v.path))[index];
    if (ours) note(failures, { what: `slot ${name}` }, same(ours.values, floats(values)));
    else failures.push({ what: `slot ${name}`, got: state.map((v) => v.path).join(' '), expected: slot });
  }
}

/** Counters, learning rates, the loss scale: whole numbers exactly, rates to the bit or a few ulp. */
export function checkScalars(testCase, trace) {
  const { expect } = testCase;
  const failures = [];
  const final = { ...testCase.expect_generic, ...expect };
  if ('iterations_final' in final) {
    noteScalar(failures, 'iterations', trace.iterations, final.iterations_final);
  }
  if ('raw_iterations_final' in final) {
    noteScalar(failures, 'raw iterations', trace.rawIterations, final.raw_iterations_final);
  }
  const rates = expect.learning_rate_after_step ?? [];
  trace.steps.forEach(({ number, learningRate }) => {
    if (number <= rates.length) noteRate(failures, testCase, number, learningRate, rates[number - 1]);
  });
  if ('learning_rate_final' in final) {
    const { number, learningRate } = trace.steps.at(-1);
    noteRate(failures, testCase, number, learningRate, final.learning_rate_final);
  }
  if (expect.inner_learning_rates_final) {
    const { innerRates } = trace.steps.at(-1);
    note(
      failures,
      { what: 'inner learning rates' },
      within(innerRates, floats(expect.inner_learning_rates_final), toleranceOfRates(testCase)),
    );
  }
  if (testCase.expect_generic?.error && !/^No gradients/.test(trace.refusal?.message)) {
    const got = trace.refusal?.message ?? 'accepted';
    failures.push({ what: 'refusal', got, expected: testCase.expect_generic.error.message });
  }
  expect.loss_scale_after_step?.forEach((recorded, i) => {
    for (const [key, value] of Object.entries(recorded)) {
      noteScalar(failures, `${key} after step ${i + 1}`, trace.steps[i].lossScale[key], value);
    }
  });
  return failures;
}

const toleranceOfRates = (testCase) => (usesCosine(testCase) ? rateTolerance(testCase.config) : 0);

function noteRate(failures, testCase, step, got, expected) {
  const tolerance = toleranceOfRates(testCase);
  note(failures, { what: 'learning rate', step, tolerance }, within([got], [expected], tolerance));
}

/** Keras warns about missing gradients and names them; the text is ours, and comes once. */
export function checkWarnings(testCase, trace, seen) {
  for (const text of trace.warnings) seen.add(text);
  const recorded = testCase.expect.warnings ?? [];
  const failures = [];
  for (const { step, message } of recorded) {
    const names = [...message.matchAll(/'([^']+)'/g)].map((m) => m[1]);
    if (![...seen].some((text) => names.every((name) => text.includes(name)))) {
      const got = trace.warnings.join(' | ') || 'no warning';
      failures.push({ what: 'warning', step, got, expected: names.join(', ') });
    }
  }
  if (recorded.length === 0 && trace.warnings.length > 0) {
    failures.push({ what: 'warning', got: trace.warnings.join(' | '), expected: 'none' });
  }
  return failures;
}

/** Two trajectories of the library itself have to agree in every bit. */
export function checkTwins(what, got, expected) {
  const failures = [];
  got.steps.forEach((step) => {
    const twin = expected.steps.find((s) => s.number === step.number);
    noteArrays(failures, { what, step: step.number }, step.variables, twin.variables, sameBits);
  });
  noteArrays(failures, { what: `${what}: finalized` }, got.finalized, expected.finalized, sameBits);
  const values = (trace) => trace.state.map((v) => v.values);
  noteArrays(failures, { what: `${what}: state` }, values(got), values(expected), sameBits);
  return failures;
}
