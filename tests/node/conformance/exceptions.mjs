// The recorded cases that simdescent does not follow on purpose, each with its reason.
// Whatever is not listed here has to pass.

const OWN_CLASSES = ['Adam', 'AdamW', 'Adamax', 'AdamMultilr', 'LossScaleOptimizer'];

/** The reason why a case is not run, or null. */
export function exceptionFor(testCase) {
  const name = testCase.optimizer.replace('torch.optim.', '');
  if (testCase.category === 'pattern-lrs-sparse') {
    return 'records a bug of the ancestor (no bias correction for sparse gradients), which is not copied';
  }
  if (!OWN_CLASSES.includes(name)) return `${name} is not one of simdescent's optimizers`;
  return null;
}
