// The recorded cases that the GPU is not held to, each with what happens there. All others have to be within the
// tolerance. WGSL lets a GPU flush denormals and leaves NaNs and infinities to it, so on other hardware the cases
// named by `mayDiffer` may differ as well; with SwiftShader they do not.

/** Numbers below the smallest normal float32 become 0. */
export const exceptions = {
  'adam-tiny-grads-02': 'the velocity is denormal and becomes 0, and with epsilon 0 the update is infinite',
  'adam-tiny-grads-03': 'gradients and momentum are denormal and become 0; the variables agree',
  'adamax-tiny-grads-03': 'gradients and momentum are denormal and become 0; the variables agree',
};

/** Infinities and NaNs, on purpose. */
export const mayDiffer = (testCase) =>
  ['nonfinite-grads', 'huge-grads'].includes(testCase.category) || testCase.divergent === 'nonfinite';
