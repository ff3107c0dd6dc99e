/**
 * What a sweep's runs say, away from any page: axes and their ticks, the grid of two parameters, the best run,
 * reasons of failures, and when it will be done.
 */

import { isActive } from '../states';
import { visible } from '../ansi';
import { compare, type Row } from '../runs/run-rows';
import { shortId } from '../format';
import type { Json } from '../types';

export type Direction = 'minimize' | 'maximize';

/** The values of a parameter or metric, and where each lies between 0 and 1. */
export interface Axis {
  name: string;
  isNumeric: boolean;
  isLog: boolean;
  /** Different values, in order. */
  values: Json[];
  ticks: { at: number; text: string }[];
  /** Where a value lies; null where it is none of the axis. */
  at(value: Json): number | null;
}

const LOG_SPAN = 100;
const keyOf = (value: Json): string => JSON.stringify(value);

/** Return a number as a label: short, with a power of ten where it is far from 1. */
export function label(value: Json): string {
  if (typeof value !== 'number') return value === null ? 'default' : visible(typeof value === 'string' ? value : JSON.stringify(value), true);
  const size = Math.abs(value);
  if (value !== 0 && (size < 1e-3 || size >= 1e6)) return value.toExponential(2).replace(/\.?0*e/, 'e').replace('e+', 'e');
  return String(Number(value.toPrecision(4)));
}

/** Return round numbers between two bounds, about as many as are wanted. */
export function roundTicks(low: number, high: number, wanted = 5): number[] {
  if (!(high > low)) return [low];
  const raw = (high - low) / wanted;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = ([1, 2, 5, 10].find((each) => each * power >= raw) ?? 10) * power;
  const first = Math.ceil(low / step - 1e-9);
  const count = Math.floor(high / step + 1e-9) - first;
  return [...Array(Math.max(0, count) + 1).keys()].map((at) => Number(((first + at) * step).toPrecision(12)));
}

/** Return powers of ten between two bounds; with few of them, the bounds themselves. */
export function powerTicks(low: number, high: number): number[] {
  const [first, last] = [Math.ceil(Math.log10(low) - 1e-9), Math.floor(Math.log10(high) + 1e-9)];
  const powers = [...Array(Math.max(0, last - first + 1)).keys()].map((at) => Number((10 ** (first + at)).toPrecision(12)));
  return powers.length >= 2 ? powers : [...new Set([low, high])];
}

/** Make an axis of values: by number where all are numbers, by logarithm where they span much and that is wanted. */
export function makeAxis(name: string, given: readonly Json[], mayBeLog = true): Axis {
  const values = [...new Map(given.map((each) => [keyOf(each), each])).values()].sort((one, other) => compare(one, other, false));
  const numbers = values.filter((each): each is number => typeof each === 'number');
  const isNumeric = numbers.length > 0 && values.every((each) => typeof each === 'number' || each === null);
  if (!isNumeric) {
    const places = new Map(values.map((each, at) => [keyOf(each), values.length < 2 ? 0.5 : at / (values.length - 1)]));
    const at = (value: Json): number | null => places.get(keyOf(value)) ?? null;
    return { name, isNumeric, isLog: false, values, at, ticks: values.slice(0, 30).map((each) => ({ at: at(each) ?? 0, text: label(each) })) };
  }
  const [low, high] = [numbers[0] ?? 0, numbers[numbers.length - 1] ?? 0];
  const isLog = mayBeLog && low > 0 && high / low >= LOG_SPAN;
  const scale = (value: number): number => (isLog ? Math.log10(value) : value);
  const span = scale(high) - scale(low);
  const at = (value: Json): number | null =>
    (typeof value !== 'number' ? null : span === 0 ? 0.5 : (scale(value) - scale(low)) / span);
  const ticks = (isLog ? powerTicks(low, high) : roundTicks(low, high)).map((each) => ({ at: at(each) ?? 0, text: label(each) }));
  return { name, isNumeric, isLog, values, at, ticks };
}

/** Return the metrics that have a number in some run, in order of appearance. */
export function numericMetrics(rows: readonly Row[]): string[] {
  const found = new Set<string>();
  for (const row of rows) for (const [name, value] of Object.entries(row.metrics)) if (typeof value === 'number') found.add(name);
  return [...found];
}

/** Return the successful run with the best number of a metric. */
export function bestOf(rows: readonly Row[], metric: string, direction: Direction): Row | null {
  const sign = direction === 'minimize' ? 1 : -1;
  let best: Row | null = null;
  for (const row of rows) {
    const value = row.metrics[metric];
    if (row.state !== 'SUCCESS' || typeof value !== 'number') continue;
    if (!best || sign * value < sign * (best.metrics[metric] as number)) best = row;
  }
  return best;
}

/** Return failed runs by what was wrong, the most frequent first. */
export function groupFailures(rows: readonly Row[]): { reason: string; rows: Row[] }[] {
  const groups = new Map<string, Row[]>();
  for (const row of rows) {
    if (row.state !== 'ERROR') continue;
    const reason = row.message ?? '';
    const known = groups.get(reason);
    if (known) known.push(row);
    else groups.set(reason, [row]);
  }
  return [...groups].map(([reason, found]) => ({ reason, rows: found })).sort((one, other) => other.rows.length - one.rows.length);
}

/** Return parameters by how many values they take, the most varied first; those with one value are left out. */
export function mostVaried(rows: readonly Row[], names: readonly string[]): string[] {
  const counts = names.map((name) => ({ name, n: new Set(rows.map((row) => keyOf(row.arguments[name] ?? null))).size }));
  return counts.filter(({ n }) => n > 1).sort((one, other) => other.n - one.n).map(({ name }) => name);
}

export interface Grid {
  rows: Json[];
  columns: Json[];
  /** Runs at a place of the grid; empty where there are none. */
  at(row: Json, column: Json): readonly Row[];
  /** How many values there are beyond those of the grid. */
  leftOut: number;
}

/** Put runs into a grid of two parameters; what `fixed` names must have its value. */
export function makeGrid(
  rows: readonly Row[],
  down: string | null,
  across: string,
  fixed: ReadonlyMap<string, string>,
  most = 60,
): Grid {
  const others = [...fixed].filter(([name]) => name !== down && name !== across);
  const kept = rows.filter((row) => others.every(([name, key]) => keyOf(row.arguments[name] ?? null) === key));
  const downs = down === null ? [null] : makeAxis(down, kept.map((row) => row.arguments[down] ?? null)).values;
  const acrosses = makeAxis(across, kept.map((row) => row.arguments[across] ?? null)).values;
  const cells = new Map<string, Row[]>();
  for (const row of kept) {
    const key = `${keyOf(down === null ? null : row.arguments[down] ?? null)} ${keyOf(row.arguments[across] ?? null)}`;
    const known = cells.get(key);
    if (known) known.push(row);
    else cells.set(key, [row]);
  }
  return {
    rows: downs.slice(0, most),
    columns: acrosses.slice(0, most),
    at: (row, column) => cells.get(`${keyOf(row)} ${keyOf(column)}`) ?? [],
    leftOut: Math.max(0, downs.length - most) + Math.max(0, acrosses.length - most),
  };
}

/** Return when the work began whose end is waited for, in milliseconds: runs that were reused are from before it. */
export function begunAt(rows: readonly Row[], createdAt: string): number | null {
  const since = Date.parse(createdAt);
  let first: number | null = null;
  for (const row of rows) {
    const begun = row.startedAt ? Date.parse(row.startedAt) : NaN;
    if (begun >= since && (first === null || begun < first)) first = begun;
  }
  return first;
}

/** Return the seconds that are left and of how many ended runs that is known; null before the first, and at the end. */
export function estimate(rows: readonly Row[], createdAt: string, now: number): { seconds: number; basis: number } | null {
  const since = Date.parse(createdAt);
  const left = rows.filter((row) => isActive(row.state)).length;
  if (left === 0) return null;
  const ended = rows
    .map((row) => ({ begun: Date.parse(row.startedAt ?? ''), end: Date.parse(row.finishedAt ?? '') }))
    .filter(({ begun, end }) => begun >= since && end >= since)
    .sort((one, other) => other.end - one.end)
    .slice(0, 100);
  if (ended.length === 0) return null;
  const first = ended.reduce((least, { begun }) => Math.min(least, begun), Infinity);
  const rate = ended.length / Math.max(1, now - first);
  return { seconds: left / rate / 1000, basis: ended.length };
}

/** Return at most so many rows, evenly picked; `always` is among them. */
export function sampled(rows: readonly Row[], most: number, always: Row | null): Row[] {
  if (rows.length <= most) return [...rows];
  const step = rows.length / most;
  const picked = [...Array(most).keys()].map((at) => rows[Math.floor(at * step)] as Row);
  return always && !picked.includes(always) ? [...picked.slice(0, -1), always] : picked;
}

/** Return what tells a run of a sweep apart. */
export const describePoint = (row: Row, varied: readonly string[]): string =>
  varied.map((name) => `${name} = ${label(row.arguments[name] ?? null)}`).join(', ') || shortId(row.id);
