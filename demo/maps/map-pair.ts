// Two maps side by side, Adam's and Adamax's, with their progress: what the basin map and the map of the rates
// have in common. It starts when it comes into view, and anew when its settings have changed.

import { type OptimizerId, optimizerIds, type PerOptimizer, perOptimizer } from '../optimizers.ts';
import { showTexts } from '../page/controls.ts';
import { element, onThemeChange, prefersReducedMotion } from '../page/dom.ts';
import { formatCount } from '../page/format.ts';
import { MapComputer } from './computer.ts';
import type { Effort, FromWorker, Job } from './job.ts';

/** What the rest of the page asks of a pair of maps. */
export interface Changing {
  /** Compute anew: the settings have changed. */
  change(): void;
  /** Only draw anew: the mark has moved. */
  redraw(): void;
}

export interface MapPairOptions {
  readonly prefix: 'basin' | 'rates';
  job(id: OptimizerId): Job;
  /** A picture came: keep it and paint it. */
  onPicture(id: OptimizerId, news: FromWorker): void;
  /** Paint the last pictures again: the theme has changed. */
  repaint(): void;
}

export class MapPair {
  readonly #options: MapPairOptions;
  readonly #computers: PerOptimizer<MapComputer>;
  readonly #news: PerOptimizer<FromWorker | null> = { adam: null, adamax: null };
  readonly #bar: HTMLProgressElement;
  readonly #button: HTMLButtonElement;
  #visible = false;
  #wanted: 'nothing' | 'quick' | 'full' = 'full';
  #running = false;
  #order = 0;

  constructor(options: MapPairOptions) {
    const { prefix } = options;
    this.#options = options;
    this.#bar = element(`${prefix}-progress`, HTMLProgressElement);
    this.#button = element(`${prefix}-run`, HTMLButtonElement);
    this.#computers = perOptimizer((id) => new MapComputer((news) => this.#onNews(id, news)));
    this.#button.addEventListener('click', () => {
      if (this.#running) this.#stop();
      else this.#start('full');
    });
    onThemeChange(() => options.repaint());
    new IntersectionObserver(
      ([{ isIntersecting }]) => {
        this.#visible = isIntersecting;
        if (isIntersecting && this.#wanted !== 'nothing') this.#start(this.#wanted);
      },
      { rootMargin: '150px' },
    ).observe(element(`${prefix}-maps`, HTMLElement));
  }

  /** The settings have changed. Many changes in one frame are one. */
  change(): void {
    this.#wanted = 'quick';
    cancelAnimationFrame(this.#order);
    this.#order = requestAnimationFrame(() => {
      if (this.#visible) this.#start('quick');
    });
  }

  #start(how: 'quick' | 'full'): void {
    this.#wanted = 'nothing';
    this.#running = true;
    const quick = how === 'quick' || prefersReducedMotion();
    for (const id of optimizerIds) {
      this.#news[id] = null;
      this.#computers[id].start(this.#options.job(id), quick);
    }
    this.#show();
  }

  #stop(): void {
    this.#running = false;
    for (const id of optimizerIds) this.#computers[id].stop();
    this.#show();
  }

  #onNews(id: OptimizerId, news: FromWorker): void {
    if (news.basin || news.rates) this.#options.onPicture(id, news);
    if (!news.rough) this.#news[id] = news;
    this.#running = !optimizerIds.every((each) => this.#news[each]?.progress === 1);
    this.#show();
  }

  #show(): void {
    const { prefix } = this.#options;
    const shares = optimizerIds.map((id) => this.#news[id]?.progress ?? 0);
    this.#bar.value = (shares[0] + shares[1]) / 2;
    this.#button.textContent = this.#running ? 'Stop' : 'Run again';
    for (const id of optimizerIds) {
      const effort = this.#news[id]?.effort;
      showTexts(prefix, { [`${id}-effort`]: effort ? describeEffort(effort) : '–' });
    }
    if (!this.#running) {
      const finished = shares.every((share) => share === 1);
      showTexts(prefix, { state: finished ? 'Complete' : 'Stopped' });
    } else showTexts(prefix, { state: 'Computing …' });
  }
}

/** Updates of parameters per second: inside the optimizer, and with gradients and bookkeeping. */
function describeEffort({ updates, engine, total }: Effort): string {
  if (total === 0) return '–';
  const perSecond = (milliseconds: number) => formatCount((1000 * updates) / Math.max(milliseconds, 0.1));
  return (
    `${formatCount(updates)} updates in ${(total / 1000).toFixed(2)} s: ${perSecond(total)}/s with gradients, ` +
    `${perSecond(engine)}/s in the optimizer`
  );
}
