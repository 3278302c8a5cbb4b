// What adapters ask of the object that `initWebGPU` gives: an interface, so that no GPU code comes along with them.

import type { DeviceBuffer } from '../step/remote.js';
import type { Variable, VariableOptions } from '../step/variable.js';

interface Wrapped extends VariableOptions {
  /** Where the values start, in bytes. */
  offset?: number | undefined;
}

/** What `initWebGPU` gives, as far as adapters ask for it. */
export interface Gpu {
  /** The GPUDevice that everything runs on. */
  readonly device: object;
  /** A Variable over a buffer. */
  wrap(buffer: DeviceBuffer, options?: Wrapped): Variable;
}
