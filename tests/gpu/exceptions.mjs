// The recorded cases that the GPU is not held to, each with what happens there. All others have to be within the
// tolerance. WGSL lets a GPU flush denormals and leaves NaNs and infinities to it, so on other hardware the cases
// named by `mayDiffer` may differ as well; with SwiftShader they do not.

/** Numbers below the smallest normal float32 become 0. */
export const exceptions = {
  'adam-tiny-grads-02': 'the velocity is denormal and becomes 0, and with epsilon 0 the update is infinite',
  'adam-tiny-grads-03': 'gradients and momentum are denormal and become 0; the variables agree',
  'adamax-tiny-grads-03': 'gradients and momentum are denormal and become 0; the variables agree',
  'adagrad-random-261': 'the accumulated gradient is denormal and becomes 0; the variables agree',
  'ftrl-random-186': 'the accumulated gradient is denormal and becomes 0; the variables agree',
  'lossscaleoptimizer-random-334': 'the accumulated gradient is denormal and becomes 0',
  'lamb-random-171': 'the velocity is denormal and becomes 0, and with epsilon 0 the update is 0 / 0',
  'lion-random-204': 'the gradient is denormal and becomes 0, which has no sign to follow',
  'multioptimizer-random-415': 'the same, of its Lion',
  'muon-random-88': 'gradient and momentum are denormal and become 0, and so does the step along them',
};

/** Infinities and NaNs, on purpose or drawn. */
export const mayDiffer = (testCase) =>
  ['nonfinite-grads', 'huge-grads', 'keras-random'].includes(testCase.category) ||
  testCase.divergent === 'nonfinite';
