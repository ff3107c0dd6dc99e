import { t } from '../model/messages';
import { h, replace } from './dom';

/** A panel below a view for one thing at a time, with a title and a button that closes it. */
export interface DetailPanel {
  element: HTMLElement;
  /** Show what a function fills in; the function returns one that releases it. */
  show(label: string, fill: (place: HTMLElement) => () => void): void;
  close(): void;
}

/** Make a closed panel; `closed` is called when the user closes it. */
export function detailPanel(closed: () => void = () => undefined): DetailPanel {
  const element = h('section', { class: 'rw-detail', hidden: true });
  let release: (() => void) | null = null;

  function close(): void {
    release?.();
    release = null;
    element.hidden = true;
    replace(element);
  }

  return {
    element,
    close,
    show(label, fill) {
      close();
      const place = h('div', {});
      const title = h('span', { class: 'rw-title', tabindex: -1 }, label);
      const onclick = (): void => {
        close();
        closed();
      };
      const closer = h('button', { type: 'button', class: 'rw-button rw-quiet', onclick }, t('close'));
      element.setAttribute('aria-label', label);
      replace(element, h('div', { class: 'rw-head' }, title, closer), place);
      element.hidden = false;
      release = fill(place);
      title.focus({ preventScroll: true });
      element.scrollIntoView({ block: 'nearest' });
    },
  };
}
