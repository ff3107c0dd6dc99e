/** When a sweep began, and when it will be done. */

import type { RunRow } from '../runs/run-rows';
import { isActive } from '../states';

/** Whether a run began: one that was cancelled while it waited has the moment of its end as its start. */
const hasBegun = (row: RunRow): boolean => row.startedAt !== null && row.startedAt !== row.finishedAt;

/** Return when the first run of a sweep began, in milliseconds; reused runs, which are older, do not count. */
export function begunAt(rows: readonly RunRow[], createdAt: string): number | null {
  const since = Date.parse(createdAt);
  let first: number | null = null;
  for (const row of rows) {
    const begun = hasBegun(row) ? Date.parse(row.startedAt ?? '') : NaN;
    if (begun >= since && (first === null || begun < first)) first = begun;
  }
  return first;
}

/** Estimate the remaining seconds, and say on how many ended runs that is based; null before the first and at the end. */
export function estimate(
  rows: readonly RunRow[],
  createdAt: string,
  now: number,
): { seconds: number; basis: number } | null {
  const since = Date.parse(createdAt);
  const left = rows.filter((row) => isActive(row.state)).length;
  if (left === 0) return null;
  const ended = rows
    .filter(hasBegun)
    .map((row) => ({ begun: Date.parse(row.startedAt ?? ''), end: Date.parse(row.finishedAt ?? '') }))
    .filter(({ begun, end }) => begun >= since && end >= since)
    .sort((one, other) => other.end - one.end)
    .slice(0, 100);
  if (ended.length === 0) return null;
  const first = ended.reduce((least, { begun }) => Math.min(least, begun), Infinity);
  const rate = ended.length / Math.max(1, now - first);
  return { seconds: left / rate / 1000, basis: ended.length };
}
