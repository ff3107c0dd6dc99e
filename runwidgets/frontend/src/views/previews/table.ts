import { visible } from '../../model/ansi';
import { numberOf, parseTable, separatorOf, sortRows } from '../../model/files/csv';
import { t } from '../../model/messages';
import type { Transport } from '../../model/transport';
import type { FileHandle } from '../../model/types';
import { h, replace } from '../dom';
import { hexPreview, readText, TEXT_LIMIT } from './text';

export const ROWS = 200;
export const COLUMNS = 50;

const whole = (count: number): string => count.toLocaleString('en');

interface Table {
  head: string[];
  rows: string[][];
  isWhole: boolean;
}

const TABS = 'text/tab-separated-values';

/** Say whether a file is a table of separated values. */
export const isTable = (file: FileHandle): boolean => file.mimeType === 'text/csv' || file.mimeType === TABS;

/** Parse a table; of a truncated file the last row may be incomplete, and is dropped. */
export function readTable(text: string, type: string, isWhole: boolean): Table {
  const separator = type === TABS ? '\t' : separatorOf(text);
  const [head = [], ...rows] = parseTable(text.replace(/^\ufeff/, ''), separator, Infinity).rows;
  if (!isWhole) rows.pop();
  return { head, rows, isWhole };
}

/** A preview of a table, sortable by column; rows and columns above the limits are shown on request. */
export async function tablePreview(file: FileHandle, path: string, transport: Transport): Promise<HTMLElement> {
  const read = await readText(path, transport);
  if (read.text === null) return hexPreview(read.bytes, file.name);
  if (read.text === '') return h('div', { class: 'rw-dim' }, t('emptyFile'));
  const place = h('div', {});
  let limit = TEXT_LIMIT;
  let table = readTable(read.text, file.mimeType, read.isWhole);
  let sorted = { column: -1, isRising: true };
  let [rows, columns] = [ROWS, COLUMNS];
  const width = (): number => table.rows.reduce((most, row) => Math.max(most, row.length), table.head.length);

  function draw(): void {
    const count = Math.min(columns, width());
    const order = sorted.column < 0 ? table.rows : sortRows(table.rows, sorted.column, sorted.isRising);
    const shown = order.slice(0, rows);
    const cells = [...Array(count).keys()];
    const heads = cells.map((at) => headOf(at));
    const body = shown.map((row) => h('tr', {}, ...cells.map((at) => cellOf(row[at] ?? ''))));
    const element = h('table', { class: 'rw-table' }, h('thead', {}, h('tr', {}, ...heads)), h('tbody', {}, ...body));
    const scroll = h(
      'div',
      { class: 'rw-scroll', tabindex: 0, role: 'region', 'aria-label': visible(file.name, true) },
      element,
    );
    const old = place.querySelector('.rw-scroll');
    const [top, left] = [old?.scrollTop ?? 0, old?.scrollLeft ?? 0];
    replace(place, scroll, footOf(shown.length, count));
    scroll.scrollTop = top;
    scroll.scrollLeft = left;
  }

  function headOf(at: number): HTMLElement {
    const isSorted = at === sorted.column;
    const arrow = isSorted ? (sorted.isRising ? ' ▲' : ' ▼') : '';
    const name = visible(table.head[at] ?? '', true) || t('column', { n: at + 1 });
    return h(
      'th',
      { scope: 'col', 'aria-sort': isSorted ? (sorted.isRising ? 'ascending' : 'descending') : 'none' },
      h(
        'button',
        { type: 'button', class: 'rw-sort', title: name, onclick: () => sortBy(at) },
        h('bdi', {}, name),
        h('span', { 'aria-hidden': 'true' }, arrow),
      ),
    );
  }

  function sortBy(at: number): void {
    if (sorted.column !== at) sorted = { column: at, isRising: true };
    else if (sorted.isRising) sorted = { column: at, isRising: false };
    else sorted = { column: -1, isRising: true };
    draw();
    place.querySelectorAll<HTMLElement>('.rw-sort')[at]?.focus({ preventScroll: true });
  }

  function footOf(shownRows: number, shownColumns: number): HTMLElement {
    const known = table.rows.length;
    const total = table.isWhole ? whole(known) : t('moreThan', { n: whole(known) });
    const notes = [
      shownRows < known || !table.isWhole
        ? t('rowsCut', { rows: whole(shownRows), total })
        : t('rowsAll', { rows: whole(known) }),
      shownColumns < width() ? t('columnsCut', { columns: shownColumns, total: whole(width()) }) : null,
      sorted.column >= 0 && !table.isWhole ? t('sortedRead', { n: whole(known) }) : null,
    ].filter((note) => note !== null);
    const button = (label: string, act: (this: void) => void) =>
      h('button', { type: 'button', class: 'rw-button', onclick: act }, label);
    return h(
      'div',
      { class: 'rw-more' },
      h('span', { class: 'rw-dim', role: 'status' }, notes.join(' ')),
      shownRows < known || !table.isWhole ? button(t('moreRows', { n: ROWS }), () => void moreRows()) : null,
      shownColumns < width() ? button(t('moreColumns', { n: COLUMNS }), moreColumns) : null,
    );
  }

  async function moreRows(): Promise<void> {
    const before = rows;
    rows += ROWS;
    if (rows > table.rows.length && !table.isWhole) {
      limit *= 2;
      try {
        const next = await readText(path, transport, limit);
        if (next.text === null) {
          replace(place, hexPreview(next.bytes, file.name));
          return;
        }
        table = readTable(next.text, file.mimeType, next.isWhole);
      } catch (error) {
        rows = before;
        place.append(h('div', { class: 'rw-failure', role: 'alert' }, (error as Error).message));
        return;
      }
    }
    draw();
    place.querySelector<HTMLElement>('.rw-scroll')?.focus({ preventScroll: true });
  }

  function moreColumns(): void {
    columns += COLUMNS;
    draw();
    place.querySelector<HTMLElement>('.rw-scroll')?.focus({ preventScroll: true });
  }

  draw();
  return place;
}

function cellOf(text: string): HTMLElement {
  return h(
    'td',
    numberOf(text) === null ? { title: text.length > 40 ? visible(text) : null } : { class: 'rw-number' },
    h('bdi', {}, visible(text, true)),
  );
}
