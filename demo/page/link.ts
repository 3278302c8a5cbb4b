// The page's state in its address, behind the #, so that a link reproduces the picture: only what differs from
// the page's own defaults is written there. What comes from an address is judged like what is typed.

const written = new URLSearchParams(location.hash.slice(1));

/** What older links call by other names. */
const renamed: Record<string, readonly string[]> = {
  'basin-rate': ['basin-left-rate', 'basin-right-rate'],
  'digits-adam-rate': ['digits-left-rate'],
  'digits-adamax-rate': ['digits-right-rate'],
};
for (const [old, names] of Object.entries(renamed)) {
  const value = written.get(old);
  written.delete(old);
  for (const name of names) if (value !== null && !written.has(name)) written.set(name, value);
}
let pending: ReturnType<typeof setTimeout> | undefined;

export function fromLink(key: string): string | null {
  return written.get(key);
}

/** What the link says anything about. */
export const linkedKeys = (): string[] => [...written.keys()];

/** Notes a value, or that it is the default again (null). The address changes a moment later, at most so often. */
export function toLink(key: string, value: string | null): void {
  if (value === written.get(key)) return;
  if (value === null) written.delete(key);
  else written.set(key, value);
  if (pending !== undefined) return;
  pending = setTimeout(() => {
    pending = undefined;
    history.replaceState(null, '', currentLink());
  }, 250);
}

export function currentLink(): string {
  const state = written.toString().replaceAll('%2C', ',');
  return location.href.replace(/#.*$/, '') + (state === '' ? '' : `#${state}`);
}

/** Another state typed into or pasted over the address: begin anew from it. */
export function followLinks(): void {
  addEventListener('hashchange', () => location.reload());
}

/** A choice that is kept in the link under its own id. Call it once the options are there. */
export function linkChoice(choice: HTMLSelectElement, onChange: () => void): void {
  const initial = choice.value;
  const wanted = fromLink(choice.id);
  if (wanted !== null && [...choice.options].some(({ value }) => value === wanted)) choice.value = wanted;
  choice.addEventListener('change', () => {
    noteChoice(choice, initial);
    onChange();
  });
}

export function noteChoice(choice: HTMLSelectElement, initial: string): void {
  toLink(choice.id, choice.value === initial ? null : choice.value);
}

/** A check box that is kept in the link under its own id. */
export function linkCheck(box: HTMLInputElement, onChange: () => void): void {
  const wanted = fromLink(box.id);
  if (wanted === '0' || wanted === '1') box.checked = wanted === '1';
  else box.checked = box.defaultChecked;
  box.addEventListener('change', () => {
    toLink(box.id, box.checked === box.defaultChecked ? null : box.checked ? '1' : '0');
    onChange();
  });
}
