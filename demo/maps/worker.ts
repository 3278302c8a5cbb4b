// Computes one map after the other, off the page's own thread. It looks up from its work often enough that a
// new order, or a stop, ends the old one at once.
import { init } from 'simdescent';
import { Basin } from './basin.ts';
import type { BasinJob, FromWorker, Job, ToWorker } from './job.ts';
import { Rates } from './rates.ts';

/** Milliseconds between looking up; and between pictures of unfinished work. */
const SLICE = 20;
const PICTURE_EVERY = 60;
/** A rough picture has so many times fewer starts along each side. */
const ROUGH = 4;

let current = 0;
const ready = init();
const pause = pauser();

addEventListener('message', async ({ data }: MessageEvent<ToWorker>) => {
  current += 1;
  if (data.say === 'stop') return;
  const mine = current;
  const wanted = () => current === mine;
  await ready;
  const { job, quick, run } = data;
  if (quick && job.kind === 'basin') await compute(run, roughly(job), true, false, wanted);
  if (wanted()) await compute(run, job, false, !quick, wanted);
});

const roughly = (job: BasinJob): BasinJob => ({ ...job, side: Math.round(job.side / ROUGH) });

async function compute(
  run: number,
  job: Job,
  rough: boolean,
  showUnfinished: boolean,
  wanted: () => boolean,
): Promise<void> {
  const work = job.kind === 'basin' ? new Basin(job) : new Rates(job);
  const tell = (withPicture: boolean) => {
    const { progress, effort } = work;
    const message: FromWorker = { run, progress, rough, effort: { ...effort } };
    if (!withPicture) return postMessage(message);
    if (work instanceof Basin) postMessage({ ...message, basin: work.picture() });
    else postMessage({ ...message, rates: work.picture() });
  };
  try {
    let shown = performance.now();
    while (!work.done) {
      const until = performance.now() + SLICE;
      while (!work.done && performance.now() < until) work.step();
      await pause();
      if (!wanted()) return;
      if (work.done || performance.now() - shown < PICTURE_EVERY) continue;
      shown = performance.now();
      if (!rough) tell(showUnfinished);
    }
    tell(true);
  } finally {
    work.dispose();
  }
}

/** Lets waiting messages in, without the delay of a timer. */
function pauser(): () => Promise<void> {
  const { port1, port2 } = new MessageChannel();
  let resume = () => {};
  port1.onmessage = () => resume();
  return () =>
    new Promise((resolve) => {
      resume = resolve;
      port2.postMessage(null);
    });
}
