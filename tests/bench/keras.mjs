// Whole training loops of Keras on its PyTorch backend, one thread: a Python that has both runs keras-loops.py and takes
// turns with `model.fit` of TensorFlow.js on as many rows of the same shapes. (Which numbers they are takes no time.)
import { startPython } from './python.mjs';
import { hyper } from './variants/data.mjs';
import { tfjsLoops } from './variants/tfjs-loops.mjs';

export const own = 'model.fit of Keras';

/** { about } in words and { make }, as the loops of the other libraries: none where no such Python is. */
export async function kerasLoops(python) {
  const { missing, keras, torch, ask, end } = await startPython(python, 'keras-loops.py');
  if (missing) return { about: `Keras: no table with ${python}: ${missing}` };
  return {
    about: `Keras ${keras} on PyTorch ${torch}`,
    end,
    async make(problem) {
      const { learningRate, beta1, beta2, epsilon } = hyper;
      await ask({ do: 'make', ...problem, hyper: [learningRate, beta1, beta2, epsilon] });
      const theirs = { name: own, turn: async (runs) => (await ask({ do: 'run', runs })).ms, dispose() {} };
      return [theirs, ...(await tfjsLoops(problem))];
    },
  };
}
