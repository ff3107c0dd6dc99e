import { visible } from '../../model/ansi';
import { took, value } from '../../model/format';
import { t } from '../../model/messages';
import { type Column, cellOf } from '../../model/runs/run-columns';
import type { RunRow } from '../../model/runs/run-rows';
import { STATE_SIGNS } from '../../model/states';
import type { JsonValue } from '../../model/types';
import { h } from '../dom';

const LOOKED_AT = 200;

/** Return what heads a column. */
export const titleOf = (column: Column): string =>
  column.group === 'run' ? t(column.name as 'state') : visible(column.name, true);

function textOf(cell: JsonValue, column: Column): string {
  if (cell === null) return '–';
  if (column.key === 'duration') return took(cell as number);
  if (column.key === 'started') return new Date(cell as string).toLocaleString();
  return visible(value(cell), true);
}

/** Say whether a column is one of numbers, by those of its rows that have something there. */
export const isNumeric = (rows: readonly RunRow[], column: Column): boolean => {
  const found = rows
    .slice(0, LOOKED_AT)
    .map((row) => cellOf(row, column))
    .filter((cell) => cell !== null);
  return found.length > 0 && found.every((cell) => typeof cell === 'number');
};

/** Draw what a run has in a column. */
export function drawCell(row: RunRow, column: Column, isNumeric: boolean, style: string | null = null): HTMLElement {
  const cell = cellOf(row, column);
  if (column.key === 'state') {
    return h(
      'td',
      { role: 'gridcell', style },
      h('span', { class: `rw-badge rw-${row.state.toLowerCase()}` }, `${STATE_SIGNS[row.state]} ${t(row.state)}`),
    );
  }
  const text = textOf(cell, column);
  return h('td', { role: 'gridcell', class: isNumeric ? 'rw-number' : '', title: text, style }, h('bdi', {}, text));
}
