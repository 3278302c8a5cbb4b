// The few helpers for the page's elements and its theme. Not a framework.

/** The element with this id, of this class; a page that lacks it is broken, so that is an error. */
export function element<T extends Element>(id: string, type: abstract new () => T): T {
  const found = document.getElementById(id);
  if (!(found instanceof type)) throw new Error(`The page has no ${type.name} with the id "${id}".`);
  return found;
}

/** A copy of the one element in a template of the page, with every {key} replaced. */
export function fromTemplate(id: string, values: Record<string, string>): HTMLElement {
  const made = document.createElement('template');
  made.innerHTML = Object.entries(values).reduce(
    (html, [key, value]) => html.replaceAll(`{${key}}`, value),
    element(`${id}-template`, HTMLTemplateElement).innerHTML,
  );
  return made.content.firstElementChild as HTMLElement;
}

/** A CSS custom property of the current theme, for what is drawn on a canvas. */
export function themeColor(name: `--${string}`): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** Calls back whenever the system switches between dark and light. */
export function onThemeChange(redraw: () => void): void {
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redraw);
}

/** Says whenever a part of the page leaves the window, and when it comes back. */
export function whileOutOfSight(part: Element, say: (out: boolean) => void): void {
  new IntersectionObserver((changes) => say(!changes.at(-1)?.isIntersecting)).observe(part);
}

/** Acts once, when a part of the page is about to come into the window. */
export function whenNear(part: Element, act: () => void): void {
  const observer = new IntersectionObserver(
    (changes) => {
      if (!changes.at(-1)?.isIntersecting) return;
      observer.disconnect();
      act();
    },
    { rootMargin: '600px' },
  );
  observer.observe(part);
}

export function prefersReducedMotion(): boolean {
  return matchMedia('(prefers-reduced-motion: reduce)').matches;
}

/** Matches a canvas' pixels to its size on the page and returns a context that draws in CSS pixels. */
export function sizedContext(canvas: HTMLCanvasElement): CanvasRenderingContext2D {
  const ratio = devicePixelRatio;
  canvas.width = Math.round(canvas.clientWidth * ratio);
  canvas.height = Math.round(canvas.clientHeight * ratio);
  const context = canvas.getContext('2d');
  if (!context) throw new Error('This browser gives no 2D canvas.');
  context.scale(ratio, ratio);
  return context;
}
