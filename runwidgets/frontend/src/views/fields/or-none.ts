import { t } from '../../model/messages';
import { h } from '../dom';
import type { Control } from './control';

/** The control of a value that may be None although its default is another: with a box for None. */
export function orNone(inner: Control, changed: () => void): Control {
  const box = h('input', {
    type: 'checkbox',
    onchange: () => {
      tell();
      changed();
    },
  });
  const body = h('div', {}, inner.element);
  function tell(): void {
    body.inert = box.checked;
    body.classList.toggle('rw-dim', box.checked);
  }
  return {
    ...inner,
    element: h('div', {}, body, h('label', { class: 'rw-radio' }, box, t('none'))),
    read: () => (box.checked ? { isGiven: true, value: null } : inner.read()),
    problem: (isShown) => (box.checked ? null : (inner.problem?.(isShown) ?? null)),
    write: (value) => {
      box.checked = value === null;
      if (value !== null) inner.write(value);
      tell();
    },
    clear: () => {
      box.checked = false;
      inner.clear();
      tell();
    },
  };
}
