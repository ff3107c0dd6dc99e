/** The columns of a table of runs: which there are, which are shown, and how rows are sorted by one. */
import { writeCsv } from '../files/csv';
import type { JsonValue } from '../types';
import type { RunRow } from './run-rows';

export type ColumnKind = 'run' | 'argument' | 'metric';

export interface Column {
  /** `state`, `argument:lr`, `metric:loss`: unique; the traits of the widget use it. */
  key: string;
  group: ColumnKind;
  name: string;
}

export const FIXED: Column[] = ['state', 'started', 'duration'].map((name) => ({ key: name, group: 'run', name }));

export const MESSAGE: Column = { key: 'message', group: 'run', name: 'message' };

/** Return all columns: the fixed ones, then arguments and metrics in order of appearance. */
export function columnsOf(rows: Iterable<RunRow>): Column[] {
  const given = new Set<string>();
  const measured = new Set<string>();
  for (const row of rows) {
    for (const name in row.arguments) given.add(name);
    for (const name in row.metrics) measured.add(name);
  }
  return [
    ...FIXED,
    ...[...given].map((name): Column => ({ key: `argument:${name}`, group: 'argument', name })),
    ...[...measured].map((name): Column => ({ key: `metric:${name}`, group: 'metric', name })),
    MESSAGE,
  ];
}

const SHOWN = 12;

/** Return the columns that are shown by default: those that are not the same in every run. */
export function usualColumns(rows: readonly RunRow[], columns: readonly Column[]): Column[] {
  const isTelling = (column: Column): boolean => {
    if (column.group === 'metric') return true;
    if (column.group === 'run') return column !== MESSAGE || rows.some((row) => row.message);
    const first = JSON.stringify(rows[0]?.arguments[column.name] ?? null);
    return rows.length < 2 || rows.some((row) => JSON.stringify(row.arguments[column.name] ?? null) !== first);
  };
  return columns.filter(isTelling).slice(0, SHOWN);
}

/** Return the chosen columns in the chosen order; those that do not exist are dropped. */
export const chosenColumns = (columns: readonly Column[], keys: readonly string[]): Column[] =>
  keys.flatMap((key) => columns.find((each) => each.key === key) ?? []);

/** Return keys with one of them moved. */
export function moved(keys: readonly string[], key: string, to: number): string[] {
  const rest = keys.filter((each) => each !== key);
  rest.splice(Math.max(0, to), 0, key);
  return rest;
}

export interface SortOrder {
  key: string;
  isDescending: boolean;
}

/** Parse a sort order such as `metric:loss:asc`; null for newest first. */
export function parseOrder(name: string): SortOrder | null {
  const [, key, direction] = /^(.+):(asc|desc)$/.exec(name) ?? [];
  return key === undefined ? null : { key, isDescending: direction === 'desc' };
}

/** Return the cell of a row in a column; null if it is empty. */
export function cellOf(row: RunRow, column: Column): JsonValue {
  if (column.group === 'argument') return row.arguments[column.name] ?? null;
  if (column.group === 'metric') return row.metrics[column.name] ?? null;
  if (column.name === 'state') return row.state;
  if (column.name === 'message') return row.message;
  if (column.name === 'started') return row.startedAt;
  if (!row.startedAt || !row.finishedAt) return null;
  return (Date.parse(row.finishedAt) - Date.parse(row.startedAt)) / 1000;
}

/** The rank of a value: NaN comes after others, and missing values after NaN, in both directions. */
const rankOf = (value: JsonValue): number => (value === null ? 2 : value === 'NaN' ? 1 : 0);

/** Compare two values for sorting; NaN and missing ones come last in both directions. */
export function compare(one: JsonValue, other: JsonValue, isDescending: boolean): number {
  if (one === other) return 0;
  if (rankOf(one) + rankOf(other) > 0) return rankOf(one) - rankOf(other);
  const sign = isDescending ? -1 : 1;
  if (typeof one === 'number' && typeof other === 'number') return sign * (one - other);
  const [first, second] = [one, other].map((each) => (typeof each === 'string' ? each : JSON.stringify(each)));
  const numbers = [Number(first), Number(second)];
  if (first && second && numbers.every((each) => !Number.isNaN(each)))
    return sign * ((numbers[0] ?? 0) - (numbers[1] ?? 0));
  return sign * (first ?? '').localeCompare(second ?? '', 'en', { numeric: true });
}

/** Return rows in a sort order; equal ones stay newest first. */
export function sorted(rows: readonly RunRow[], columns: readonly Column[], order: SortOrder | null): RunRow[] {
  const column = columns.find((each) => each.key === order?.key);
  if (!order || !column) return [...rows];
  const keyed = rows.map((row) => ({ row, value: cellOf(row, column) }));
  keyed.sort((one, other) => compare(one.value, other.value, order.isDescending));
  return keyed.map((each) => each.row);
}

/** Return rows as CSV. */
export function runsToCsv(rows: readonly RunRow[], columns: readonly Column[]): string {
  const text = (value: JsonValue): string =>
    value === null ? '' : typeof value === 'string' ? value : JSON.stringify(value);
  return writeCsv([
    ['id', ...columns.map((each) => each.name)],
    ...rows.map((row) => [row.id, ...columns.map((each) => text(cellOf(row, each)))]),
  ]);
}
