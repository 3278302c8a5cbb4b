// The order of an optimizer's state, found out by building an optimizer of the same config with placeholders: no
// second description of the state is kept that could differ from the optimizer's own.
import type { Optimizer } from '../optimizers/optimizer.js';
import { Variable } from '../step/variable.js';

/** One of the optimizer's variables: a scalar of its own, or a slot of the model's variable `variable`. */
export interface StateSlot {
  readonly dtype: 'float32' | 'int32';
  readonly variable: number | null;
  /** What it is: `iteration`, `momentum`, `velocity_hat`, … */
  readonly role: string;
}

/** The state of the optimizer that `make` makes, once it is built with `count` variables. */
export function layoutOf(make: () => Optimizer, count: number): StateSlot[] {
  const placeholders: Variable[] = [];
  const optimizer = make();
  try {
    for (let k = 0; k < count; k++) placeholders.push(new Variable(1, { path: String(k) }));
    optimizer.build(placeholders);
    return optimizer.variables.map(({ path, shape, dtype }) => {
      const last = path.slice(path.lastIndexOf('/') + 1);
      if (shape.length === 0) return { dtype, variable: null, role: last };
      const cut = last.indexOf('_');
      return { dtype, variable: Number(last.slice(0, cut)), role: last.slice(cut + 1) };
    });
  } finally {
    optimizer.dispose();
    for (const placeholder of placeholders) placeholder.dispose();
  }
}
