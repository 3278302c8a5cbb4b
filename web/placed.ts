// The placed part of an optimizer: moving its variables and their state to a GPU and back, and reading state from
// wherever it is. How that is done is gpu/'s; here is only what the optimizer's user calls.
import type { Elsewhere, Place } from './elsewhere.js';
import { describe } from './errors.js';
import { writeEntries } from './state/safetensors.js';
import { Stateful } from './state/stateful.js';
import { Stepper } from './stepper.js';
import type { Stepping } from './stepping.js';

export interface OffloadOptions {
  /** Variables with fewer elements stay in the engine. Default: the GPU's `minSize`. */
  minSize?: number;
}

export abstract class Placed extends Stateful {
  protected abstract override stepper(): Stepping;

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
    const { minSize, ...rest } = options ?? {};
    const unknown = Object.keys(rest)[0];
    if (unknown) throw new TypeError(`offload: unknown option '${unknown}'; 'minSize' is accepted.`);
    if (minSize !== undefined && !(typeof minSize === 'number' && minSize >= 0))
      throw new RangeError(`offload: minSize must be a number from 0 on, got ${describe(minSize)}.`);
    await gpu.move(stepper, minSize);
  }

  /**
   * Brings everything back from the GPU, bit for bit. @throws RangeError if there is no memory: nothing has moved;
   * Error if the device was lost: says what is and what is not there, and everything is in the engine again
   */
  async onload(): Promise<void> {
    await this.#idle('onload').elsewhere?.onload();
  }

  /** `serializeState`, from wherever the state lives. */
  async readState(): Promise<Uint8Array> {
    this.#idle('readState').elsewhere?.check('readState');
    const entries = this.entries();
    const values = await Promise.all(entries.map(({ remote, read }) => remote?.read() ?? copyOf(read())));
    return writeEntries(entries, values);
  }

  #idle(what: string): Stepping {
    const stepper = this.stepper();
    const elsewhere: Elsewhere | null = stepper.elsewhere ?? null;
    elsewhere?.settled(what);
    return stepper;
  }
}

const copyOf = (value: number | Float32Array) => (typeof value === 'number' ? value : value.slice());
