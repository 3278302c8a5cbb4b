// Runs one recorded case in every way the library offers and collects what differs from the record:
// by arguments with plain arrays, by configuration with engine-resident variables, from a checkpoint, and
// stopped in the middle and continued from its own saved state.
import { checkExpected, checkGeneric, checkScalars, checkTwins, checkWarnings } from './check-case.mjs';
import { floats } from './load.mjs';
import { configured, constructed, excludeFromDecay, plainVariables, residentVariables } from './subject.mjs';
import { run } from './trajectory.mjs';

const seenWarnings = new Set(); // each text comes once in a process

/** Lets go of the engine's memory, so that a whole folder fits. */
function disposeAll(optimizer, variables) {
  optimizer.dispose();
  for (const v of variables) if (!(v instanceof Float32Array)) v.dispose();
}

function runFresh(testCase, make, variables, options) {
  const optimizer = make(testCase);
  try {
    excludeFromDecay(optimizer, testCase, variables);
    return run(testCase, optimizer, variables, options);
  } finally {
    disposeAll(optimizer, variables);
  }
}

/** A new optimizer that takes over after some step with given variables and a given state. */
function runContinued(testCase, make, step, values, restore) {
  const variables = residentVariables(testCase, values);
  const optimizer = make(testCase);
  try {
    excludeFromDecay(optimizer, testCase, variables);
    optimizer.build(variables);
    restore(optimizer);
    return run(testCase, optimizer, variables, { first: step });
  } finally {
    disposeAll(optimizer, variables);
  }
}

/** Keras' LossScaleOptimizer does not list Nadam's running product, so that weights alone do not resume it. */
const losesState = ({ optimizer, config }) =>
  optimizer === 'LossScaleOptimizer' && /"Nadam"/.test(JSON.stringify(config));

/** The optimizer variables of a recorded checkpoint as setWeights() takes them: numbers and flat arrays. */
function weightsOf(checkpoint) {
  return checkpoint.optimizer_variables.map(({ shape, values }) =>
    shape.length === 0 ? Number(values[0]) : floats(values),
  );
}

function checkRecorded(testCase, trace) {
  const scalars = checkScalars(testCase, trace);
  const expected = checkExpected(testCase, trace);
  if (!testCase.expect_generic) return [...scalars, ...expected];
  const generic = checkGeneric(testCase, trace);
  // Keras' two backends disagree here: whoever agrees with either of them is right (with the one that did not
  // raise, if the other did).
  if (testCase.divergent) {
    const follows = expected.length === 0 && !testCase.expect.error;
    return [...scalars, ...(follows ? [] : generic)];
  }
  return [...scalars, ...expected, ...generic];
}

/** The failures of a case; throws Unsupported where the library lacks what the case needs. */
export function runCase(testCase) {
  const middle = Math.floor(testCase.steps.length / 2);
  const resident = residentVariables(testCase);
  const main = runFresh(testCase, configured, resident, { saveAfter: middle });
  const plain = runFresh(testCase, constructed, plainVariables(testCase));
  const failures = [
    ...checkRecorded(testCase, main),
    ...checkWarnings(testCase, main, seenWarnings),
    ...checkTwins('arguments and plain arrays', plain, main),
  ];
  if (main.saved) {
    const { step, variables, bytes, weights } = main.saved;
    const fromBytes = runContinued(testCase, configured, step, variables, (o) => o.loadState(bytes));
    failures.push(...checkTwins('after loadState', fromBytes, main));
    if (!losesState(testCase)) {
      const fromWeights = runContinued(testCase, configured, step, variables, (o) => o.setWeights(weights));
      failures.push(...checkTwins('after setWeights', fromWeights, main));
    }
  }
  const { checkpoint } = testCase.expect;
  // Where Keras' backends disagree, what one of them did next binds only who follows that one.
  const follows = !testCase.divergent || checkExpected(testCase, main).length === 0;
  if (checkpoint && follows) {
    const values = testCase.expect.variables_after_step[checkpoint.step].map(floats);
    const restore = (optimizer) => optimizer.setWeights(weightsOf(checkpoint));
    const continued = runContinued(testCase, configured, checkpoint.step, values, restore);
    const late = checkExpected(testCase, continued, { builtByApply: false });
    failures.push(...late.map((f) => ({ ...f, what: `after the checkpoint: ${f.what}` })));
  }
  return failures;
}
