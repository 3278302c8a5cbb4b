// What adapters ask of the object that `initWebGPU` gives: an interface, so that no GPU code comes along with them.

import type { DeviceBuffer } from '../step/remote.js';
import type { Variable, VariableOptions } from '../step/variable.js';

export interface Gpu {
  readonly device: object;
  wrap(buffer: DeviceBuffer, options?: VariableOptions & { offset?: number }): Variable;
}
