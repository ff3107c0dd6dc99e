/**
 * The filter of a table of runs: a line of words such as `state:failed`, `lr>0.01` and `model=tree`; any other
 * word is searched for in the whole row.
 */

import type { JsonValue, StateName } from '../types';
import type { RunRow } from './run-rows';

const TERM = /^([^\s:<>=!]+)(:|<=|>=|!=|=|<|>)(.+)$/;

const STATES: { [word: string]: StateName } = {
  waiting: 'PENDING',
  pending: 'PENDING',
  running: 'RUNNING',
  succeeded: 'SUCCESS',
  success: 'SUCCESS',
  failed: 'ERROR',
  error: 'ERROR',
  cancelled: 'CANCELED',
  canceled: 'CANCELED',
};

/** Parse a filter; returns a predicate for rows. */
export function parseFilter(line: string): (row: RunRow) => boolean {
  const tests = (line.match(/"[^"]*"|\S+/g) ?? []).map((word) => parseWord(word.replace(/^"(.*)"$/, '$1')));
  return (row) => tests.every((test) => test(row));
}

function parseWord(word: string): (row: RunRow) => boolean {
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

function relates(value: JsonValue, relation: string, text: string): boolean {
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

const texts = new WeakMap<RunRow, { state: StateName; metrics: RunRow['metrics']; text: string }>();

/** Return the searchable text of a row; cached until the row changes. */
function textOf(row: RunRow): string {
  const known = texts.get(row);
  if (known && known.state === row.state && known.metrics === row.metrics) return known.text;
  const text = [row.id, row.state, row.message ?? '', JSON.stringify(row.arguments), JSON.stringify(row.metrics)]
    .join(' ')
    .toLowerCase();
  texts.set(row, { state: row.state, metrics: row.metrics, text });
  return text;
}
