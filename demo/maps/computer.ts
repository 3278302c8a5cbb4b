// The page's end of a map's worker: orders are sent there, pictures come back, and what belongs to an order that
// is no longer wanted is dropped. The worker is made with the first order.
import { showError } from '../page/error-box.ts';
import type { FromWorker, Job, ToWorker } from './job.ts';

export class MapComputer {
  #worker: Worker | undefined;
  #run = 0;
  readonly #onNews: (news: FromWorker) => void;

  constructor(onNews: (news: FromWorker) => void) {
    this.#onNews = onNews;
  }

  start(job: Job, quick: boolean): void {
    this.#run += 1;
    this.#send({ say: 'start', run: this.#run, job, quick });
  }

  stop(): void {
    this.#run += 1;
    this.#send({ say: 'stop' });
  }

  #send(order: ToWorker): void {
    this.#worker ??= this.#make();
    this.#worker.postMessage(order);
  }

  #make(): Worker {
    const worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
    worker.onmessage = ({ data }: MessageEvent<FromWorker>) => {
      if (data.run === this.#run) this.#onNews(data);
    };
    worker.onerror = (event) =>
      showError(`The maps' worker failed: ${event.message || 'it could not be loaded'}.`);
    return worker;
  }
}
