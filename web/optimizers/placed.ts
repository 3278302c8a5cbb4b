// The placed part of an optimizer: moving its variables and their state to a GPU and back, and reading state from
// wherever it is. How that is done is gpu/'s; here is only what the optimizer's user calls.

import { describe, refuseUnknown } from '../basics/errors.js';
import { writeEntries } from '../state/safetensors.js';
import { Stateful } from '../state/stateful.js';
import type { Place } from '../step/elsewhere.js';
import { Stepper } from '../step/stepper.js';
import type { Stepping } from '../step/stepping.js';

export interface OffloadOptions {
  /** Variables with fewer elements stay in the engine. Default: the GPU's `minSize`. */
  minSize?: number;
}

export abstract class Placed extends Stateful {
  /**
   * Moves the built Variables of `minSize` elements or more, with their state, to a GPU; plain arrays stay.
   * @param gpu what `initWebGPU` gave
   * @throws TypeError, RangeError, Error; then nothing has moved
   */
  async offload(gpu: Place, options: OffloadOptions = {}): Promise<void> {
    const stepper = this.#idle('offload');
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
    await stepper.pending.during('offload', gpu.move(stepper, minSize));
  }

  /**
   * Brings everything back from the GPU, bit for bit. @throws RangeError if there is no memory: nothing has moved;
   * Error if the device was lost: says what is and what is not there, and everything is in the engine again
   */
  async onload(): Promise<void> {
    const { elsewhere, pending } = this.#idle('onload');
    if (elsewhere) await pending.during('onload', elsewhere.onload());
  }

  /** `serializeState`, from wherever the state lives. */
  async readState(): Promise<Uint8Array> {
    const { elsewhere, pending } = this.#idle('readState');
    elsewhere?.check('readState');
    const entries = this.whole();
    const reads = Promise.all(entries.map(({ remote, read }) => remote?.read() ?? copyOf(read())));
    return writeEntries(entries, await pending.during('readState', reads));
  }

  #idle(what: string): Stepping {
    const stepper = this.stepper();
    stepper.pending.check(what);
    return stepper;
  }
}

const copyOf = (value: number | Float32Array) => (typeof value === 'number' ? value : value.slice());
