import { t } from '../../model/messages';
import { h } from '../dom';

export interface CodePanel {
  element: HTMLElement;
  /** Show code and copy it; where the page must not, it is selected. */
  copy(code: string): Promise<void>;
  hide(): void;
}

/** The Python code of a form; `say` tells what happened. */
export function codePanel(say: (text: string) => void): CodePanel {
  const element = h('pre', { class: 'rw-text', tabindex: 0, hidden: true, 'aria-label': t('codeOf') });

  async function copy(code: string): Promise<void> {
    element.textContent = code;
    element.hidden = false;
    try {
      await navigator.clipboard.writeText(code);
      say(t('copied'));
    } catch (error) {
      if (!(error instanceof DOMException || error instanceof TypeError)) throw error;
      say(t('copyByHand')); // no permission, or a page without TLS, which has no clipboard
      getSelection()?.selectAllChildren(element);
    }
  }

  return {
    element,
    copy,
    hide: () => {
      element.hidden = true;
    },
  };
}
