/** The rows of a table of runs: what is kept of a run, and how events change it. */

import type { JsonValue, ReasonName, RunEvent, StateName, TablePage } from '../types';

export interface RunRow {
  id: string;
  state: StateName;
  createdAt: string;
  startedAt: string | null;
  finishedAt: string | null;
  arguments: { [name: string]: JsonValue };
  metrics: { [name: string]: JsonValue };
  reason?: ReasonName | null;
  /** The number of the cell that began last. */
  cell?: number | null;
  message: string | null;
}

/** Return the rows of a page. */
export function toRows(page: TablePage): RunRow[] {
  return page.rows.map(
    (cells) => Object.fromEntries(page.columns.map((name, at) => [name, cells[at]])) as unknown as RunRow,
  );
}

/** Apply an event to a row; says whether the row has changed. */
export function applyToRow(row: RunRow, event: RunEvent): boolean {
  if (event.kind === 'metric') {
    row.metrics = { ...row.metrics, [event.data.name]: event.data.value };
    return true;
  }
  if (event.kind === 'progress') row.cell = event.data.cell ?? row.cell ?? null; // no table shows it
  if (event.kind !== 'state') return false;
  row.state = event.data.state;
  row.startedAt = event.data.startedAt ?? row.startedAt;
  row.finishedAt = event.data.finishedAt ?? row.finishedAt;
  row.reason = event.data.reason ?? row.reason ?? null;
  row.message = event.data.messages?.[0] ?? row.message;
  return true;
}

/** Return which rows of a list are visible, with some above and below. */
export function inSight(top: number, height: number, rowHeight: number, count: number): [number, number] {
  const begin = Math.max(0, Math.floor(top / rowHeight) - 8);
  return [Math.min(begin, Math.max(0, count - 1)), Math.min(count, Math.ceil((top + height) / rowHeight) + 8)];
}
