// Two maps side by side, of two optimizers, with their progress: what the basin map and the map of the rates
// have in common. It starts when it comes into view, and anew when its settings have changed.

import { showTexts } from '../page/controls.ts';
import { element, onThemeChange, prefersReducedMotion } from '../page/dom.ts';
import { formatCount, formatDuration } from '../page/format.ts';
import { type PerSide, perSide, type Side, sides } from '../sides.ts';
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
  job(side: Side): Job;
  /** A picture came: keep it and paint it. */
  onPicture(side: Side, news: FromWorker): void;
  /** Paint the last pictures again: the theme has changed. */
  repaint(): void;
}

export class MapPair {
  readonly #options: MapPairOptions;
  readonly #computers: PerSide<MapComputer>;
  readonly #news: PerSide<FromWorker | null> = perSide(() => null);
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
    this.#computers = perSide((side) => new MapComputer((news) => this.#onNews(side, news)));
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
    // What is written beside a map is about the settings that were.
    for (const side of sides) {
      showTexts(this.#options.prefix, { [`${side}-effort`]: '', [`${side}-summary`]: '' });
    }
    cancelAnimationFrame(this.#order);
    this.#order = requestAnimationFrame(() => {
      if (this.#visible) this.#start('quick');
    });
  }

  #start(how: 'quick' | 'full'): void {
    this.#wanted = 'nothing';
    this.#running = true;
    const quick = how === 'quick' || prefersReducedMotion();
    for (const side of sides) {
      this.#news[side] = null;
      this.#computers[side].start(this.#options.job(side), quick);
    }
    this.#show();
  }

  #stop(): void {
    this.#running = false;
    for (const side of sides) this.#computers[side].stop();
    this.#show();
  }

  #onNews(side: Side, news: FromWorker): void {
    if (news.basin || news.rates) this.#options.onPicture(side, news);
    if (!news.rough) this.#news[side] = news;
    this.#running = !sides.every((each) => this.#news[each]?.progress === 1);
    this.#show();
  }

  #show(): void {
    const { prefix } = this.#options;
    const shares = sides.map((side) => this.#news[side]?.progress ?? 0);
    this.#bar.value = (shares[0] + shares[1]) / 2;
    this.#button.textContent = this.#running ? 'Stop' : 'Run again';
    for (const side of sides) {
      const effort = this.#news[side]?.effort;
      showTexts(prefix, { [`${side}-effort`]: effort ? describeEffort(effort) : '' });
    }
    if (!this.#running) {
      const finished = shares.every((share) => share === 1);
      showTexts(prefix, { state: finished ? 'Complete' : 'Stopped' });
    } else showTexts(prefix, { state: 'Computing …' });
  }
}

/** Updates of parameters per second: inside the optimizer, and with gradients and bookkeeping. */
function describeEffort({ updates, engine, total }: Effort): string {
  if (total === 0) return '';
  const perSecond = (milliseconds: number) => formatCount((1000 * updates) / Math.max(milliseconds, 0.1));
  return (
    `${formatCount(updates)} updates in ${formatDuration(total)}: ${perSecond(total)}/s with gradients, ` +
    `${perSecond(engine)}/s in the optimizer`
  );
}
