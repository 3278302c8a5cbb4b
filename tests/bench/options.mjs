// What each option of the optimizer costs beside the plain step, and all of them together: Adam on one resident
// variable with a resident gradient.
import { rowsOf } from './steps.mjs';
import { optimizerFor, variableOf } from './variants/library.mjs';

export const optionSizes = [2 ** 16, 2 ** 23];

const every = 4;
const scale = 2 ** 10;
const accumulation = { gradientAccumulationSteps: every };
const everything = {
  weightDecay: 0.004,
  lossScaleFactor: scale,
  clipnorm: 1,
  useEma: true,
  ...accumulation,
};

const cases = [
  { name: 'plain', options: {} },
  { name: 'decay', options: { weightDecay: 0.004 } },
  { name: 'loss scale, clipvalue', options: { lossScaleFactor: scale, clipvalue: 0.5 / scale } },
  { name: 'average', options: { useEma: true } },
  { name: 'clipnorm', options: { clipnorm: 1 } },
  { name: 'clipnorm, nothing to clip', options: { clipnorm: 1, lossScaleFactor: 2 ** 20 } },
  { name: 'globalClipnorm', options: { globalClipnorm: 1 } },
  { name: 'state: bfloat16', options: { stateDtype: 'bfloat16' } },
  { name: 'state: int8', options: { stateDtype: 'int8' } },
  { name: 'monitor', options: { monitor: true } },
  { name: 'monitor, decay', options: { monitor: true, weightDecay: 0.004 } },
  { name: 'monitor, state: bfloat16', options: { monitor: true, stateDtype: 'bfloat16' } },
  { name: 'monitor, state: int8', options: { monitor: true, stateDtype: 'int8' } },
  { name: 'monitor: mean of 10 calls', options: { monitor: { every: 10 } }, calls: 10 },
  { name: 'skipNonFinite', options: { skipNonFinite: true } },
  { name: 'accumulation: updating call', options: accumulation, updatingOnly: true },
  { name: 'accumulation: mean of 4 calls', options: accumulation },
  { name: 'everything: updating call', options: everything, updatingOnly: true },
  { name: 'everything: mean of 4 calls', options: everything },
];

function variantOf({ name, options, updatingOnly, calls }, rule, variable) {
  const optimizer = optimizerFor(rule, [variable], options);
  const dispose = () => optimizer.dispose();
  const step = () => optimizer.step();
  const several = (count) => () => {
    for (let k = 0; k < count; k++) optimizer.step();
  };
  if (calls) return { name, calls, run: several(calls), dispose };
  if (!options.gradientAccumulationSteps) return { name, run: step, dispose };
  if (updatingOnly) return { name, before: several(every - 1), run: step, dispose };
  return { name, calls: every, run: several(every), dispose };
}

export async function* options({ rules, sizes, timing }) {
  for (const rule of rules) {
    for (const size of sizes) {
      const variable = variableOf(size);
      const variants = cases.map((each) => variantOf(each, rule, variable));
      yield* await rowsOf({ group: 'options', rule, size }, variants, size, timing);
      variable.dispose();
    }
  }
}
