// Optimizers of torch whose groups have options of their own (tests/python/torch_groups.py), as the page goes on with them.
import { Variable } from '../../dist/index.js';
import { openTorch } from '../../dist/torch.js';

/** How many of the recorded steps the page makes before it saves. */
export const pageSteps = 3;

export const gradientsOf = (grads) => grads.map((grad) => grad && Float32Array.from(grad));

/** The optimizer of a recorded case, with variables of these values. */
export function opened({ optimizer: name }, bytes, values) {
  const variables = values.map((value, k) => new Variable(value, { path: `p${k}` }));
  return { variables, optimizer: openTorch(bytes, variables, { name }) };
}

/** Opened and stepped, as the page saves it. */
export function paged(recorded, bytes) {
  const page = opened(recorded, bytes, recorded.variables);
  for (const grads of recorded.grads.slice(0, pageSteps)) page.optimizer.apply(gradientsOf(grads));
  return page;
}
