/** Elements from data: text is always text, never markup. */

type Child = Node | string | null | undefined | false;
type Listener = (event: never) => void;
export type Props = { [name: string]: string | number | boolean | null | undefined | Listener };

let counter = 0;

/** Return an id that no other element of the page has. */
export function uniqueId(prefix: string): string {
  counter += 1;
  return `rw-${prefix}-${counter}-${Math.random().toString(36).slice(2, 8)}`;
}

/** Make an element: attributes, `on…` listeners, then children; strings become text nodes. */
export function h<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  props: Props = {},
  ...children: Child[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  for (const [name, given] of Object.entries(props)) {
    if (given === null || given === undefined || given === false) continue;
    if (typeof given === 'function') {
      element.addEventListener(name.slice(2), given as EventListener);
    } else {
      element.setAttribute(name, given === true ? '' : String(given));
    }
  }
  append(element, ...children);
  return element;
}

export function append(element: Element, ...children: Child[]): void {
  for (const child of children) {
    if (child !== null && child !== undefined && child !== false) element.append(child);
  }
}

export function replace(element: Element, ...children: Child[]): void {
  element.replaceChildren();
  append(element, ...children);
}

/** Give the browser a file to keep. */
export function saveAs(content: Blob, name: string): void {
  const address = URL.createObjectURL(content);
  h('a', { href: address, download: name }).click();
  URL.revokeObjectURL(address);
}

/** Keep plain keys from the notebook: `d` `d` on a focused button would delete the cell. */
export function keepKeys(root: HTMLElement): () => void {
  const stop = (event: KeyboardEvent): void => {
    const isPlain = !event.ctrlKey && !event.metaKey && !event.altKey;
    if (isPlain || (event.key === 'Enter' && event.ctrlKey)) event.stopPropagation();
  };
  root.addEventListener('keydown', stop);
  return () => root.removeEventListener('keydown', stop);
}

/** What must be typed before a question can be answered with yes. */
export interface Typed {
  text: string;
  label: string;
}

/** Ask in a place, instead of what is there; focus goes to "no", Escape means no. */
export function question(
  place: HTMLElement,
  words: { ask: string; yes: string; no: string; kind: string; typed?: Typed | undefined },
  answered: (isYes: boolean) => void,
): void {
  const no = h('button', { type: 'button', class: 'rw-button', onclick: () => answered(false) }, words.no);
  const yes = h('button', { type: 'button', class: `rw-button ${words.kind}`, onclick: () => answered(true) }, words.yes);
  const { typed } = words;
  const entry = typed ? h('input', {
    class: 'rw-input rw-typed', type: 'text', inputmode: 'numeric', autocomplete: 'off', 'aria-label': typed.label, placeholder: typed.label,
    oninput: () => { yes.disabled = entry?.value.trim() !== typed.text; },
  }) : null;
  yes.disabled = entry !== null;
  const asked = h('span', { class: 'rw-ask', onkeydown: (event: KeyboardEvent) => {
    if (event.key === 'Escape') answered(false);
    else if (event.key === 'Enter' && event.target === entry && !yes.disabled) answered(true);
  } }, h('span', { class: 'rw-question', role: 'status' }, words.ask), entry, yes, no);
  replace(place, asked);
  no.focus();
}

/** A button that asks once more in its own place; focus goes to "no", Escape means no. */
export function askingButton(
  words: { label: string; ask: () => string; yes: string; busy: string; no: string; kind?: string; typed?: Typed | undefined },
  act: () => Promise<void>,
): HTMLElement {
  const place = h('span', { class: 'rw-ask' });
  const button = h('button', { type: 'button', class: `rw-button ${words.kind ?? ''}`, onclick: ask }, words.label);
  function calm(): void {
    replace(place, button);
    button.disabled = false;
    button.textContent = words.label;
  }
  function ask(): void {
    question(place, { ask: words.ask(), yes: words.yes, no: words.no, kind: 'rw-danger', typed: words.typed }, (isYes) => {
      if (isYes) return void go();
      calm();
      button.focus();
    });
  }
  async function go(): Promise<void> {
    replace(place, button);
    button.disabled = true;
    button.textContent = words.busy;
    await act().finally(calm);
  }
  calm();
  return place;
}
