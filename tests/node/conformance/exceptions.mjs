// The recorded cases that simdescent does not follow on purpose, each with its reason.
// Whatever is not listed here has to pass.
import * as library from '../../../dist/index.js';

/** Optimizers of Keras and PyTorch that the package does not have. This is the only list of them. */
const ABSENT = [];

const ours = Object.entries(library)
  .filter(([, value]) => value.prototype instanceof library.Optimizer)
  .map(([name]) => name);
const isOurs = (name) => ours.includes(name);

/** Throws when a class that is listed as absent has come: from then on its cases have to pass. */
export function checkAbsent(names = ABSENT) {
  const come = names.filter(isOurs);
  if (come.length > 0) throw new Error(`listed as absent, but the package has it: ${come.join(', ')}`);
}

/** The optimizer of a case and those inside it. */
function classesOf({ optimizer, config }) {
  const { default_optimizer: usual, optimizer_map: map = {} } = config.optimizer_map?.config ?? {};
  const inner = [config.inner_optimizer, usual, ...Object.values(map)].filter(Boolean);
  return [
    optimizer.replace('torch.optim.', '').replace('NAdam', 'Nadam'),
    ...inner.map(({ class_name }) => class_name),
  ];
}

/** An optimizer of a case that the package does not have, or undefined. */
export const absentOf = (testCase) => classesOf(testCase).find((name) => ABSENT.includes(name));

/** The reason why a case is not run, or undefined. */
export function exceptionFor(testCase) {
  if (testCase.category === 'pattern-lrs-sparse') {
    return 'records a bug of the ancestor (no bias correction for sparse gradients), which is not copied';
  }
  const absent = absentOf(testCase);
  return absent && `${absent} is not one of simdescent's optimizers`;
}

/** The failures of a case whose class is neither in the package nor listed as absent. */
export function unknownClasses(testCase) {
  const unknown = classesOf(testCase).filter((name) => !isOurs(name));
  return unknown.map((got) => ({ what: 'class', got, expected: 'one of the package, or listed as absent' }));
}
