/** What the runs of a sweep say together: the best one, why some failed, and which parameters vary. */

import { shortId } from '../format';
import type { RunRow } from '../runs/run-rows';
import type { ReasonName } from '../types';
import { type Direction, keyOf, label } from './axes';

/** Return the metrics that are a number in at least one run, in order of appearance. */
export function numericMetrics(rows: readonly RunRow[]): string[] {
  const found = new Set<string>();
  for (const row of rows)
    for (const [name, value] of Object.entries(row.metrics)) if (typeof value === 'number') found.add(name);
  return [...found];
}

/** Return the successful run with the best number of a metric. */
export function bestOf(rows: readonly RunRow[], metric: string, direction: Direction): RunRow | null {
  const sign = direction === 'minimize' ? 1 : -1;
  let best: RunRow | null = null;
  for (const row of rows) {
    const value = row.metrics[metric];
    if (row.state !== 'SUCCESS' || typeof value !== 'number') continue;
    if (!best || sign * value < sign * (best.metrics[metric] as number)) best = row;
  }
  return best;
}

/** Runs that failed for the same reason. */
export interface Failures {
  reason: ReasonName | null;
  /** The number of the cell that failed, if one did. */
  cell: number | null;
  /** The first message of each run. */
  messages: Set<string>;
  rows: [RunRow, ...RunRow[]];
}

/** Return failed runs by their reason, and by the cell that raised an error; the most frequent first. */
export function groupFailures(rows: readonly RunRow[]): Failures[] {
  const groups = new Map<string, Failures>();
  for (const row of rows) {
    if (row.state !== 'ERROR') continue;
    const reason = row.reason ?? null;
    const cell = reason === 'cell_error' ? (row.cell ?? null) : null;
    const message = row.message ?? '';
    const key = `${reason} ${cell}`;
    const known = groups.get(key);
    if (!known) groups.set(key, { reason, cell, messages: new Set([message]), rows: [row] });
    else {
      known.rows.push(row);
      known.messages.add(message);
    }
  }
  return [...groups.values()].sort((one, other) => other.rows.length - one.rows.length);
}

/** Return the parameters with more than one value, the most varied first. */
export function mostVaried(rows: readonly RunRow[], names: readonly string[]): string[] {
  const counts = names.map((name) => ({
    name,
    n: new Set(rows.map((row) => keyOf(row.arguments[name] ?? null))).size,
  }));
  return counts
    .filter(({ n }) => n > 1)
    .sort((one, other) => other.n - one.n)
    .map(({ name }) => name);
}

/** Return at most `most` rows, evenly picked; `always` is among them. */
export function sampled(rows: readonly RunRow[], most: number, always: RunRow | null): RunRow[] {
  if (rows.length <= most) return [...rows];
  const step = rows.length / most;
  const picked = [...Array(most).keys()].map((at) => rows[Math.floor(at * step)] as RunRow);
  return always && !picked.includes(always) ? [...picked.slice(0, -1), always] : picked;
}

/** Describe the point of a run by the parameters that vary. */
export const describePoint = (row: RunRow, varied: readonly string[]): string =>
  varied.map((name) => `${name} = ${label(row.arguments[name] ?? null)}`).join(', ') || shortId(row.id);
