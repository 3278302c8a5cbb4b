// Where an optimizer's variables and their state live: moving them to a GPU and back, and reading state from wherever
// it is. How that is done is gpu/'s; here is only what is valid.

import { describe, refuseUnknown } from '../basics/errors.js';
import { fetchStored, listed, type StateEntry } from '../state/entries.js';
import { writeEntries } from '../state/safetensors.js';
import type { Accelerator, Elsewhere } from '../step/elsewhere.js';
import { EngineExecutor } from '../step/engine-executor.js';
import type { Built, Executor } from '../step/executor.js';

/** What `offload` moves. */
export interface OffloadOptions {
  /** Variables with fewer elements stay in the engine. Default: the GPU's `minSize`. */
  minSize?: number | undefined;
}

/** @throws TypeError, RangeError, Error; then nothing has moved */
export function offload(built: Built, gpu: Accelerator, options: OffloadOptions): Promise<void> {
  if (typeof (gpu as Partial<Accelerator> | null)?.move !== 'function')
    throw new TypeError(
      `offload takes the object that initWebGPU() of 'simdescent/webgpu' gives, got ${describe(gpu)}.`,
    );
  const executors = executorsOf(built);
  if (!executors.every((executor) => executor instanceof EngineExecutor))
    throw new Error('offload: the variables of this optimizer live in another library.');
  refuseUnknown('offload', options, ['minSize']);
  const { minSize } = options;
  if (minSize !== undefined && !(typeof minSize === 'number' && minSize >= 0))
    throw new RangeError(`offload: minSize must be a number from 0 on, got ${describe(minSize)}.`);
  return built.pending.during('offload', moveAll(executors, gpu, minSize));
}

const executorsOf = (built: Built): readonly Executor[] => built.executors ?? [built as Executor];

/** One after the other; if one does not fit, those that had nothing there before come back. */
async function moveAll(
  executors: readonly EngineExecutor[],
  gpu: Accelerator,
  minSize?: number,
): Promise<void> {
  const moved: EngineExecutor[] = [];
  try {
    for (const executor of executors) {
      const isFirst = !executor.elsewhere;
      await gpu.move(executor, minSize);
      if (isFirst) moved.push(executor);
    }
  } catch (error) {
    for (const executor of moved) await executor.elsewhere?.onload();
    throw error;
  }
}

export async function onload(built: Built): Promise<void> {
  const away = executorsOf(built).flatMap(({ elsewhere }) => elsewhere ?? []);
  if (away.length) await built.pending.during('onload', onloadAll(away));
}

/** All of them, also if one fails: where a device was lost, each has something to save. */
async function onloadAll(away: readonly Elsewhere[]): Promise<void> {
  const errors: unknown[] = [];
  for (const each of away) await each.onload().catch((error) => errors.push(error));
  if (errors.length) throw errors[0];
}

/** As safetensors. @throws Error if the device is lost */
export async function readEntries(
  { elsewhere, pending }: Built,
  state: { whole(): StateEntry[] },
): Promise<Uint8Array> {
  elsewhere?.check('readState');
  const entries = listed(state.whole());
  const reads = Promise.all(entries.map(fetchStored));
  return writeEntries(entries, await pending.during('readState', reads));
}
