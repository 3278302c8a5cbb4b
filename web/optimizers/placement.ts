// Where an optimizer's variables and their state live: moving them to a GPU and back, and reading state from wherever
// it is. How that is done is gpu/'s; here is only what is valid.

import { describe, refuseUnknown } from '../basics/errors.js';
import { copyOf, type StateEntry } from '../state/entries.js';
import { writeEntries } from '../state/safetensors.js';
import type { Place } from '../step/elsewhere.js';
import { Stepper } from '../step/stepper.js';
import type { Stepping } from '../step/stepping.js';

export interface OffloadOptions {
  /** Variables with fewer elements stay in the engine. Default: the GPU's `minSize`. */
  minSize?: number;
}

/** @throws TypeError, RangeError, Error; then nothing has moved */
export function offload(stepper: Stepping, gpu: Place, options: OffloadOptions): Promise<void> {
  if (typeof (gpu as Partial<Place> | null)?.move !== 'function')
    throw new TypeError(
      `offload takes the object that initWebGPU() of 'simdescent/webgpu' gives, got ${describe(gpu)}.`,
    );
  if (!(stepper instanceof Stepper))
    throw new Error('offload: the variables of this optimizer live in another library.');
  refuseUnknown('offload', options, ['minSize']);
  const { minSize } = options;
  if (minSize !== undefined && !(typeof minSize === 'number' && minSize >= 0))
    throw new RangeError(`offload: minSize must be a number from 0 on, got ${describe(minSize)}.`);
  return stepper.pending.during('offload', gpu.move(stepper, minSize));
}

export async function onload({ elsewhere, pending }: Stepping): Promise<void> {
  if (elsewhere) await pending.during('onload', elsewhere.onload());
}

/** As safetensors. @throws Error if the device is lost */
export async function readEntries(
  { elsewhere, pending }: Stepping,
  state: { whole(): StateEntry[] },
): Promise<Uint8Array> {
  elsewhere?.check('readState');
  const entries = state.whole();
  const reads = Promise.all(entries.map(({ remote, read }) => remote?.read() ?? copyOf(read())));
  return writeEntries(entries, await pending.during('readState', reads));
}
