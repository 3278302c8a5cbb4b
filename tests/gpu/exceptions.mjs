// The recorded cases that the GPU is not held to, each with what happens there. All others have to be within the
// tolerance. WGSL lets a GPU flush denormals and leaves NaNs and infinities to it, so on other hardware the cases
// named by `mayDiffer` may differ as well; with SwiftShader they do not.

/** Numbers below the smallest normal float32 become 0. */
export const exceptions = {
  'adam-tiny-grads-02': 'the velocity is denormal and becomes 0, and with epsilon 0 the update is infinite',
  'adam-tiny-grads-03': 'gradients and momentum are denormal and become 0; the variables agree',
  'adamax-tiny-grads-03': 'gradients and momentum are denormal and become 0; the variables agree',
};

/** Optimizers that no GPU takes: they look at whole variables in the middle of an update, and there is no form for that. */
const refused = ['Adafactor', 'Muon'];

/** What a case says instead of numbers where it cannot run on a GPU; undefined where it can: also of what is within it. */
export const refusalOf = ({ optimizer, config }) => {
  const within = JSON.stringify(config?.optimizer_map ?? config?.inner_optimizer ?? null);
  return refused.some((name) => name === optimizer || within.includes(`"class_name":"${name}"`))
    ? /looks at whole variables, and has no form for a GPU/
    : undefined;
};

/** Infinities and NaNs, on purpose. */
export const mayDiffer = (testCase) =>
  ['nonfinite-grads', 'huge-grads'].includes(testCase.category) || testCase.divergent === 'nonfinite';
