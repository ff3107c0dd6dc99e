import { shortId } from '../../model/format';
import { t } from '../../model/messages';
import { LiveRuns, type Runs, type RunsWatcher } from '../../model/runs/live-runs';
import {
  type Column,
  chosenColumns,
  columnsOf,
  parseOrder,
  runsToCsv,
  type SortOrder,
  sorted,
  usualColumns,
} from '../../model/runs/run-columns';
import { parseFilter } from '../../model/runs/run-filter';
import { inSight, type RunRow } from '../../model/runs/run-rows';
import { detailPanel } from '../detail-panel';
import { h, replace, saveAs } from '../dom';
import { watchPress } from '../press';
import { innerModel, type View } from '../view';
import { drawBulkActions } from './bulk-actions';
import { isNumeric } from './cells';
import { drawColumnChooser } from './column-chooser';
import { headOf, type Widths } from './column-heads';
import { listenToRowKeys } from './row-keys';
import { drawChips } from './state-chips';
import { drawTableRow, type TableRows } from './table-row';

const ROW_HEIGHT = 30;

/** The live table of the runs of a group: filtered, sorted, selected, compared, cancelled and deleted. */
export const tableView: View = (root, { transport, model, inner, runs: known, open: openElsewhere }) => {
  let live: Runs | null = null;
  let shown: RunRow[] = [];
  let columns: Column[] = [];
  let all: Column[] = [];
  let numeric = new Set<Column>();
  let order: SortOrder | null = null;
  let active = '';
  let anchor = '';
  let isGone = false;
  let pulled: Widths = {};
  const selected = new Set<string>();

  const filter = h('input', {
    class: 'rw-input rw-filter',
    type: 'search',
    placeholder: t('filterHint'),
    'aria-label': t('filter'),
    spellcheck: 'false',
    oninput: () => {
      model.set({ filter: filter.value });
      refresh();
    },
  });
  const chips = h('div', { class: 'rw-chips', role: 'group', 'aria-label': t('state') });
  const chooser = h('div', { class: 'rw-columns', role: 'group', 'aria-label': t('columns') });
  const bulk = h('div', { class: 'rw-actions rw-bulk', hidden: true });
  const notice = h('div', { class: 'rw-notice', role: 'status', hidden: true });
  const count = h('span', { class: 'rw-dim', role: 'status' });
  const everyBox = h('input', { type: 'checkbox', 'aria-label': t('selectAll'), onchange: toggleAll });
  const head = h('tr', { role: 'row', 'aria-rowindex': 1 });
  const body = h('tbody', {});
  const table = h(
    'table',
    { class: 'rw-table rw-runs', role: 'grid', 'aria-multiselectable': 'true', 'aria-label': t('runs') },
    h('thead', {}, head),
    body,
  );
  const scroller = h('div', { class: 'rw-scroll rw-window', onscroll: () => drawRows() }, table);
  const empty = h('div', { class: 'rw-dim rw-empty', hidden: true });
  const detail = detailPanel(() => focusRow(active));
  const press = watchPress(table);
  const card = h(
    'div',
    { class: 'rw-card' },
    h(
      'div',
      { class: 'rw-tools' },
      filter,
      chips,
      h('details', { class: 'rw-menu' }, h('summary', { class: 'rw-button' }, t('columns')), chooser),
      h('button', { type: 'button', class: 'rw-button', onclick: downloadCsv }, t('csv')),
    ),
    notice,
    bulk,
    scroller,
    empty,
    count,
    detail.element,
  );
  root.append(card);

  const widths = (): Widths => ({ ...((model.get('widths') ?? {}) as Widths), ...pulled });
  const say = (text: string, isBad = false): void => {
    notice.hidden = text === '';
    notice.className = `rw-notice ${isBad ? 'rw-bad' : ''}`;
    notice.textContent = text;
  };

  // -- data ------------------------------------------------------------------------------------------

  const refresh = (): void => press.settled(redraw);

  function redraw(): void {
    const rows = live?.rows ?? [];
    all = columnsOf(rows);
    const wanted = (model.get('columns') ?? []) as string[];
    columns = wanted.length ? chosenColumns(all, wanted) : usualColumns(rows, all);
    order = parseOrder(String(model.get('order_by') ?? ''));
    shown = sorted(rows.filter(parseFilter(filter.value)), all, order);
    const gone = live?.isComplete ? [...selected].filter((id) => !live?.get(id)) : [];
    for (const id of gone) selected.delete(id);
    if (gone.length) model.set({ selected: [...selected] });
    numeric = new Set(columns.filter((column) => isNumeric(shown, column)));
    drawHead();
    drawChips(chips, rows, filter.value, setFilter);
    drawColumnChooser(chooser, all, columns, arrange);
    drawBulk();
    drawEmpty(rows.length);
    drawRows(true);
    table.setAttribute('aria-rowcount', String(shown.length + 1));
    count.textContent = live?.isComplete
      ? t('countOf', { n: shown.length.toLocaleString(), all: rows.length.toLocaleString() })
      : t('loadedSoFar', { n: rows.length.toLocaleString() });
  }

  function watch(): void {
    live?.close();
    selected.clear();
    active = '';
    const watcher: RunsWatcher = {
      changed: () => {
        if (!card.classList.contains('rw-stale')) say('');
        refresh();
      },
      connection: (connection) => {
        card.classList.toggle('rw-stale', !connection.isLive);
        say(connection.isLive ? '' : t('stale', { time: connection.since.toLocaleTimeString() }));
      },
      failed: (error) => say(error.message, true),
      gone: () => {
        isGone = true;
        card.classList.remove('rw-stale');
        say('');
        refresh();
      },
    };
    isGone = false;
    live = known?.(watcher) ?? new LiveRuns(transport, { group: String(model.get('group_id') ?? '') }, watcher);
    refresh();
  }

  // -- drawing ---------------------------------------------------------------------------------------

  function drawHead(): void {
    const given = { columns, order, numeric, widths: widths(), sortBy, arrange, widen };
    const heads = columns.map((column) => headOf(column, given));
    const focused = (root.ownerDocument.activeElement as HTMLElement | null)?.dataset.key;
    replace(
      head,
      h('th', { scope: 'col', role: 'columnheader', class: 'rw-tick' }, everyBox),
      h('th', { scope: 'col', role: 'columnheader' }, t('run')),
      ...heads,
    );
    if (focused) head.querySelector<HTMLElement>(`[data-key="${CSS.escape(focused)}"]`)?.focus();
    const chosen = shown.filter((row) => selected.has(row.id)).length;
    everyBox.checked = chosen > 0 && chosen === shown.length;
    everyBox.indeterminate = chosen > 0 && chosen < shown.length;
  }

  function drawRows(isForced = false): void {
    const [begin, end] = inSight(scroller.scrollTop, scroller.clientHeight || 400, ROW_HEIGHT, shown.length);
    const place = `${begin} ${end}`;
    if (!isForced && body.dataset.place === place) return;
    body.dataset.place = place;
    const focused = root.ownerDocument.activeElement;
    const part = focused && body.contains(focused) ? (focused as HTMLElement).dataset.part : undefined;
    const holder = part ? (focused?.closest('tr') as HTMLElement | null)?.dataset.run : undefined;
    const gap = (rows: number): HTMLElement | null =>
      rows <= 0 ? null : h('tr', { 'aria-hidden': 'true', class: 'rw-gap', style: `height: ${rows * ROW_HEIGHT}px` });
    const its: TableRows = {
      columns,
      numeric,
      widths: widths(),
      isSelected: (id) => selected.has(id),
      isActive: (id, at) => (active ? id === active : at === 0),
      select: choose,
      focused: (id) => {
        active = id;
      },
      open,
    };
    replace(
      body,
      gap(begin),
      ...shown.slice(begin, end).map((row, at) => drawTableRow(row, begin + at, its)),
      gap(shown.length - end),
    );
    if (holder)
      body
        .querySelector<HTMLElement>(
          `tr[data-run="${holder}"] [data-part="${part}"], tr[data-run="${holder}"][data-part="${part}"]`,
        )
        ?.focus({ preventScroll: true });
  }

  function setFilter(line: string): void {
    filter.value = line;
    model.set({ filter: line });
    scroller.scrollTop = 0;
    refresh();
  }

  function drawEmpty(rows: number): void {
    empty.hidden = shown.length > 0 || !live?.isComplete;
    scroller.hidden = shown.length === 0 && live?.isComplete === true;
    if (empty.hidden) return;
    replace(
      empty,
      isGone ? t('groupGone') : rows === 0 ? t('noRuns') : t('noMatch', { filter: filter.value }),
      rows === 0
        ? null
        : h('button', { type: 'button', class: 'rw-button', onclick: () => setFilter('') }, t('clearFilter')),
    );
  }

  // -- selecting -------------------------------------------------------------------------------------

  function tellSelected(): void {
    model.set({ selected: [...selected] });
    drawHead();
    drawBulk();
    drawRows(true);
  }

  function choose(id: string, isOn: boolean, isRange: boolean): void {
    const from = shown.findIndex((row) => row.id === anchor);
    const to = shown.findIndex((row) => row.id === id);
    const range = isRange && from >= 0 ? shown.slice(Math.min(from, to), Math.max(from, to) + 1) : [shown[to]];
    for (const row of range) if (row) isOn ? selected.add(row.id) : selected.delete(row.id);
    anchor = id;
    active = id;
    tellSelected();
  }

  function toggleAll(): void {
    for (const row of shown) everyBox.checked ? selected.add(row.id) : selected.delete(row.id);
    tellSelected();
  }

  function sortBy(column: Column): void {
    const isSame = order?.key === column.key;
    model.set({ order_by: isSame && order?.isDescending ? '' : `${column.key}:${isSame ? 'desc' : 'asc'}` });
  }

  /** Show columns in an order; chosen ones that do not exist yet come after them. */
  function arrange(keys: string[]): void {
    const toCome = ((model.get('columns') ?? []) as string[]).filter((key) => !all.some((each) => each.key === key));
    model.set({ columns: [...keys, ...toCome] });
  }

  function widen(key: string, width: number, isTemporary: boolean): void {
    pulled = isTemporary ? { [key]: width } : {};
    if (isTemporary) {
      drawRows(true);
      return;
    }
    const { [key]: _, ...others } = widths();
    model.set({ widths: width ? { ...others, [key]: width } : others });
  }

  function drawBulk(): void {
    const rows = [...selected].map((id) => live?.get(id)).filter((row): row is RunRow => row !== undefined);
    drawBulkActions(bulk, rows, {
      transport,
      mayAct: !model.get('read_only'),
      compare: showCompare,
      clear: () => {
        selected.clear();
        tellSelected();
      },
      refused: (problems) => say(t('refused', { n: problems.length, why: problems[0] ?? '' }), true),
    });
  }

  // -- details ---------------------------------------------------------------------------------------

  function open(id: string): void {
    active = id;
    model.set({ run_id: id });
    if (openElsewhere) {
      openElsewhere(id);
      return;
    }
    detail.show(t('openRun', { name: shortId(id) }), (place) =>
      inner.run(place, { transport, inner, model: innerModel({ run_id: id, read_only: model.get('read_only') }) }),
    );
  }

  function showCompare(rows: readonly RunRow[]): void {
    detail.show(t('comparison'), (place) =>
      inner.compare(place, { transport, inner, model: innerModel({ run_ids: rows.map((row) => row.id) }) }),
    );
  }

  function downloadCsv(): void {
    saveAs(new Blob([runsToCsv(shown, columns)], { type: 'text/csv' }), 'runs.csv');
  }

  // -- keys ------------------------------------------------------------------------------------------

  function focusRow(id: string): void {
    const at = shown.findIndex((row) => row.id === id);
    if (at < 0) return;
    active = id;
    const top = at * ROW_HEIGHT;
    const height = scroller.clientHeight - ROW_HEIGHT - 4;
    if (top < scroller.scrollTop) scroller.scrollTop = top;
    else if (top + ROW_HEIGHT > scroller.scrollTop + height) scroller.scrollTop = top + ROW_HEIGHT - height;
    drawRows(true);
    body.querySelector<HTMLElement>(`tr[data-run="${id}"]`)?.focus({ preventScroll: true });
  }

  listenToRowKeys(body, {
    rows: () => shown,
    page: () => Math.max(1, Math.floor(scroller.clientHeight / ROW_HEIGHT) - 2),
    isSelected: (id) => selected.has(id),
    select: choose,
    focus: focusRow,
    open,
    remove: () => bulk.querySelector<HTMLElement>('.rw-ask:last-of-type button')?.click(),
  });

  filter.value = String(model.get('filter') ?? '');
  const stops = [
    model.observe('group_id', watch),
    model.observe('filter', () => {
      if (filter.value !== model.get('filter')) setFilter(String(model.get('filter') ?? ''));
    }),
    ...['columns', 'order_by', 'widths'].map((name) => model.observe(name, refresh)),
    model.observe('selected', () => {
      const wanted = (model.get('selected') ?? []) as string[];
      if (wanted.length === selected.size && wanted.every((id) => selected.has(id))) return;
      selected.clear();
      for (const id of wanted) selected.add(id);
      refresh();
    }),
  ];
  for (const id of (model.get('selected') ?? []) as string[]) selected.add(id);
  watch();
  return () => {
    for (const stop of stops) stop();
    press.close();
    live?.close();
    detail.close();
  };
};
