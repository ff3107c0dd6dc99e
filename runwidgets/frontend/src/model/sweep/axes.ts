/** Axes of a plot: the values of a parameter or metric, and their ticks. */
import { visible } from '../ansi';
import { compare } from '../runs/run-columns';
import type { JsonValue } from '../types';

export type Direction = 'minimize' | 'maximize';

/** The values of a parameter or metric, and where each lies between 0 and 1. */
export interface Axis {
  name: string;
  isNumeric: boolean;
  isLog: boolean;
  /** Different values, in order. */
  values: JsonValue[];
  ticks: { at: number; text: string }[];
  /** Where a value lies; null if it is not on the axis. */
  at(value: JsonValue): number | null;
}

const LOG_SPAN = 100;

/** Return a key that is equal for equal values. */
export const keyOf = (value: JsonValue): string => JSON.stringify(value);

/** Return a value as a label: numbers are short, with a power of ten if they are far from 1. */
export function label(value: JsonValue): string {
  if (typeof value !== 'number')
    return value === null ? 'default' : visible(typeof value === 'string' ? value : JSON.stringify(value), true);
  const size = Math.abs(value);
  if (value !== 0 && (size < 1e-3 || size >= 1e6))
    return value
      .toExponential(2)
      .replace(/\.?0*e/, 'e')
      .replace('e+', 'e');
  return String(Number(value.toPrecision(4)));
}

/** Return round numbers between two bounds, about `wanted` of them. */
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
  const powers = [...Array(Math.max(0, last - first + 1)).keys()].map((at) =>
    Number((10 ** (first + at)).toPrecision(12)),
  );
  return powers.length >= 2 ? powers : [...new Set([low, high])];
}

/** Make an axis of values: linear if all are numbers, logarithmic if they span orders of magnitude, else ordinal. */
export function makeAxis(name: string, given: readonly JsonValue[], mayBeLog = true): Axis {
  const values = [...new Map(given.map((each) => [keyOf(each), each])).values()].sort((one, other) =>
    compare(one, other, false),
  );
  const numbers = values.filter((each): each is number => typeof each === 'number');
  const isNumeric = numbers.length > 0 && values.every((each) => typeof each === 'number' || each === null);
  if (!isNumeric) {
    const positions = new Map(
      values.map((each, at) => [keyOf(each), values.length < 2 ? 0.5 : at / (values.length - 1)]),
    );
    const at = (value: JsonValue): number | null => positions.get(keyOf(value)) ?? null;
    return {
      name,
      isNumeric,
      isLog: false,
      values,
      at,
      ticks: values.slice(0, 30).map((each) => ({ at: at(each) ?? 0, text: label(each) })),
    };
  }
  const [low, high] = [numbers[0] ?? 0, numbers[numbers.length - 1] ?? 0];
  const isLog = mayBeLog && low > 0 && high / low >= LOG_SPAN;
  const scale = (value: number): number => (isLog ? Math.log10(value) : value);
  const span = scale(high) - scale(low);
  const at = (value: JsonValue): number | null =>
    typeof value !== 'number' ? null : span === 0 ? 0.5 : (scale(value) - scale(low)) / span;
  const ticks = (isLog ? powerTicks(low, high) : roundTicks(low, high)).map((each) => ({
    at: at(each) ?? 0,
    text: label(each),
  }));
  return { name, isNumeric, isLog, values, at, ticks };
}
