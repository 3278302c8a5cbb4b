// Where offloading begins to pay: one step of Adam in the engine against one on the GPU with the gradients uploaded,
// at growing sizes, on the machine that it runs on. A measurement, not a model.
import { Adam } from '../optimizers/adam.js';
import { Variable } from '../step/variable.js';

/** What `calibrate` measured. */
export interface Calibration {
  /** The smallest size measured from which on the GPU was faster; Infinity if it never was. */
  readonly minSize: number;
  /** Milliseconds of a step: in the engine, and on the GPU with its gradient uploaded. */
  readonly steps: readonly { readonly size: number; readonly engine: number; readonly gpu: number }[];
}

interface Measured {
  variable(size: number, options: { name: string }): Variable;
  sync(): Promise<void>;
}

const sizes = [16, 18, 20, 22].map((k) => 2 ** k);
const hopeless = 15; // milliseconds of a step at which larger sizes are not tried: ten times an engine's at 2 Mi
const rounds = 5;
const batch = 4; // steps between two waits, as in a training loop that does not read back

export async function measure(gpu: Measured): Promise<Calibration> {
  const steps = [];
  for (const size of sizes) {
    const gradient = new Float32Array(size).fill(0.5);
    const here = new Variable(size, { name: 'calibration' });
    const there = gpu.variable(size, { name: 'calibration' });
    try {
      const inEngine = await fastest(here, gradient, async () => {});
      const onGpu = await fastest(there, gradient, () => gpu.sync());
      steps.push({ size, engine: inEngine, gpu: onGpu });
      if (onGpu > hopeless && onGpu > inEngine) break;
    } finally {
      here.dispose();
      there.dispose();
    }
  }
  // From the largest size down, as long as the GPU wins.
  const loss = steps.findLastIndex((step) => step.gpu >= step.engine);
  return { minSize: steps[loss + 1]?.size ?? Number.POSITIVE_INFINITY, steps };
}

async function fastest(
  variable: Variable,
  gradient: Float32Array,
  wait: () => Promise<void>,
): Promise<number> {
  const optimizer = new Adam();
  optimizer.build([variable]);
  try {
    let least = Number.POSITIVE_INFINITY;
    for (let round = 0; round <= rounds; round++) {
      const start = performance.now();
      for (let k = 0; k < batch; k++) optimizer.apply([gradient]);
      await wait();
      const time = (performance.now() - start) / batch;
      if (round > 0) least = Math.min(least, time); // the first one compiles
    }
    return least;
  } finally {
    optimizer.dispose();
  }
}
