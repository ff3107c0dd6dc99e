/** The rows of a table of runs: what is kept of a run, and how events change it. */

import type { Json, RunEvent, State } from '../types';

export interface Row {
  id: string;
  state: State;
  createdAt: string;
  startedAt: string | null;
  finishedAt: string | null;
  arguments: { [name: string]: Json };
  metrics: { [name: string]: Json };
  message: string | null;
}

export interface Page {
  columns: string[];
  rows: Json[][];
  next?: string;
}

/** Return the rows of an answer. */
export function toRows(page: Page): Row[] {
  return page.rows.map(
    (cells) => Object.fromEntries(page.columns.map((name, at) => [name, cells[at]])) as unknown as Row,
  );
}

/** Change a row by an event; says whether anything is different. */
export function applyToRow(row: Row, event: RunEvent): boolean {
  if (event.kind === 'metric') {
    row.metrics = { ...row.metrics, [String(event.data.name)]: event.data.value ?? null };
    return true;
  }
  if (event.kind !== 'state') return false;
  row.state = event.data.state as State;
  row.startedAt = (event.data.startedAt as string | undefined) ?? row.startedAt;
  row.finishedAt = (event.data.finishedAt as string | undefined) ?? row.finishedAt;
  row.message = (event.data.messages as string[] | undefined)?.[0] ?? row.message;
  return true;
}

/** Return which rows of a list are in sight, with some above and below. */
export function inSight(top: number, height: number, rowHeight: number, count: number): [number, number] {
  const begin = Math.max(0, Math.floor(top / rowHeight) - 8);
  return [Math.min(begin, Math.max(0, count - 1)), Math.min(count, Math.ceil((top + height) / rowHeight) + 8)];
}
