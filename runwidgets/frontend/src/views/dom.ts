/** Building of elements: text is always text, never markup. */

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

/** Let the browser download content as a file. */
export function saveAs(content: Blob, name: string): void {
  const address = URL.createObjectURL(content);
  h('a', { href: address, download: name }).click();
  URL.revokeObjectURL(address);
}

/** Keep plain key presses from the notebook: `d` `d` on a focused button would delete the cell. */
export function keepKeys(root: HTMLElement): () => void {
  const stop = (event: KeyboardEvent): void => {
    const isPlain = !event.ctrlKey && !event.metaKey && !event.altKey;
    if (isPlain || (event.key === 'Enter' && event.ctrlKey)) event.stopPropagation();
  };
  root.addEventListener('keydown', stop);
  return () => root.removeEventListener('keydown', stop);
}
