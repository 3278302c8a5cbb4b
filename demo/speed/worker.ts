// Measures the contestants one after the other, off the page's own thread; the page ends it to stop it. Medians
// over many steps; the first steps, which meet cold caches and unoptimised code, do not count.
import { init } from 'simdescent';
import { formatShort } from '../page/format.ts';
import { type Contestant, makers } from './contestants.ts';
import type { ContestantId, FromSpeedWorker, SpeedJob } from './job.ts';

const WARM_UP = 3;
const BUDGET = 500;
const FEWEST = 5;
const MOST = 400;
/** A page's clock is coarse: a sample lasts at least so many milliseconds. */
const SHORTEST_SAMPLE = 2;

const say = (message: FromSpeedWorker) => postMessage(message);

addEventListener('message', async ({ data }: MessageEvent<SpeedJob>) => {
  const { threads, threadsNote } = await init(data.threads ? { threads: 'auto' } : {});
  if (data.threads) {
    const text = threads > 1 ? `${threads} threads` : `not here: ${threadsNote ?? 'one processor core'}`;
    say({ what: 'note', id: 'threads', text });
    if (threads === 1) return say({ what: 'done' });
  } else say({ what: 'bandwidth', gigabytes: await copyBandwidth(data.size) });
  for (const id of data.contestants) {
    say({ what: 'begin', id });
    try {
      await compete(id, data);
    } catch (error) {
      say({ what: 'failed', id, why: error instanceof Error ? error.message : String(error) });
    }
  }
  say({ what: 'done' });
});

async function compete(id: ContestantId, { rule, size }: SpeedJob): Promise<void> {
  if (id !== 'webgpu') {
    const contestant = await makers[id](rule, size);
    say({ what: 'result', id, milliseconds: await measure(contestant) });
    return contestant.dispose();
  }
  const { webgpu } = await import('./webgpu.ts');
  const contestant = await webgpu(rule, size);
  say({ what: 'result', id, milliseconds: await measure(contestant) });
  const difference = formatShort(await contestant.difference(), 2);
  say({ what: 'note', id, text: `${contestant.adapter}; differs by at most ${difference} after 30 steps` });
  contestant.dispose();
}

async function measure(contestant: Contestant): Promise<number> {
  const settle = () => contestant.settle?.();
  for (let step = 0; step < WARM_UP; step++) contestant.step();
  await settle();
  const milliseconds = await medianOf(() => contestant.step(), settle);
  const values = await contestant.values();
  if (!values.slice(0, 16).every(Number.isFinite)) throw new Error('Its parameters are lost.');
  return milliseconds;
}

async function copyBandwidth(size: number): Promise<number> {
  // As much memory as a step touches, so that the same caches help or do not.
  const [from, to] = [new Float32Array(2 * size).fill(1), new Float32Array(2 * size)];
  to.set(from);
  return (2 * from.byteLength) / (await medianOf(() => to.set(from))) / 1e6;
}

async function medianOf(work: () => void, settle?: () => Promise<void> | undefined): Promise<number> {
  const samples: number[] = [];
  let repeats = 1;
  const end = performance.now() + BUDGET;
  while ((performance.now() < end || samples.length < FEWEST) && samples.length < MOST) {
    const begin = performance.now();
    for (let repeat = 0; repeat < repeats; repeat++) work();
    const waiting = settle?.();
    if (waiting) await waiting;
    const lasted = performance.now() - begin;
    if (lasted < SHORTEST_SAMPLE) {
      repeats *= 2;
      samples.length = 0;
    } else samples.push(lasted / repeats);
  }
  samples.sort((a, b) => a - b);
  return samples[samples.length >> 1];
}
