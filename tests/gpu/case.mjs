// One recorded conformance case with every variable on the GPU, beside the same case in the engine, whose numbers are
// Keras' to the bit (tests/node/conformance). It runs in Node and in a page; what is tolerated is judged here, what
// is excepted in exceptions.mjs.
import { prepare } from '../node/conformance/prepare.mjs';

/** Of the largest element that an array has over the steps. */
export const TOLERANCE = 1e-5;

const floats = (list) => Float32Array.from(list, Number);

function variablesOf(testCase, make) {
  return testCase.variables.map((v) =>
    make(floats(v.values), {
      name: v.name,
      path: v.path ?? v.tf_name?.replace(/:0$/, '') ?? v.name,
      shape: v.shape,
      ...(v.constraint && { constraint: v.constraint }),
    }),
  );
}

function gradientsOf(testCase, { grads }, { SparseGradient }) {
  const clip = testCase.source.startsWith('tf_keras') ? { clip: 'rows' } : {};
  const sign = testCase.config.maximize ? -1 : 1;
  return grads.map((g) => {
    if (g === null) return null;
    if (!g.indices) return floats(g).map((x) => sign * x);
    return new SparseGradient({ indices: g.indices, values: floats(g.values), ...clip });
  });
}

function optimizerOf(testCase, variables, make) {
  const optimizer = make(testCase);
  const exclude = testCase.excludeFromWeightDecay;
  if (exclude)
    optimizer.excludeFromWeightDecay({
      varList: (exclude.var_list ?? []).map((i) => variables[i]),
      varNames: exclude.var_names,
    });
  return optimizer;
}

/** Every array after every step, and what the optimizer holds at the end: { name, values }[] for each moment. */
async function trace(testCase, library, make, variables, bring) {
  const optimizer = optimizerOf(testCase, variables, make);
  if (testCase.build_first) optimizer.build(variables);
  const moments = [];
  const readAll = async () =>
    Promise.all(variables.map(async (v, i) => ({ name: `variable ${i}`, values: await v.read() })));
  const refusal = testCase.expect_generic?.error?.step ?? Number.POSITIVE_INFINITY; // there the case ends
  for (const step of testCase.steps.slice(0, refusal - 1)) {
    prepare(optimizer, variables, step);
    const given = testCase.build_first ? [] : [variables];
    await optimizer.apply(gradientsOf(testCase, step, library), ...given);
    moments.push(await readAll());
  }
  optimizer.finalizeVariableValues(variables);
  moments.push(await readAll());
  await bring(optimizer);
  moments.push(
    optimizer.variables.map(({ path, value }) => ({
      name: path,
      values: typeof value === 'number' ? [value] : Float32Array.from(value),
    })),
  );
  optimizer.dispose();
  for (const v of variables) v.dispose();
  return moments;
}

/**
 * The largest difference between GPU and engine, in shares of each array's largest element over its steps; Infinity
 * for a number that is finite on one side only.
 * @returns { worst, where }
 */
export async function compareCase(testCase, library, gpu, make) {
  const { Variable } = library;
  const here = await trace(
    testCase,
    library,
    make,
    variablesOf(testCase, (values, options) => new Variable(values, options)),
    () => {},
  );
  const there = await trace(
    testCase,
    library,
    make,
    variablesOf(testCase, (values, options) => gpu.variable(values, options)),
    (optimizer) => optimizer.onload(),
  );
  const largest = new Map();
  for (const moment of here)
    for (const { name, values } of moment)
      for (const x of values)
        if (Number.isFinite(x)) largest.set(name, Math.max(largest.get(name) ?? 0, Math.abs(x)));
  let worst = 0;
  let where = '';
  here.forEach((moment, k) => {
    moment.forEach(({ name, values }, i) => {
      const got = there[k][i];
      if (got.name !== name) throw new Error(`${got.name} instead of ${name}`);
      values.forEach((x, j) => {
        const y = got.values[j];
        if (Object.is(x, y) || x === y) return;
        const scale = largest.get(name) || 1;
        const share =
          Number.isFinite(x) && Number.isFinite(y) ? Math.abs(x - y) / scale : Number.POSITIVE_INFINITY;
        if (share > worst) {
          worst = share;
          where = `${name}[${j}] at moment ${k + 1} of ${here.length}: ${y} instead of ${x}`;
        }
      });
    });
  });
  return { worst, where };
}
