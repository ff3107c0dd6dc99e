import { t } from '../../model/messages';
import type { Column } from '../../model/runs/run-columns';
import { h, replace } from '../dom';
import { titleOf } from './cells';

/** Draw a checkbox for each column; `arrange` shows the columns with these keys. */
export function drawColumnChooser(
  chooser: HTMLElement,
  all: readonly Column[],
  shown: readonly Column[],
  arrange: (keys: string[]) => void,
): void {
  const key = all.map((each) => `${each.key} ${shown.includes(each)}`).join();
  if (chooser.dataset.key === key) return;
  const focused = (chooser.ownerDocument.activeElement as HTMLElement | null)?.dataset.column;
  chooser.dataset.key = key;
  const toggle = (column: Column): void => {
    const keys = shown.map((each) => each.key);
    arrange(shown.includes(column) ? keys.filter((each) => each !== column.key) : [...keys, column.key]);
  };
  replace(
    chooser,
    ...all.map((column) =>
      h(
        'label',
        { class: 'rw-choice' },
        h('input', {
          type: 'checkbox',
          checked: shown.includes(column),
          'data-column': column.key,
          onchange: () => toggle(column),
        }),
        h('bdi', {}, titleOf(column)),
        column.group === 'run' ? null : h('span', { class: 'rw-dim' }, t(column.group)),
      ),
    ),
  );
  if (focused) chooser.querySelector<HTMLElement>(`[data-column="${CSS.escape(focused)}"]`)?.focus();
}
