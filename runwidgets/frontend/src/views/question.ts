/** Confirmations in place, before something is cancelled or deleted. */
import { h, replace } from './dom';

/** What must be typed to confirm. */
export interface Typed {
  text: string;
  label: string;
}

/** Ask for confirmation in an element, whose content is replaced; "no" gets the focus, Escape means no. */
export function question(
  place: HTMLElement,
  words: { ask: string; yes: string; no: string; kind: string; typed?: Typed | undefined },
  answered: (isYes: boolean) => void,
): void {
  const no = h('button', { type: 'button', class: 'rw-button', onclick: () => answered(false) }, words.no);
  const yes = h(
    'button',
    { type: 'button', class: `rw-button ${words.kind}`, onclick: () => answered(true) },
    words.yes,
  );
  const { typed } = words;
  const entry = typed
    ? h('input', {
        class: 'rw-input rw-typed',
        type: 'text',
        inputmode: 'numeric',
        autocomplete: 'off',
        'aria-label': typed.label,
        placeholder: typed.label,
        oninput: () => {
          yes.disabled = entry?.value.trim() !== typed.text;
        },
      })
    : null;
  yes.disabled = entry !== null;
  const asked = h(
    'span',
    {
      class: 'rw-ask',
      onkeydown: (event: KeyboardEvent) => {
        if (event.key === 'Escape') answered(false);
        else if (event.key === 'Enter' && event.target === entry && !yes.disabled) answered(true);
      },
    },
    h('span', { class: 'rw-question', role: 'status' }, words.ask),
    entry,
    yes,
    no,
  );
  replace(place, asked);
  no.focus();
}

/** A button that is replaced by a confirmation when it is pressed. */
export function askingButton(
  words: {
    label: string;
    ask: () => string;
    yes: string;
    busy: string;
    no: string;
    kind?: string;
    typed?: Typed | undefined;
  },
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
    question(
      place,
      { ask: words.ask(), yes: words.yes, no: words.no, kind: 'rw-danger', typed: words.typed },
      (isYes) => {
        if (isYes) return void go();
        calm();
        button.focus();
      },
    );
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
