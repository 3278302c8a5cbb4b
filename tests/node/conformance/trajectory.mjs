// Runs the steps of a recorded case on a given optimizer and variables and writes down all that can be seen.
// It judges nothing; check-case.mjs compares the trace with what was recorded.
import { prepare, setOptions } from './prepare.mjs';
import { gradientsOf, valuesOf } from './subject.mjs';

/** Everything console.warn was told while `work` ran. */
function withWarnings(texts, work) {
  const original = console.warn;
  console.warn = (...parts) => texts.push(parts.map(String).join(' '));
  try {
    return work();
  } finally {
    console.warn = original;
  }
}

export const copies = (variables) => variables.map((v) => Float32Array.from(valuesOf(v)));

/** Optimizer variables as { path, shape, values }, scalars as arrays of one number. */
export function stateOf(optimizer) {
  return optimizer.variables.map(({ path, shape, value }) => ({
    path,
    shape: [...shape],
    values: typeof value === 'number' ? [value] : Float32Array.from(value),
  }));
}

function lossScaleOf(optimizer) {
  const byName = (name) => optimizer.variables.find((v) => v.path.endsWith(`/${name}`)).value;
  return {
    dynamic_scale: byName('dynamic_scale'),
    step_counter: byName('step_counter'),
    inner_iterations: optimizer.iterations,
  };
}

/** One learning rate, or one for each optimizer within. */
function ratesOf(optimizer) {
  const { optimizers } = optimizer.innerOptimizer ?? optimizer;
  if (!optimizers) return { learningRate: optimizer.learningRate };
  return { innerRates: optimizers.map(({ learningRate }) => learningRate) };
}

/** The step at which both backends raised, if there is one: there the case ends. */
const refusedAt = ({ expect_generic: generic }) => generic?.error?.step;

function errorOf(call) {
  try {
    call();
    return null;
  } catch (error) {
    return error;
  }
}

/** Resident variables get their dense gradients in the engine's own buffers, so that both ways in are run. */
function gradientsFor(testCase, step, variables) {
  const grads = gradientsOf(testCase, step);
  const resident = (g, v) => g instanceof Float32Array && !(v instanceof Float32Array);
  grads.forEach((g, i) => {
    if (resident(g, variables[i]) && g.length === variables[i].size) variables[i].gradient.set(g);
  });
  return grads.map((g, i) => (resident(g, variables[i]) ? variables[i].gradient : g));
}

/**
 * Steps from `first` (0-based) to the end. `saveAfter` is the number of steps after which the state is kept
 * in every form the library offers.
 */
export function run(testCase, optimizer, variables, { first = 0, saveAfter } = {}) {
  const trace = { steps: [], warnings: [], saved: null };
  withWarnings(trace.warnings, () => {
    if (testCase.build_first && first === 0) optimizer.build(variables);
    for (const step of testCase.steps.slice(0, first)) setOptions(optimizer, step); // a state has no options
    for (let k = first; k < testCase.steps.length; k++) {
      const step = testCase.steps[k];
      prepare(optimizer, variables, step);
      const given = testCase.build_first ? [] : [variables];
      const apply = () => optimizer.apply(gradientsFor(testCase, step, variables), ...given);
      if (refusedAt(testCase) === k + 1) {
        trace.refusal = errorOf(apply);
        break;
      }
      apply();
      trace.steps.push({
        number: k + 1,
        variables: copies(variables),
        ...ratesOf(optimizer),
        ...(testCase.inner?.optimizer && { lossScale: lossScaleOf(optimizer) }),
      });
      if (k + 1 === saveAfter) {
        trace.saved = {
          step: k + 1,
          variables: copies(variables),
          bytes: optimizer.serializeState(),
          weights: optimizer.getWeights(),
        };
      }
    }
    trace.iterations = optimizer.iterations;
    trace.rawIterations = optimizer.rawIterations;
    trace.state = stateOf(optimizer);
    trace.variables = copies(variables);
    optimizer.finalizeVariableValues(variables);
    trace.finalized = copies(variables);
  });
  return trace;
}
