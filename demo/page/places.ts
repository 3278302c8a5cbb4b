// Where on the page a visitor is taken: to the place that the link names (at=ID), else to the first part that it says
// anything about, else to the top. Links on the page to its own places scroll there, and change nothing else.
import { prefersReducedMotion } from './dom.ts';
import { fromLink, linkedKeys, toLink } from './link.ts';

const KEY = 'at';

export function openAtPlace(): void {
  const place = placeOf(fromLink(KEY)) ?? linkedKeys().map(partOf).find(Boolean);
  place?.scrollIntoView();
  for (const link of document.querySelectorAll<HTMLAnchorElement>(`a[href^="#${KEY}="]`)) {
    link.addEventListener('click', (event) => {
      const id = new URLSearchParams(link.hash.slice(1)).get(KEY);
      if (id === null || !goTo(id)) return;
      event.preventDefault();
      toLink(KEY, id);
    });
  }
}

/** Scrolls to a place, and lets keys go on from there; false if there is none. */
export function goTo(id: string): boolean {
  const place = placeOf(id);
  place?.scrollIntoView({ behavior: prefersReducedMotion() ? 'auto' : 'smooth' });
  const title = document.getElementById(place?.getAttribute('aria-labelledby') ?? '');
  if (title) {
    title.tabIndex = -1;
    title.focus({ preventScroll: true });
  }
  return place !== null;
}

/** The link no longer names a place. */
export const leavePlace = (): void => toLink(KEY, null);

function placeOf(id: string | null): Element | null {
  const place = id === null ? null : document.getElementById(id);
  return place?.matches('main section') ? place : null;
}

/** The part of the page that a key of the link is about: its fields' ids begin with the key's first word. */
function partOf(key: string): Element | null {
  return document.getElementById(key)?.closest('main section') ?? placeOf(key.split('-')[0]);
}
