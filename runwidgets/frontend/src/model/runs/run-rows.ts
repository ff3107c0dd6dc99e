/**
 * The rows of a runs table, away from any page: what is kept of a run, and how rows are filtered, sorted
 * and put into columns.
 *
 * Missing values come last in either order; numbers are compared as numbers. A filter is a line of words:
 * `state:failed`, `lr>0.01`, `model=tree`, and any other word is looked for everywhere in the row.
 */

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

export type Group = 'run' | 'argument' | 'metric';

export interface Column {
  /** `state`, `argument:lr`, `metric:loss`: unique, and what the traits name. */
  key: string;
  group: Group;
  name: string;
}

export const FIXED: Column[] = ['state', 'started', 'duration'].map((name) => ({ key: name, group: 'run', name }));
export const MESSAGE: Column = { key: 'message', group: 'run', name: 'message' };

/** Return the rows of an answer. */
export function toRows(page: Page): Row[] {
  return page.rows.map((cells) => Object.fromEntries(page.columns.map((name, at) => [name, cells[at]])) as unknown as Row);
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

/** Return all columns that rows could fill: the fixed ones, then arguments and metrics in order of appearance. */
export function columnsOf(rows: Iterable<Row>): Column[] {
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

/** Return the columns that are shown where nobody chose: what is the same in every run tells nothing. */
export function usualColumns(rows: readonly Row[], columns: readonly Column[]): Column[] {
  const isTelling = (column: Column): boolean => {
    if (column.group === 'metric') return true;
    if (column.group === 'run') return column !== MESSAGE || rows.some((row) => row.message);
    const first = JSON.stringify(rows[0]?.arguments[column.name] ?? null);
    return rows.length < 2 || rows.some((row) => JSON.stringify(row.arguments[column.name] ?? null) !== first);
  };
  return columns.filter(isTelling).slice(0, SHOWN);
}

/** Return the columns that were chosen, in the order in which they were; those that no row could fill are left out. */
export const chosenColumns = (columns: readonly Column[], keys: readonly string[]): Column[] =>
  keys.flatMap((key) => columns.find((each) => each.key === key) ?? []);

/** Return keys with one of them at another place. */
export function moved(keys: readonly string[], key: string, to: number): string[] {
  const rest = keys.filter((each) => each !== key);
  rest.splice(Math.max(0, to), 0, key);
  return rest;
}

/** Return an order out of its name, such as `metric:loss:asc`; null for newest first. */
export function parseOrder(name: string): Order | null {
  const [, key, direction] = /^(.+):(asc|desc)$/.exec(name) ?? [];
  return key === undefined ? null : { key, isDescending: direction === 'desc' };
}

/** Return what a row has in a column; null for nothing. */
export function cellOf(row: Row, column: Column): Json {
  if (column.group === 'argument') return row.arguments[column.name] ?? null;
  if (column.group === 'metric') return row.metrics[column.name] ?? null;
  if (column.name === 'state') return row.state;
  if (column.name === 'message') return row.message;
  if (column.name === 'started') return row.startedAt;
  if (!row.startedAt || !row.finishedAt) return null;
  return (Date.parse(row.finishedAt) - Date.parse(row.startedAt)) / 1000;
}

/** Compare two values for sorting; missing ones are larger than all, whatever the direction. */
export function compare(one: Json, other: Json, isDescending: boolean): number {
  if (one === null || other === null) return one === other ? 0 : one === null ? 1 : -1;
  const sign = isDescending ? -1 : 1;
  if (typeof one === 'number' && typeof other === 'number') return sign * (one - other);
  const [first, second] = [one, other].map((each) => (typeof each === 'string' ? each : JSON.stringify(each)));
  const numbers = [Number(first), Number(second)];
  if (first && second && numbers.every((each) => !Number.isNaN(each))) return sign * ((numbers[0] ?? 0) - (numbers[1] ?? 0));
  return sign * (first ?? '').localeCompare(second ?? '', 'en', { numeric: true });
}

export interface Order {
  key: string;
  isDescending: boolean;
}

/** Return rows in an order; those that are equal stay newest first. */
export function sorted(rows: readonly Row[], columns: readonly Column[], order: Order | null): Row[] {
  const column = columns.find((each) => each.key === order?.key);
  if (!order || !column) return [...rows];
  const keyed = rows.map((row) => ({ row, value: cellOf(row, column) }));
  keyed.sort((one, other) => compare(one.value, other.value, order.isDescending));
  return keyed.map((each) => each.row);
}

const TERM = /^([^\s:<>=!]+)(:|<=|>=|!=|=|<|>)(.+)$/;
const STATES: { [word: string]: State } = {
  waiting: 'PENDING', pending: 'PENDING', running: 'RUNNING', succeeded: 'SUCCESS', success: 'SUCCESS',
  failed: 'ERROR', error: 'ERROR', cancelled: 'CANCELED', canceled: 'CANCELED',
};

/** Return a test for rows out of a line of words. */
export function parseFilter(line: string): (row: Row) => boolean {
  const tests = (line.match(/"[^"]*"|\S+/g) ?? []).map((word) => parseWord(word.replace(/^"(.*)"$/, '$1')));
  return (row) => tests.every((test) => test(row));
}

function parseWord(word: string): (row: Row) => boolean {
  const [, name, relation, text] = TERM.exec(word) ?? [];
  if (name === undefined || relation === undefined || text === undefined) {
    const wanted = word.toLowerCase();
    return (row) => textOf(row).includes(wanted);
  }
  if (name === 'state') {
    const wanted = STATES[text.toLowerCase()] ?? text.toUpperCase();
    return (row) => (row.state === wanted) !== (relation === '!=');
  }
  return (row) => {
    const value = name === 'id' ? row.id : (row.arguments[name] ?? row.metrics[name] ?? null);
    if (value === null) return relation === '!=';
    return relates(value, relation, text);
  };
}

function relates(value: Json, relation: string, text: string): boolean {
  const shown = typeof value === 'string' ? value : JSON.stringify(value);
  const [one, other] = [Number(shown), Number(text)];
  const isNumber = shown !== '' && !Number.isNaN(one) && !Number.isNaN(other);
  switch (relation) {
    case ':':
      return shown.toLowerCase().includes(text.toLowerCase());
    case '=':
      return isNumber ? one === other : shown === text;
    case '!=':
      return isNumber ? one !== other : shown !== text;
    case '<':
      return isNumber && one < other;
    case '>':
      return isNumber && one > other;
    case '<=':
      return isNumber && one <= other;
    default:
      return isNumber && one >= other;
  }
}

const texts = new WeakMap<Row, { state: State; metrics: Row['metrics']; text: string }>();

/** Return everything in a row that a word may be found in; kept until the row changes. */
function textOf(row: Row): string {
  const known = texts.get(row);
  if (known && known.state === row.state && known.metrics === row.metrics) return known.text;
  const text = [row.id, row.state, row.message ?? '', JSON.stringify(row.arguments), JSON.stringify(row.metrics)]
    .join(' ').toLowerCase();
  texts.set(row, { state: row.state, metrics: row.metrics, text });
  return text;
}

/** Return which rows of a list are in sight, with some above and below. */
export function inSight(top: number, height: number, rowHeight: number, count: number): [number, number] {
  const begin = Math.max(0, Math.floor(top / rowHeight) - 8);
  return [Math.min(begin, Math.max(0, count - 1)), Math.min(count, Math.ceil((top + height) / rowHeight) + 8)];
}

/** Return rows as CSV, as RFC 4180 has it. */
export function toCsv(rows: readonly Row[], columns: readonly Column[]): string {
  const quote = (value: Json): string => {
    const text = value === null ? '' : typeof value === 'string' ? value : JSON.stringify(value);
    return /[",\r\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
  };
  const lines = [['id', ...columns.map((each) => each.name)].map(quote)];
  for (const row of rows) lines.push([row.id, ...columns.map((each) => cellOf(row, each))].map(quote));
  return lines.map((cells) => cells.join(',')).join('\r\n') + '\r\n';
}
