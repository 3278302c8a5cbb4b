// What a recorded case does before a step, besides its gradients: options set, a rate, a count, weights assigned,
// averages taken over. It imports nothing, for a page runs it as well.
const camelCase = (name) => name.replace(/_(.)/g, (_, c) => c.toUpperCase());

export function setOptions(optimizer, { set = {} }) {
  for (const [name, value] of Object.entries(set)) optimizer[camelCase(name)] = value;
}

function assign(variable, values) {
  if (variable instanceof Float32Array) variable.set(values);
  else variable.assign(values);
}

export function prepare(optimizer, variables, step) {
  if ('set_learning_rate' in step) optimizer.learningRate = step.set_learning_rate;
  if ('set_iterations' in step) optimizer.iterations = step.set_iterations;
  setOptions(optimizer, step);
  if (step.finalize) optimizer.finalizeVariableValues(variables);
  step.assign?.forEach((values, i) => {
    if (values) assign(variables[i], Float32Array.from(values, Number));
  });
}
