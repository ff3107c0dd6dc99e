import { shortId } from '../../model/format';
import { t } from '../../model/messages';
import type { Column } from '../../model/runs/run-columns';
import type { RunRow } from '../../model/runs/run-rows';
import { h } from '../dom';
import { drawCell } from './cells';
import { type Widths, widthOf } from './column-heads';

/** What the rows of a table have in common. */
export interface TableRows {
  columns: readonly Column[];
  /** The columns of numbers. */
  numeric: ReadonlySet<Column>;
  widths: Widths;
  isSelected(id: string): boolean;
  /** Whether a row is the one that the Tab key reaches, by its id and its place among all rows. */
  isActive(id: string, at: number): boolean;
  select(id: string, isOn: boolean, isRange: boolean): void;
  focused(id: string): void;
  open(id: string): void;
}

/** Draw a run as a row with a box, its name, and its cells; `at` is its place among all rows. */
export function drawTableRow(row: RunRow, at: number, of: TableRows): HTMLElement {
  const name = shortId(row.id);
  const isSelected = of.isSelected(row.id);
  const box = h('input', {
    type: 'checkbox',
    tabindex: -1,
    'data-part': 'box',
    'aria-label': t('selectRun', { name }),
    checked: isSelected,
    onclick: (event: MouseEvent) => of.select(row.id, box.checked, event.shiftKey),
  });
  const opener = h(
    'button',
    {
      type: 'button',
      class: 'rw-link',
      tabindex: -1,
      'data-part': 'open',
      title: row.id,
      'aria-label': t('openRun', { name }),
      onclick: () => of.open(row.id),
    },
    name,
  );
  return h(
    'tr',
    {
      role: 'row',
      'data-run': row.id,
      'data-part': 'row',
      'aria-rowindex': at + 2,
      tabindex: of.isActive(row.id, at) ? 0 : -1,
      'aria-selected': String(isSelected),
      onfocus: () => of.focused(row.id),
      ondblclick: () => of.open(row.id),
    },
    h('td', { role: 'gridcell', class: 'rw-tick' }, box),
    h('td', { role: 'gridcell' }, opener),
    ...of.columns.map((column) => drawCell(row, column, of.numeric.has(column), widthOf(of.widths[column.key]))),
  );
}
