import { visible } from '../model/ansi';
import { t } from '../model/messages';
import { h, replace } from './dom';

/** A list of what a template warns about, in sentences. */
export function warningList(): { element: HTMLElement; show(sentences: readonly string[]): void } {
  const element = h('ul', { class: 'rw-notice rw-warnings', 'aria-label': t('warnings'), hidden: true });
  return {
    element,
    show(sentences) {
      element.hidden = sentences.length === 0;
      replace(element, ...sentences.map((sentence) => h('li', {}, visible(sentence))));
    },
  };
}
